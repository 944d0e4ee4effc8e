"""A life under strace: every system call that writes, syncs or sends can be its last, and all of them can be read.

Facts of strace(1), 6.1: an injected SIGKILL ends the process before the call is carried out; calls are counted for
every thread and kind of call on their own, from the moment the process was attached to.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from end_to_end.process import PATIENCE
from fault.crash.strace_log import SystemCall, calls

DEADLY: Final = (
    *("write", "writev", "pwrite64", "pwritev", "fdatasync", "fsync", "ftruncate", "fallocate"),
    *("rename", "unlink", "sendto", "sendmsg"),
)
"""Kinds of calls by which something leaves the process, or becomes durable."""
HEARD: Final = ("recvfrom", "recvmsg", "read")
"""By which something reaches it; only the order of calls is told by them."""
WHOLE: Final = 70_000
"""Bytes of each call that are written down, when they are read afterwards; more than a page, or a request here."""

IN_VAIN: Final = "print('ready', flush=True); import time; time.sleep(60)"


@dataclass(frozen=True, kw_only=True)
class Point:
    """A life ends before any of its threads makes this call for the n-th time."""

    call: str
    number: int

    def __str__(self) -> str:
        return f"{self.call}:{self.number}"

    @classmethod
    def named(cls, name: str) -> "Point":
        """From what `str` makes of it."""
        call, _, number = name.partition(":")
        return cls(call=call, number=int(number))


def needs_strace() -> None:
    """Skip the test where no process can be looked into; where all tests must run, that is a failure."""
    if reason := _reason_against():
        if os.environ.get("REQUIRE_ALL_TESTS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


def _reason_against() -> str | None:
    if sys.platform != "linux" or shutil.which("strace") is None:
        return "strace is not installed"
    command = [sys.executable, "-c", IN_VAIN]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:  # noqa: S603 - ours
        try:
            assert child.stdout is not None
            child.stdout.readline()
            command = ["strace", "-f", "-e", "inject=all:signal=SIGKILL:when=1", "-p", str(child.pid)]
            tried = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)  # noqa: S603
        finally:
            child.kill()
    return None if child.returncode == -signal.SIGKILL and "attach" in tried.stderr else f"ptrace: {tried.stderr}"


@asynccontextmanager
async def traced(process: int, log: Path, *, kill: Point | None = None, whole: bool = False) -> AsyncIterator[None]:
    """Look into a process until it ends; leaves the block when strace has written down everything.

    Args:
        process: its number.
        log: what strace writes.
        kill: where the process ends.
        whole: write down what was written and sent as well.
    """
    reading = ["-y", "-x", "-s", str(WHOLE)] if whole else ["-y", "-s", "0"]
    injecting = [] if kill is None else ["-e", f"inject={kill.call}:signal=SIGKILL:when={kill.number}"]
    kinds = (*DEADLY, *HEARD) if whole else DEADLY
    strace = await asyncio.create_subprocess_exec(
        *("strace", "-f", "-o", str(log), "-e", f"trace={','.join(kinds)}", "-e", "signal=none"),
        *(*reading, *injecting, "-p", str(process)),
        stderr=asyncio.subprocess.PIPE,
        limit=2**20,
    )
    assert strace.stderr is not None
    async with asyncio.timeout(PATIENCE):
        attached = await strace.stderr.readline()
    assert b"attached" in attached, attached
    try:
        yield
    except BaseException:
        strace.kill()  # the process lives on, and strace would wait for its end
        raise
    finally:
        async with asyncio.timeout(PATIENCE):
            await strace.communicate()


def points_of(made: Iterable[SystemCall]) -> list[Point]:
    """All points of a life that was looked into, in the order in which they were passed."""
    counts: dict[tuple[int, str], int] = {}
    found: dict[Point, None] = {}
    for one in made:
        if one.name in DEADLY:
            counts[one.thread, one.name] = number = counts.get((one.thread, one.name), 0) + 1
            found[Point(call=one.name, number=number)] = None
    return list(found)


def spread(points: Sequence[Point], most: int) -> list[Point]:
    """So many of them: of each kind of call as many, evenly spread, and of a rare kind all."""
    kinds: dict[str, list[Point]] = {}
    for one in points:
        kinds.setdefault(one.call, []).append(one)
    chosen: list[Point] = []
    for left, kind in zip(range(len(kinds), 0, -1), sorted(kinds.values(), key=len), strict=True):
        share = min(len(kind), (most - len(chosen)) // left)
        chosen += [kind[index * len(kind) // share] for index in range(share)]
    return chosen


def last_calls(log: Path, count: int = 5) -> str:
    """What a killed life did last, for whoever reads of a failure."""
    return "\n".join(map(str, calls(log.read_text().splitlines())[-count:]))

"""The process that is forked for every life of a daemon; `fault.lives` starts it and says how the next life goes.

Run as `python -m fault.cradle run`. A life is the real command, of which a test may have had something stand still, or
made a mistake on purpose; the product knows nothing of either. What it needs is imported here, once for all lives.
"""

import asyncio
import ctypes
import importlib
import json
import os
import signal
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

from npsbridge.cli import main
from npsbridge.platforms import settings_classes
from npsbridge.store.postgres.store import PostgresStore
from npsbridge.store.sqlite import upgrades
from npsbridge.store.sqlite.store import SqliteStore

PR_SET_PTRACER: Final = 0x59616D61
"""prctl(2): whom a system that is careful about ptrace lets look into this process."""
ANYBODY: Final = ctypes.c_ulong(-1)
STEPS: Final[Mapping[type[Any], int]] = {SqliteStore: 1, PostgresStore: 3}
"""Of the loop, from where a write begins to where it has left this process and nobody knows how it ends."""
BEGIN: Final = signal.SIGUSR1
"""For this a life waits that is told to; it is not lost if it comes before anybody waits."""


def stop_at(method: str, state: str | None, fact: str | None, moment: str, passes: int) -> None:
    """Stand still around a call of a method of the store, after so many calls like it, or die within it."""
    kind = store_kind()
    carry_out = getattr(kind, method)
    left = passes

    def concerns(given: Any) -> bool:
        return (state is None or any(one.state == state for one in given)) and (fact is None or fact == given)

    async def stopping(store: Any, *arguments: Any, **options: Any) -> Any:
        nonlocal left
        if not concerns(arguments[0]) or (left := left - 1) >= 0:
            return await carry_out(store, *arguments, **options)
        if moment == "within":
            writing = asyncio.ensure_future(carry_out(store, *arguments, **options))
            for _ in range(STEPS[kind]):
                await asyncio.sleep(0)
            os.kill(os.getpid(), signal.SIGKILL)
            return await writing
        if moment == "after":
            await carry_out(store, *arguments, **options)
        _say("stands still")
        return await asyncio.Event().wait()

    setattr(kind, method, stopping)


def store_kind() -> type[Any]:
    """Of the store on which this life works."""
    is_file = os.environ["NPSBRIDGE_STORE_URL"].startswith("sqlite")
    return SqliteStore if is_file else PostgresStore


def die_upgrading(passes: int) -> None:
    """Die in the middle of an upgrade of a file, after so many of its statements."""
    take_step = upgrades._take_step
    left = passes

    def deadly(statements: upgrades.Upgrade) -> Iterator[str]:
        nonlocal left
        for statement in statements:
            if (left := left - 1) < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            yield statement

    def take_deadly_step(database: sqlite3.Connection, number: int, statements: upgrades.Upgrade) -> None:
        take_step(database, number, deadly(statements))  # type: ignore[arg-type]  # it goes through them once

    upgrades._take_step = take_deadly_step


def live(stop: dict[str, Any] | None, mistake: str | None, *, waits: bool) -> None:
    """One life, in a process of its own."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    ctypes.CDLL(None).prctl(PR_SET_PTRACER, ANYBODY, 0, 0, 0)
    if stop is not None and stop["method"] == "upgrade":
        die_upgrading(stop["passes"])
    elif stop is not None:
        stop_at(**stop)
    if mistake is not None:
        getattr(importlib.import_module("fault.crash.mistakes"), mistake)()
    if waits:
        signal.sigwait({BEGIN})
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {BEGIN})
    main()


def _say(message: str) -> None:
    sys.stderr.write(json.dumps({"message": message}) + "\n")
    sys.stderr.flush()


def _tell(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def rear() -> None:
    """Lives, one after the other, as the lines of the standard input say."""
    for module in ("npsbridge.app.daemon", "npsbridge.cli.run"):
        importlib.import_module(module)
    settings_classes()
    signal.pthread_sigmask(signal.SIG_BLOCK, {BEGIN})
    for number, line in enumerate(sys.stdin, start=1):
        sys.stderr.write("\n")  # a life that was killed may have left half a line
        _say(f"life {number}")
        child = os.fork()
        if not child:
            live(**json.loads(line))
        _tell(child)
        _tell(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


if __name__ == "__main__":
    rear()

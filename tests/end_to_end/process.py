"""The real command in a process of its own, between look-alikes in the test's process."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

PATIENCE = 30.0
"""Seconds for anything a process is waited for."""
DAEMON = ("-m", "npsbridge")
"""How Python is told to be the command."""


@dataclass(kw_only=True)
class Daemon:
    """A running `npsbridge run`. Made by `daemon_process`."""

    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)
    """What it wrote to standard error, and to standard output."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def output(self) -> str:
        """All it wrote."""
        return "\n".join(self.lines)

    @property
    def told(self) -> list[dict[str, Any]]:
        """The lines of its log."""
        return [json.loads(line) for line in self.lines if line.startswith("{")]

    async def says(self, message: str, times: int = 1) -> dict[str, Any]:
        """Wait for a line of the log and return it.

        Raises:
            AssertionError: it did not come; shows what came instead.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                while len(found := [line for line in self.told if line["message"] == message]) < times:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"it never said {message!r} but:\n{self.output}") from None
        return found[-1]

    async def ready(self, times: int = 1) -> "Daemon":
        """Wait until it is ready, for the n-th time."""
        await self.says("npsbridge is ready", times)
        return self

    async def address(self, listener: str) -> str:
        """Where it listens: `listen` or `admin`."""
        return str((await self.says("npsbridge is ready"))[listener])

    async def get(self, path: str) -> tuple[int, str]:
        """Status and body of a path of the admin listener."""
        url = f"http://{await self.address('admin')}{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.status, await answer.text()

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Wait for the end; the exit code, or minus the signal."""
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()

    async def read(self) -> None:
        """Take in what it writes, until it ends."""
        stream = self.process.stderr
        assert stream is not None
        async for line in stream:
            self.lines.append(line.decode().rstrip("\n"))
            self._changed.set()


@asynccontextmanager
async def daemon_process(
    folder: Path, environment: Mapping[str, str], *options: str, program: Sequence[str] = DAEMON
) -> AsyncIterator[Daemon]:
    """`python -m npsbridge run`, with warnings as errors; killed at the end of the block if it still lives.

    Args:
        folder: its working directory.
        environment: its settings, without their prefix.
        options: further arguments.
        program: what Python runs instead of the command.
    """
    settings = {f"NPSBRIDGE_{name}": value for name, value in environment.items()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", *program, "run", *options),
        env={"PATH": os.environ.get("PATH", ""), "HOME": str(folder)} | settings,
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        limit=2**24,
    )
    daemon = Daemon(process=process)
    reading = asyncio.create_task(daemon.read())
    try:
        yield daemon
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading

"""The command as it is started from a shell, and how it ended."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from npsbridge.sandbox import DelightedServer, SegmentServer

PATIENCE = 30.0
"""Seconds that a command may take before a test gives up on it."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, kw_only=True)
class Started:
    """A command that is running."""

    process: asyncio.subprocess.Process

    async def line_with(self, part: str) -> str:
        """Its output up to the first line that contains `part`, which is returned."""
        stream = self.process.stdout
        assert stream is not None
        async with asyncio.timeout(PATIENCE):
            while line := (await stream.readline()).decode():
                if part in line:
                    return line
        raise AssertionError(f"it ended without saying {part!r}")

    async def end(self, by: signal.Signals = signal.SIGTERM) -> Ended:
        """Ask it to end, and wait until it has."""
        self.process.send_signal(by)
        return await self.ended()

    async def ended(self) -> Ended:
        """Wait until it has ended."""
        async with asyncio.timeout(PATIENCE):
            out, err = await self.process.communicate()
        return Ended(code=self.process.returncode or 0, out=out.decode(), err=err.decode())


def own_environment() -> dict[str, str]:
    """The environment of the tests, without any setting of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("NPSBRIDGE_")}


@asynccontextmanager
async def started(*arguments: str, environ: Mapping[str, str] | None = None) -> AsyncIterator[Started]:
    """The command in a process of its own, which is gone when the block ends."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "npsbridge", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=own_environment() | dict(environ or {}),
    )
    try:
        yield Started(process=process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def command(*arguments: str, environ: Mapping[str, str] | None = None) -> Ended:
    """The command in a process of its own, to its end."""
    async with started(*arguments, environ=environ) as running:
        return await running.ended()


def between(delighted: DelightedServer, segment: SegmentServer) -> dict[str, str]:
    """The settings that join two look-alikes."""
    return {
        "NPSBRIDGE_LISTEN": "127.0.0.1:0",
        "NPSBRIDGE_ADMIN_LISTEN": "127.0.0.1:0",
        "NPSBRIDGE_DELIGHTED__API_KEY": delighted.api_key,
        "NPSBRIDGE_DELIGHTED__BASE_URL": delighted.base_url,
        "NPSBRIDGE_SEGMENT__WRITE_KEY": segment.write_keys[0],
        "NPSBRIDGE_SEGMENT__BASE_URL": segment.base_url,
    }

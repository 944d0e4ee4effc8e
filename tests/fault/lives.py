"""One life of the daemon after another, each killed at a moment that a test chooses: `npsbridge run`, real processes.

The imports are done once, in a process that is forked for every life; a life is then ready within a tenth of a second.
What cannot be seen from outside, such as a commit that is about to begin, a life can be told to stand still at.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from end_to_end.process import PATIENCE, Daemon
from npsbridge.core.model import State
from stores import bury

STANDS_STILL: Final = "stands still"
"""What a life says when it has come to the moment that a test wants."""
DIED: Final = "npsbridge ended while the request was under way"
"""How the reason begins of what is held since."""

TESTS: Final = Path(__file__).parents[1]


@dataclass(frozen=True, kw_only=True)
class Stop:
    """A moment in the life of a daemon: around a call of a method of its store."""

    method: Literal["append", "commit_routing", "settle", "note_fact", "upgrade"]
    """`upgrade` is none of the store: it stands for the statements of an upgrade, in which the life ends."""
    moment: Literal["before", "within", "after"]
    """`within`: the write is under way, and the life ends by its own hand; otherwise it stands still there."""
    state: State | None = None
    """Of `settle`: only when something gets into this state."""
    fact: str | None = None
    """Of `note_fact`: only when this one is noted."""
    passes: int = 0
    """How many such calls, or statements, go through before."""


@dataclass(kw_only=True)
class Lives(Daemon):
    """The life that is lived now; what it is asked for is asked of this one, not of those before. Made by `lives`."""

    store_url: str
    number: int = 0
    """How many lives there have been."""
    child: int = 0
    """The process of this life."""

    @property
    def told(self) -> list[dict[str, Any]]:
        """The lines of this life's log; none before it has begun."""
        begins = json.dumps({"message": f"life {self.number}"})
        own = self.lines[self.lines.index(begins) :] if begins in self.lines else []
        return [json.loads(line) for line in own if line.startswith("{") and line.endswith("}")]

    async def begin(self, stop: Stop | None = None, *, mistake: str | None = None, waits: bool = False) -> None:
        """Let the next life begin; the one before has ended.

        Args:
            stop: where it is to stand still.
            mistake: a function of `fault.crash.mistakes`, which spoils it.
            waits: before it has done anything, for SIGUSR1.
        """
        bury(self.store_url)
        self.number += 1
        del self.lines[:]
        assert self.process.stdin is not None
        wish = {"stop": stop and vars(stop), "mistake": mistake, "waits": waits}
        self.process.stdin.write(json.dumps(wish).encode() + b"\n")
        self.child = await self._heard()
        await self.says(f"life {self.number}")

    def send(self, number: signal.Signals) -> None:
        """Send this life a signal."""
        os.kill(self.child, number)

    async def ended(self) -> int:
        """Wait for the end of this life; the exit code, or minus the signal."""
        code, self.child = await self._heard(), 0
        return code

    async def killed(self) -> None:
        """End this life by SIGKILL."""
        self.send(signal.SIGKILL)
        assert await self.ended() == -signal.SIGKILL

    async def stopped(self) -> None:
        """End this life by SIGTERM, in peace."""
        await self.ready()
        self.send(signal.SIGTERM)
        assert await self.ended() == 0, self.output

    async def _heard(self) -> int:
        """The next number that the cradle tells."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            return int(await self.process.stdout.readline())


@asynccontextmanager
async def lives(folder: Path, environment: Mapping[str, str], **systemd: str) -> AsyncIterator[Lives]:
    """A cradle for lives with these settings, which have no prefix; what lives at the end of the block is killed.

    Args:
        folder: their working directory.
        environment: their settings.
        systemd: what a service manager adds, such as NOTIFY_SOCKET.
    """
    settings = {f"NPSBRIDGE_{name}": value for name, value in environment.items()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "fault.cradle", "run"),
        env={"PATH": os.environ.get("PATH", ""), "HOME": str(folder), "PYTHONPATH": str(TESTS)} | settings | systemd,
        cwd=folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=2**24,
    )
    made = Lives(process=process, store_url=environment["STORE_URL"])
    reading = asyncio.create_task(made.read())
    try:
        yield made
    finally:
        if made.child:
            with suppress(ProcessLookupError):  # its end may not have been heard of yet
                os.kill(made.child, signal.SIGKILL)
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        await reading

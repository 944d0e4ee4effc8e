"""One daemon after another over one store, killed again and again; the last one lives long and is measured."""

import asyncio
import random
import signal
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from end_to_end.outbound import Outbound
from end_to_end.process import Daemon, daemon_process

KILLED_AFTER: Final = (20.0, 60.0)
"""Seconds, from and to."""
SAMPLED_EVERY: Final = 2.0
MIB: Final = 2**20


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What a process uses at one moment."""

    age: float
    """Seconds since it was ready."""
    memory: float
    """Resident, in MiB."""
    files: int
    wal: float
    """The length of the store's WAL, in MiB."""


@dataclass(kw_only=True)
class Lived:
    """What was seen of all lives."""

    restarts: list[float] = field(default_factory=list)
    """Seconds from the start of a process to its readiness."""
    kills: int = 0
    last: list[Sample] = field(default_factory=list)
    """Of the long life."""
    longest_wal: float = 0.0
    output: list[str] = field(default_factory=list)
    """Everything that every life has written."""
    exit_code: int | None = None
    """Of the last life."""


class Lives:
    """Lets one life follow another."""

    def __init__(self, line: Outbound, environment: Mapping[str, str], chance: random.Random) -> None:
        self.seen = Lived()
        self._line, self._environment, self._chance = line, environment, chance
        self._store = Path(environment["STORE_URL"].removeprefix("sqlite:///"))

    async def killed_for(self, seconds: float) -> None:
        """One life after another for so many seconds, each killed wherever it happens to be."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            await self._life(self._chance.uniform(*KILLED_AFTER))
            self.seen.kills += 1

    async def _life(self, seconds: float) -> None:
        started = time.monotonic()
        async with daemon_process(self._line.folder, self._environment) as daemon:
            await daemon.ready()
            self.seen.restarts.append(time.monotonic() - started)
            await self._watched(daemon, seconds)
            daemon.send(signal.SIGKILL)
            assert await daemon.ended() == -signal.SIGKILL
        self.seen.output += daemon.lines

    async def long_life(self, seconds: float, then: asyncio.Event, drained: asyncio.Event) -> None:
        """A life of so many seconds, after which `then` is set; it ends in peace once `drained` is."""
        async with daemon_process(self._line.folder, self._environment) as daemon:
            await daemon.ready()
            self.seen.last = await self._watched(daemon, seconds)
            then.set()
            await drained.wait()
            daemon.send(signal.SIGTERM)
            self.seen.exit_code = await daemon.ended()
        self.seen.output += daemon.lines

    async def _watched(self, daemon: Daemon, seconds: float) -> list[Sample]:
        samples, began = list[Sample](), time.monotonic()
        while (age := time.monotonic() - began) < seconds:
            assert daemon.process.returncode is None, daemon.output
            with suppress(FileNotFoundError, ProcessLookupError):
                samples.append(self._sample(daemon.process.pid, age))
                self.seen.longest_wal = max(self.seen.longest_wal, samples[-1].wal)
            await asyncio.sleep(min(SAMPLED_EVERY, seconds))
        return samples

    def _sample(self, process: int, age: float) -> Sample:
        status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
        (kilobytes,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
        wal = self._store.with_name(f"{self._store.name}-wal")
        return Sample(
            age=age,
            memory=int(kilobytes) / 1024,
            files=len(list(Path(f"/proc/{process}/fd").iterdir())),
            wal=wal.stat().st_size / MIB if wal.exists() else 0.0,
        )


@dataclass(frozen=True, kw_only=True)
class Growth:
    """What a figure does from the second quarter of a life to its last: the first one warms up."""

    before: float
    after: float
    an_hour: float
    """The slope by least squares over the same time."""


def growth(samples: Sequence[Sample], figures: Sequence[float]) -> Growth:
    """Of one figure of each sample."""
    quarter = len(samples) // 4
    ages = [sample.age for sample in samples[quarter:]]
    slope = statistics.linear_regression(ages, figures[quarter:]).slope
    return Growth(
        before=statistics.median(figures[quarter : 2 * quarter]),
        after=statistics.median(figures[-quarter:]),
        an_hour=slope * 3600,
    )

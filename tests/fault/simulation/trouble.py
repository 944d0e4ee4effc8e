"""What goes wrong: answers that are none, outages, keys that are refused, networks, clocks and disks."""

import random
from email.utils import formatdate
from typing import Any, Final

from fault.simulation.loop import SimulatedLoop
from fault.simulation.places import DAY, HOUR, MINUTE, Nature, Places, WallClock
from fault.simulation.storage import Disk
from npsbridge.sandbox.faults import (
    Answer,
    CorruptGzip,
    CutConnection,
    Drip,
    Fault,
    Hang,
    ResetAfterReading,
    ResetBeforeReading,
    Truncated,
    error_object,
    html,
    null,
    status,
)

WISHES: Final = (None, "0", "1", "47", "-5", "soon", "99999999", "1e3")
"""What `Retry-After` may say."""
LENGTHS: Final = (1 * MINUTE, 20 * MINUTE, 2 * HOUR, 9 * HOUR)
LONGEST: Final = 72 * HOUR
REFUSING_JUMPS: Final = (-2 * DAY, -HOUR, 3 * HOUR, 30 * DAY)


def passing(chance: random.Random, now: float) -> Fault:
    """An answer that is none, or none at all."""
    date = formatdate(now + 30, usegmt=True)
    return chance.choice(
        (
            status(chance.choice((500, 502, 503, 504)), retry_after=chance.choice(WISHES)),
            status(429, retry_after=chance.choice((*WISHES, date))),
            Answer(status=503, headers={"Content-Type": "text/html"}, body="<html>busy</html>"),
            html(),
            null(),
            error_object(),
            Truncated(keep=chance.random()),
            CutConnection(keep=chance.random(), abrupt=chance.random() < 0.5),
            ResetBeforeReading(),
            ResetAfterReading(effect=chance.random() < 0.5),
            Hang(seconds=chance.choice((20.0, 100.0)), effect=chance.random() < 0.5),
            Drip(chunk=7, pause=0.5, seconds=chance.choice((10.0, 100.0))),
            CorruptGzip(),
        )
    )


class Trouble:
    """Makes it, and ends it."""

    def __init__(self, loop: SimulatedLoop, disk: Disk, places: Places, kind: Nature, clock: WallClock) -> None:
        self._loop = loop
        self._disk = disk
        self._places = places
        self._kind = kind
        self._clock = clock

    def _somebody(self, chance: random.Random) -> Any:
        return chance.choice(list(self._places.servers.values()))

    def stumble(self, chance: random.Random) -> None:
        """Some answers of somebody are none."""
        for _ in range(chance.randint(1, 3)):
            fault = passing(chance, self._clock.true())
            self._somebody(chance).faults.add(fault, times=chance.randint(1, 3), every=chance.choice((1, 1, 2)))

    def fail(self, chance: random.Random) -> None:
        """Somebody is out of order for a while, as a whole and always in the same way."""
        server = self._somebody(chance)
        server.faults.add(passing(chance, self._clock.true()), times=None, every=chance.choice((1, 1, 2)))
        self._loop.call_later(self._length(chance), server.faults.clear)

    def refuse(self, chance: random.Random) -> None:
        """Somebody refuses the key for a while."""
        server = self._somebody(chance)
        server.faults.add(status(chance.choice((401, 403))), times=None)
        self._loop.call_later(self._length(chance), server.faults.clear)

    def disconnect(self, chance: random.Random) -> None:
        """Somebody cannot be reached for a while: refused, or never answered."""
        network, port = self._loop.network, self._somebody(chance).port
        ports = chance.choice((network.dead_ports, network.silent_ports))
        ports.add(port)
        self._loop.call_later(self._length(chance), ports.discard, port)

    def fill(self, chance: random.Random) -> None:
        """The disk is full for a while."""
        self._disk.fill(is_full=True)
        self._loop.call_later(chance.choice((10.0, 5 * MINUTE)), self._empty)

    def _empty(self) -> None:
        self._disk.fill(is_full=False)

    def jump(self, chance: random.Random) -> None:
        """Somebody sets the daemon's clock, or sets it right."""
        if self._clock.error and chance.random() < 0.5:
            self._clock.jump(-self._clock.error)
        else:
            self._clock.jump(chance.choice(REFUSING_JUMPS))

    def _length(self, chance: random.Random) -> float:
        """Rarely three days."""
        if self._kind.pulse >= HOUR and chance.random() < 0.05:
            return LONGEST
        return chance.choice(LENGTHS[: 4 if self._kind.pulse >= HOUR else 3 if self._kind.pulse > MINUTE else 2])

    def end(self) -> None:
        """All of it is over, but what the clock shows."""
        for server in self._places.servers.values():
            server.faults.clear()
        self._loop.network.dead_ports.clear()
        self._loop.network.silent_ports.clear()
        self._disk.fill(is_full=False)

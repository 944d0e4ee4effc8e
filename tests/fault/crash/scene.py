"""What a daemon is doing when it is killed, and what must be true in the end.

A scene begins from the same store every time, and whatever it sends carries a number of its own.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import ClassVar

from end_to_end.outbound import Outbound
from fault.crash.keeping import Keeping, keeping
from fault.crash.strace_log import SystemCall
from fault.lives import Lives


class Scene(ABC):
    """One kind of work, again and again."""

    changes: ClassVar[Mapping[str, str]] = {}
    """Settings that differ from the usual ones."""
    from_birth: ClassVar[bool] = False
    """Whether the work begins with the daemon; otherwise when it is ready and something is sent."""

    reads_history: ClassVar[bool] = False
    """Whether it is about pages and checkpoints."""

    def __init__(self, line: Outbound, daemon: Lives) -> None:
        self.line = line
        self.daemon = daemon
        self.store: Keeping = keeping(line.folder, line.environment["STORE_URL"])
        self.round = 0

    async def prepare(self) -> None:
        """Make the store that every round begins from; no life is left."""
        await self.daemon.begin()
        await self.daemon.stopped()
        self.store.keep()

    async def begin_round(self) -> None:
        """Everything as it was, and the next number."""
        self.round += 1
        await self.store.put_back()

    async def send(self, address: str) -> None:
        """Send what no 200 has been seen for; nothing, where the work is not about what is sent."""
        del address

    def part(self, made: Iterable[SystemCall]) -> Iterable[SystemCall]:
        """Of the calls of a whole life, those that belong to this kind of work."""
        return made

    @abstractmethod
    def is_done(self) -> bool:
        """Whether all that was sent has led to all it should, as far as it can be seen from outside."""

    @abstractmethod
    async def check(self) -> None:
        """What must be true when all is settled; a daemon runs."""

    async def is_settled(self) -> bool:
        """Whether all is done and nothing is owed; everything that was accepted is somewhere all the time."""
        ledger = await self.line.ledger(self.line.settings())
        assert (ledger.imbalance, ledger.dead) == (0, 0), f"I2: {ledger}"
        return ledger.waiting == 0

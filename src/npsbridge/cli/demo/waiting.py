"""Waiting for the effects of what happens in the demo, with a limit, and measuring how long they took."""

from collections.abc import Callable, Iterable
from typing import Any, Final

import anyio

from npsbridge.cli.demo.stage import Pace, Stage
from npsbridge.cli.demo.titles import OWED
from npsbridge.cli.demo.truth import AnyAccount
from npsbridge.errors import NpsbridgeError
from npsbridge.sandbox.server import LookAlike

_NOTICED: Final = 0.1
_LOOK_EVERY: Final = 0.1

Answered = tuple[AnyAccount, Any]
"""An account, and the id of a response in it."""


class Unheard(NpsbridgeError):
    """Something that happened at a vendor did not reach a sink."""


class Waiting:
    """Waits on a stage, and never longer than its pace allows."""

    def __init__(self, stage: Stage, pace: Pace) -> None:
        self._stage = stage
        self._patience = pace.patience

    async def told(self, what: str, answered: Iterable[Answered], revision: int = 1) -> float:
        """Wait until Segment knows a revision of all of these; returns the seconds it took.

        Raises:
            Unheard: see `until`.
        """
        wanted = [(account.kind, str(response_id)) for account, response_id in answered]
        heard = self._stage.heard

        def are_told() -> bool:
            return all(heard.revision(*number) >= revision for number in wanted)

        return await self.until(what, are_told)

    async def called(self, what: str, name: str, times: int) -> float:
        """Wait until Segment has had so many calls of a name; returns the seconds it took.

        Raises:
            Unheard: see `until`.
        """
        return await self.until(what, lambda: self._stage.heard.catch_up().calls[name] >= times)

    async def until(
        self, what: str, holds: Callable[[], bool], *, at: LookAlike | None = None, patience: float | None = None
    ) -> float:
        """Wait until something that happened has had its effect; returns the seconds it took.

        Args:
            what: what happened, for the message.
            holds: whether the effect is there; it is looked at after every request to a look-alike.
            at: that look-alike; Segment's if nothing is said.
            patience: the seconds it may take; the usual ones if nothing is said.

        Raises:
            Unheard: it is not there after all patience.
        """
        began, patience = anyio.current_time(), patience or self._patience
        try:
            await (at or self._stage.sandbox.segment).until(holds, patience)
        except TimeoutError:
            raise Unheard(f"{what}: not all of it came through in {patience:g} s") from None
        return anyio.current_time() - began

    async def nothing_owed(self, what: str, connection: str) -> None:
        """Wait until the daemon owes a connection nothing.

        Raises:
            Unheard: it still does after all patience.
        """
        with anyio.move_on_after(self._patience):
            while True:
                if not await self.owed(connection):
                    return
                await anyio.sleep(_LOOK_EVERY)
        raise Unheard(f"{what}: {connection} was still owed something after {self._patience:g} s")

    async def nothing_waits(self, what: str) -> None:
        """Wait until everything that the daemon has accepted is decided and told.

        Raises:
            Unheard: it is not after all patience.
        """
        with anyio.move_on_after(self._patience):
            while True:
                if not await self._all_waiting():
                    return
                await anyio.sleep(_LOOK_EVERY)
        raise Unheard(f"{what}: something still waited after {self._patience:g} s")

    async def _all_waiting(self) -> int:
        async with self._stage.daemon.seen() as app:
            return (await app.store.ledger()).waiting if app else 0

    async def waiting(self, connection: str) -> int:
        """How many deliveries to a connection are on disk and still to be made."""
        async with self._stage.daemon.seen() as app:
            depths = await app.store.depths() if app else {}
        return sum(depths.get((connection, state), 0) for state in OWED)

    async def owed(self, connection: str) -> int:
        """How many deliveries the daemon owes a connection; none between two lives of it."""
        async with self._stage.daemon.seen() as app:
            depths = await app.store.depths() if app else {}
        return sum(count for (name, _), count in depths.items() if name == connection)


def later(seconds: float) -> str:
    """How long after it happened."""
    return f"{seconds:.1f} s later" if seconds >= _NOTICED else "at once"

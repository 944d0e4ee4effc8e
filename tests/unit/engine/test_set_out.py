"""Requests for surveys that somebody dropped, or whose person was erased, while a lane had them in hand."""

from collections.abc import Sequence

import msgspec

from npsbridge.core.forward import IDENTIFY, SURVEY
from npsbridge.core.model import Delivery
from npsbridge.core.records import Settlement
from npsbridge.engine.bell import Bell
from npsbridge.engine.dispatch import Lane
from npsbridge.engine.doubt import Doubts
from unit.engine.doubles import MemoryStore, a_delivery, seams_of
from unit.engine.test_doubt import ScriptedForwarder


class StoreWithDrops(MemoryStore):
    """Somebody drops deliveries right after each claim."""

    def __init__(self, *dropped: int) -> None:
        super().__init__()
        self.dropped = dropped

    async def claim(self, connection: str, *, now: int, limit: int, after: int = 0) -> list[Delivery]:
        claimed = await super().claim(connection, now=now, limit=limit, after=after)
        for number in self.dropped:
            self.owed.pop(number, None)
        return claimed

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """What is no longer owed is left alone."""
        await super().settle([one for one in settlements if one.id in self.owed])


async def sent(*dropped: int, kind: str = SURVEY) -> list[list[int]]:
    """The batches that leave when 1, 2 and 3 are owed."""
    store, forwarder = StoreWithDrops(*dropped), ScriptedForwarder()
    store.owed = {number: msgspec.structs.replace(a_delivery(number), kind=kind) for number in (1, 2, 3)}
    seams = seams_of(store)
    doubts = Doubts(forwarder, seams, on_unknown="hold")
    await Lane(forwarder, seams, bell=Bell(), give_up_after=1e9, doubts=doubts).step()
    return forwarder.batches


async def test_i8_a_survey_that_was_dropped_a_moment_ago_is_not_asked_for() -> None:
    assert await sent(2) == [[1, 3]]


async def test_i20_when_all_were_dropped_nobody_is_asked_for_anything() -> None:
    assert await sent(1, 2, 3) == []


async def test_what_may_be_repeated_needs_no_intent() -> None:
    assert await sent(kind=IDENTIFY) == [[1, 2, 3]]

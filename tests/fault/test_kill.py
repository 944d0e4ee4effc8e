"""SIGKILL at chosen points of a backfill: after a restart everything has arrived, and nothing that nobody said."""

import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from end_to_end.harness import World, until, world
from end_to_end.process import daemon_process
from npsbridge.core.keys import message_id
from npsbridge.core.model import Kind
from npsbridge.sandbox import Hang, PastAnswer
from npsbridge.sandbox.server import LookAlike
from stores import bury

HISTORY = [
    PastAnswer(email=f"p{n % 70}@example.org", score=n % 11, comment="why" if n % 3 else None, created_at=FIRST + n)
    for FIRST in (1_772_323_200,)
    for n in range(350)
]


def expected_ids(both: World) -> set[str]:
    """The messageIds of everything that has to be said of the history, whatever happens in between.

    Whether an answer is its person's newest is decided when it is routed, in the order of history: every one was.
    """
    ids = set()
    for row in both.delighted.responses.values():
        kinds = [Kind.IDENTIFY, Kind.SUBMIT, Kind.ANSWERED, *([Kind.COMPLETED] if row.comment else [])]
        ids |= {message_id(both.segment.write_keys[0], "delighted", "delighted", row.id, kind, 1) for kind in kinds}
    return ids


def has_been_asked(server: LookAlike, count: int) -> Callable[[], bool]:
    """Whether so many requests have come."""
    return lambda: len(server.requests) == count


async def killed(both: World, at: Sequence[int], *, end: str, effect: bool) -> None:
    """One life after the other, each killed while its n-th request to one end hangs; the last one lives."""
    server: LookAlike = both.segment if end == "segment" else both.delighted
    for number in at:
        reached = has_been_asked(server, len(server.requests) + number)
        server.faults.add(Hang(seconds=60, effect=effect), every=number)
        async with daemon_process(both.folder, both.environment) as daemon:
            await until(reached)
            daemon.send(signal.SIGKILL)
            assert await daemon.ended() == -signal.SIGKILL
        server.faults.clear()
        bury(both.environment["STORE_URL"])
    async with daemon_process(both.folder, both.environment | {"SEGMENT__RATE_LIMIT": "0"}) as daemon:
        await until(lambda: both.segment.message_ids >= expected_ids(both))
        await daemon.ready()
        daemon.send(signal.SIGTERM)
        assert await daemon.ended() == 0


@pytest.mark.parametrize("effect", [True, False], ids=["taken by Segment", "not taken"])
async def test_i1_i12_a_kill_while_segment_is_told_loses_nothing_and_adds_nothing(
    tmp_path: Path, *, effect: bool
) -> None:
    async with world(tmp_path, SEGMENT__RATE_LIMIT="400") as both:
        both.delighted.load(HISTORY)
        await killed(both, [1, 2, 4], end="segment", effect=effect)
        assert both.segment.message_ids == expected_ids(both)
        assert len(both.segment.events) == len(expected_ids(both))
        assert (await both.ledger(both.settings())).imbalance == 0


async def test_i11_a_kill_while_history_is_read_never_leaves_a_page_out(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.load(HISTORY)
        await killed(both, [1, 2, 4], end="delighted", effect=True)
        assert both.segment.message_ids == expected_ids(both)
        assert (await both.ledger(both.settings())).imbalance == 0

"""The product, broken on purpose, one promise at a time: what the checkers must notice.

Each sabotage replaces one small part of the real daemon for the length of a block.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import count
from typing import Any, Final

import pytest

from npsbridge.core import route_calls, settle
from npsbridge.core.model import State
from npsbridge.core.outcome import Unknown
from npsbridge.core.pace import RateWindow
from npsbridge.core.records import Forgotten
from npsbridge.core.route import _Desk
from npsbridge.engine.dispatch import Lane
from npsbridge.engine.doubt import Doubts
from npsbridge.engine.intake import Intake
from npsbridge.platforms.segment import SegmentDestination
from npsbridge.sandbox import SegmentServer
from npsbridge.store.sqlite.store import SqliteStore

Sabotage = Callable[[pytest.MonkeyPatch], None]


def repeats_what_is_in_doubt(patch: pytest.MonkeyPatch) -> None:
    """I8: a survey whose fate is unknown is simply asked for again."""
    patch.setattr(Doubts, "concerns", lambda *_: False)
    patch.setitem(settle._STATES, Unknown, State.QUEUED)


def surveys_for_old_triggers(patch: pytest.MonkeyPatch) -> None:
    """I9: what happened a year ago asks for a survey today."""
    patch.setattr(route_calls, "too_old", lambda *_, **__: None)


def forgets_which_calls_came(patch: pytest.MonkeyPatch) -> None:
    """I4: a call that comes again is a new one."""
    numbers = count()

    async def nothing(*_: Any) -> set[str]:
        return set()

    patch.setattr(SqliteStore, "seen", nothing)
    for name in ("delighted.destination", "retently.destination", "satismeter.destination", "promoter.destination"):
        module = import_module(f"npsbridge.platforms.{name}")
        patch.setattr(module, "forward_id", lambda call, kind: f"{call.message_id}:{kind}:{next(numbers)}")


def draws_anew(patch: pytest.MonkeyPatch) -> None:
    """I10: everybody belongs to the sample."""
    patch.setattr(import_module("npsbridge.platforms.delighted.destination"), "is_sampled", lambda *_: True)


def keeps_no_limit(patch: pytest.MonkeyPatch) -> None:
    """I7: requests go out as fast as they can."""
    patch.setattr(RateWindow, "reserve", lambda *_, **__: 0.0)


def believes_any_answer(patch: pytest.MonkeyPatch) -> None:
    """I13: what a gateway says in Segment's place counts as taken."""
    patch.setattr(import_module("npsbridge.platforms.segment"), "disbelief", lambda _: None)


def takes_the_last_for_the_newest(patch: pytest.MonkeyPatch) -> None:
    """I14: whatever answer comes last makes the traits."""
    patch.setattr(_Desk, "_note_newest", lambda *_: None)
    emit = _Desk._emit

    def emitting(desk: Any, response: Any, **more: Any) -> None:
        desk._newest = {}
        emit(desk, response, **more)

    patch.setattr(_Desk, "_emit", emitting)


def moves_on_without_keeping(patch: pytest.MonkeyPatch) -> None:
    """I11, I13: a checkpoint passes what was not journaled."""
    page = Intake.page

    async def losing(intake: Any, connection: str, read: Any) -> int:
        kept = read.records[1:] if len(read.records) > 2 else read.records
        return await page(intake, connection, type(read)(**{**_fields(read), "records": kept}))

    patch.setattr(Intake, "page", losing)


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__struct_fields__}


def names_by_chance(patch: pytest.MonkeyPatch) -> None:
    """I12: one revision goes out under another messageId each time that it is sent."""
    numbers = count()
    send = SegmentDestination._post

    async def posting(sink: Any, part: Any) -> Any:
        fresh = [
            type(one)(**{**_fields(one), "body": one.body.replace(b'"nps-', b'"nps-%d-' % next(numbers))})
            for one in part
        ]
        return await send(sink, fresh)

    patch.setattr(SegmentDestination, "_post", posting)


def says_done_before_it_is(patch: pytest.MonkeyPatch) -> None:
    """I1: what was put off counts as delivered."""
    record = Lane._record

    async def recording(lane: Any, settled: Any) -> None:
        done = [
            type(one)(id=one.id, state=State.DELIVERED) if one.state in {State.QUEUED, State.WAITING} else one
            for one in settled
        ]
        await record(lane, done)

    patch.setattr(Lane, "_record", recording)


def loses_a_row(patch: pytest.MonkeyPatch) -> None:
    """I2: a delivery vanishes, and no line of the ledger says so."""
    routing = SqliteStore.commit_routing

    async def committing(store: Any, routings: Any) -> None:
        await routing(store, routings)

        def lose(database: Any) -> None:
            database.execute("DELETE FROM outbox WHERE id = (SELECT max(id) FROM outbox WHERE state = 'queued')")

        await store._writer.run(lose)

    patch.setattr(SqliteStore, "commit_routing", committing)


def overtakes(patch: pytest.MonkeyPatch) -> None:
    """I5: what was accepted last goes out first."""
    claim = SqliteStore.claim

    async def claiming(store: Any, connection: str, **asked: Any) -> Any:
        return (await claim(store, connection, **asked))[::-1]

    patch.setattr(SqliteStore, "claim", claiming)


def sends_calls_that_are_too_large(patch: pytest.MonkeyPatch) -> None:
    """I15: whatever makes a call too long is not cut, and a Segment that takes it anyway says nothing."""
    _pad_calls(patch, 33_000)
    patch.setattr(import_module("fault.simulation.places"), "SegmentServer", _taking_any_size)


def packs_without_a_limit(patch: pytest.MonkeyPatch) -> None:
    """I15: calls that are large, but not too large, go out in one batch however many they are."""
    _pad_calls(patch, 30_000)
    patch.setattr(import_module("npsbridge.platforms.segment"), "packed", lambda batch: [batch])


def _pad_calls(patch: pytest.MonkeyPatch, size: int) -> None:
    deliver = SegmentDestination.deliver

    async def padded(sink: Any, batch: Any) -> Any:
        longer = [type(one)(**{**_fields(one), "body": _longer(one.body, size)}) for one in batch]
        return await deliver(sink, longer)

    patch.setattr(SegmentDestination, "deliver", padded)


def _taking_any_size(**given: Any) -> SegmentServer:
    server = SegmentServer(**given)
    server.change_switches({"event_limit": 1 << 20, "body_limit": 64 << 20})
    return server


def _longer(body: bytes, size: int) -> bytes:
    return b'%b,"padding":"%b"}' % (body[:-1], b"x" * size)


def forgets_nobody(patch: pytest.MonkeyPatch) -> None:
    """I20: who was to be forgotten is still known."""

    async def nothing(*_: Any) -> Forgotten:
        return Forgotten()

    patch.setattr(SqliteStore, "forget", nothing)


SABOTAGES: Final[dict[str, Sabotage]] = {
    "I1": says_done_before_it_is,
    "I2": loses_a_row,
    "I5": overtakes,
    "I20": forgets_nobody,
    "I4": forgets_which_calls_came,
    "I7": keeps_no_limit,
    "I8": repeats_what_is_in_doubt,
    "I9": surveys_for_old_triggers,
    "I10": draws_anew,
    "I12": names_by_chance,
    "I13 lost": moves_on_without_keeping,
    "I13 believed": believes_any_answer,
    "I14": takes_the_last_for_the_newest,
    "I15 call": sends_calls_that_are_too_large,
    "I15 batch": packs_without_a_limit,
}


@contextmanager
def sabotaged(name: str) -> Iterator[None]:
    """The product is broken in this way for a block."""
    with pytest.MonkeyPatch.context() as patch:
        SABOTAGES[name](patch)
        yield

"""What a person decides about deliveries that nobody else can settle: tried again, dropped, taken for done.

What follows for each delivery is decided first, as plain values; the store then does it where nothing has changed.
Whoever asks the person (the command line, the dashboard) says what was done in words of its own.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from npsbridge.core.calls import Call
from npsbridge.core.envelope import INGEST, Envelope
from npsbridge.core.model import Delivery, Record, Response, State
from npsbridge.core.records import Arrival, Origin
from npsbridge.core.storage import Store
from npsbridge.engine.doubt import DROPPED
from npsbridge.errors import UsageError

RETRIED: Final = (State.DEAD, State.HELD)
DROPPABLE: Final = (State.QUEUED, State.WAITING, State.HELD, State.DEAD)
BY_HAND: Final = "dropped by hand"
CONFIRMED: Final = "held, and then found to have been done"

_AT_ONCE: Final = 200
"""Deliveries that are looked at together, with their bodies."""

ON_ITS_WAY: Final = "is on its way, and its outcome decides"
IN_DOUBT: Final = "may have been done already; name it by its id, or say --state held, to have it done again"
IN_DOUBT_AND_DEAD: Final = "may have been done already; name it by its id to have it done again"
OWN_RECORD: Final = "is what one sink could not be told; `npsbridge replay --to` tells it again"
OWN_CALL: Final = "is known by its messageId; send the call again under another one"
NO_JSON: Final = "is no JSON, so that there is no call in it"


# --- deciding ---------------------------------------------------------------------------------------------------


class Choice(Record, frozen=True, kw_only=True):
    """Which deliveries are meant: some by their ids, or all in some states, perhaps of one connection."""

    ids: tuple[int, ...] = ()
    states: tuple[State, ...]
    connection: str | None = None
    is_explicit: bool = False
    """The states were named by the operator."""

    @classmethod
    def read(
        cls, ids: Sequence[int], state: str | None, connection: str | None, *, among: tuple[State, ...]
    ) -> "Choice":
        """From what the operator wrote. Raises UsageError."""
        if ids and (state is not None or connection is not None):
            raise UsageError("name ids, or say --state and --connection, but not both")
        if state is not None and state not in among:
            raise UsageError(f"--state {state}: there are {', '.join(among)}")
        states = among if state is None else (State(state),)
        numbers = tuple(sorted(set(ids)))
        return cls(ids=numbers, states=states, connection=connection, is_explicit=state is not None)


class Verdicts(Record, frozen=True, kw_only=True):
    """What is to become of some deliveries."""

    change: tuple[int, ...] = ()
    """To be owed again, or dropped."""
    unshelve: Mapping[int, Arrival | None] = msgspec.field(default_factory=dict)
    """To be taken off the shelf, and journaled again if there is an arrival."""
    left: Mapping[int, str] = msgspec.field(default_factory=dict)
    """To be left alone, and why."""


def judge_retries(deliveries: Iterable[Delivery], choice: Choice, *, now: int) -> Verdicts:
    """What is tried again of these. `now` is in milliseconds since 1970."""
    judged = {one.id: _retry(one, choice, now) for one in deliveries}
    return Verdicts(
        change=tuple(number for number, fate in judged.items() if fate is True),
        unshelve={number: fate for number, fate in judged.items() if fate is None or isinstance(fate, Arrival)},
        left={number: fate for number, fate in judged.items() if isinstance(fate, str)},
    )


def _retry(one: Delivery, choice: Choice, now: int) -> Arrival | str | bool | None:
    """True: owed again. An arrival: journaled again. None: forgotten. A text: why it is left alone."""
    if one.state not in RETRIED:
        return ON_ITS_WAY if one.state is State.INFLIGHT else f"is {one.state}, neither dead nor held"
    if not one.person:
        return _from_shelf(one, now)
    if not choice.ids and one.state is State.HELD and not choice.is_explicit:
        return IN_DOUBT
    is_dead_in_doubt = one.state is State.DEAD and (one.reason or "").endswith(DROPPED)
    return IN_DOUBT_AND_DEAD if is_dead_in_doubt and not choice.ids else True


def _from_shelf(item: Delivery, now: int) -> Arrival | str | None:
    match item.kind:
        case "record" if not _is_own(item.body, Response):
            # As from a webhook: an old record that knows less than what is known by now must not undo it.
            body = b"[" + item.body + b"]"
            return Arrival(connection=item.connection, origin=Origin.WEBHOOK, body=body, count=1, received_at=now)
        case "record":
            return OWN_RECORD
        case "call":
            return _call_from_shelf(item, now)
        case _:
            return None


def _call_from_shelf(item: Delivery, now: int) -> Arrival | str:
    if _is_own(item.body, Call):
        return OWN_CALL
    try:
        call = msgspec.json.decode(item.body, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return NO_JSON
    return Arrival(connection=INGEST, origin=Origin.SDK, body=Envelope(batch=[call]).encode(), count=1, received_at=now)


def _is_own(body: bytes, kind: type[Response | Call]) -> bool:
    """Whether a shelved body is not what came, but what we had already made of it."""
    try:
        msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def judge_drops(deliveries: Iterable[Delivery]) -> Verdicts:
    """What is dropped of these."""
    found = list(deliveries)
    return Verdicts(
        change=tuple(one.id for one in found if one.state in DROPPABLE),
        left={
            one.id: ON_ITS_WAY if one.state is State.INFLIGHT else f"is {one.state} already"
            for one in found
            if one.state not in DROPPABLE
        },
    )


def judge_confirmations(deliveries: Iterable[Delivery]) -> Verdicts:
    """What of these is taken for done, because somebody has found out that it was."""
    found = list(deliveries)
    return Verdicts(
        change=tuple(one.id for one in found if one.state is State.HELD),
        left={one.id: f"is {one.state}, not held" for one in found if one.state is not State.HELD},
    )


# --- acting -----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Tally:
    """What was done, in numbers."""

    done: dict[str, int]
    left: dict[str, list[int]] = field(default_factory=dict)
    """By reason: the ids of what was left alone."""
    unknown: list[int] = field(default_factory=list)
    outrun: int = 0
    """How many a daemon, or somebody else, had changed in the meantime."""

    def leave(self, left: Mapping[int, str]) -> None:
        """Note what was left alone."""
        for number, because in left.items():
            self.left.setdefault(because, []).append(number)

    def note(self, word: str, done: int, wanted: Collection[int]) -> None:
        """Note what was done of what was wanted."""
        self.done[word] += done
        self.outrun += len(wanted) - done


async def retry(store: Store, choice: Choice, *, now: int) -> Tally:
    """Have dead and held deliveries tried again. `now` is in milliseconds since 1970."""
    tally = Tally({"queued": 0, "journaled": 0, "forgotten": 0})
    async for some in chosen(store, choice, tally):
        verdicts = judge_retries(some, choice, now=now)
        tally.leave(verdicts.left)
        tally.note("queued", await store.requeue(verdicts.change), verdicts.change)
        again = {number: arrival for number, arrival in verdicts.unshelve.items() if arrival is not None}
        pages: dict[int, Arrival | None] = {one: None for one in verdicts.unshelve if one not in again}
        tally.note("journaled", await store.unshelve(again), again)
        tally.note("forgotten", await store.unshelve(pages), pages)
    return tally


async def drop(store: Store, choice: Choice) -> Tally:
    """Have deliveries never sent."""
    tally = Tally({"dropped": 0})
    async for some in chosen(store, choice, tally):
        verdicts = judge_drops(some)
        tally.leave(verdicts.left)
        tally.note("dropped", await store.drop(verdicts.change, because=BY_HAND), verdicts.change)
    return tally


async def confirm(store: Store, choice: Choice) -> Tally:
    """Take held deliveries for done."""
    tally = Tally({"confirmed": 0})
    async for some in chosen(store, choice, tally):
        verdicts = judge_confirmations(some)
        tally.leave(verdicts.left)
        tally.note("confirmed", await store.confirm(verdicts.change, because=CONFIRMED), verdicts.change)
    return tally


async def chosen(store: Store, choice: Choice, tally: Tally) -> AsyncIterator[list[Delivery]]:
    """What is meant, oldest first and a piece at a time; ids that mean nothing are noted."""
    for start in range(0, len(choice.ids), _AT_ONCE):
        numbers = choice.ids[start : start + _AT_ONCE]
        found = [one for number in numbers if (one := await store.delivery(number)) is not None]
        tally.unknown += sorted({*numbers} - {one.id for one in found})
        yield found
    after = 0
    while not choice.ids:
        some = await store.chosen(choice.states, connection=choice.connection, after=after, limit=_AT_ONCE)
        if not some:
            return
        yield some
        after = some[-1].id

"""`npsbridge outbox retry` and `outbox drop`: what a person decides about deliveries that nobody else can settle.

What follows for each delivery is decided first, as plain values; the store then does it where nothing has changed.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from npsbridge.cli.asking import agree
from npsbridge.cli.opening import is_daemon_running, settings_from, store_beside
from npsbridge.cli.show import console, print_json
from npsbridge.clock import Clock
from npsbridge.core.calls import Call
from npsbridge.core.envelope import INGEST, Envelope
from npsbridge.core.model import Delivery, Record, Response, State
from npsbridge.core.records import Arrival, Origin
from npsbridge.core.storage import Store
from npsbridge.engine.doubt import DROPPED
from npsbridge.errors import UsageError
from npsbridge.settings import Settings

RETRIED: Final = (State.DEAD, State.HELD)
DROPPABLE: Final = (State.QUEUED, State.WAITING, State.HELD, State.DEAD)
BY_HAND: Final = "dropped by hand"

_AT_ONCE: Final = 200
"""Deliveries that are looked at together, with their bodies."""
_SHOWN: Final = 10
"""Ids that are named for each reason."""

ON_ITS_WAY: Final = "is on its way, and its outcome decides"
IN_DOUBT: Final = "may have been done already; name it by its id, or say --state held, to have it done again"
IN_DOUBT_AND_DEAD: Final = "may have been done already; name it by its id to have it done again"
OWN_RECORD: Final = "is what one sink could not be told; `npsbridge replay --to` tells it again"
OWN_CALL: Final = "is known by its messageId; send the call again under another one"
NO_JSON: Final = "is no JSON, so that there is no call in it"


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


# --- deciding ---------------------------------------------------------------------------------------------------


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


def retry_deliveries(
    env_file: Path | None, ids: Sequence[int], *, state: str | None, connection: str | None, as_json: bool
) -> None:
    """Have dead and held deliveries tried again.

    Raises:
        UsageError: there is no delivery with one of the ids; the others are tried again all the same.
    """
    choice = Choice.read(ids, state, connection, among=RETRIED)
    settings = settings_from(env_file)
    tally = asyncio.run(_retry_all(settings, choice))
    _report(tally, settings, as_json=as_json)


async def _retry_all(settings: Settings, choice: Choice) -> Tally:
    tally, clock = Tally({"queued": 0, "journaled": 0, "forgotten": 0}), Clock()
    async with store_beside(settings) as store:
        async for some in _chosen(store, choice, tally):
            verdicts = judge_retries(some, choice, now=clock.now_ms())
            tally.leave(verdicts.left)
            tally.note("queued", await store.requeue(verdicts.change), verdicts.change)
            again = {number: arrival for number, arrival in verdicts.unshelve.items() if arrival is not None}
            pages: dict[int, Arrival | None] = {one: None for one in verdicts.unshelve if one not in again}
            tally.note("journaled", await store.unshelve(again), again)
            tally.note("forgotten", await store.unshelve(pages), pages)
    return tally


def drop_deliveries(
    env_file: Path | None,
    ids: Sequence[int],
    *,
    state: str | None,
    connection: str | None,
    is_agreed: bool,
    as_json: bool,
) -> None:
    """Have deliveries never sent.

    Raises:
        UsageError: nothing was named, or there is no delivery with one of the ids; the others are dropped.
    """
    if not ids and state is None and connection is None:
        raise UsageError("say what is to be dropped: ids, --state or --connection")
    choice = Choice.read(ids, state, connection, among=DROPPABLE)
    settings = settings_from(env_file)
    tally = asyncio.run(_drop_all(settings, choice, is_agreed=is_agreed))
    _report(tally, settings, as_json=as_json)


async def _drop_all(settings: Settings, choice: Choice, *, is_agreed: bool) -> Tally:
    tally = Tally({"dropped": 0})
    async with store_beside(settings) as store:
        agree(f"Deliveries to drop for good: {await _number_of(store, choice)}. Go on?", is_agreed=is_agreed)
        async for some in _chosen(store, choice, tally):
            verdicts = judge_drops(some)
            tally.leave(verdicts.left)
            tally.note("dropped", await store.drop(verdicts.change, because=BY_HAND), verdicts.change)
    return tally


async def _number_of(store: Store, choice: Choice) -> int:
    if choice.ids:
        return len(choice.ids)
    return sum(
        count
        for (connection, state), count in (await store.depths()).items()
        if state in choice.states and choice.connection in {None, connection}
    )


async def _chosen(store: Store, choice: Choice, tally: Tally) -> AsyncIterator[list[Delivery]]:
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


# --- telling ----------------------------------------------------------------------------------------------------

_DONE: Final = {
    "queued": "sent again",
    "journaled": "routed again",
    "forgotten": "forgotten, since the page is read again anyway",
    "dropped": "dropped",
}


def _report(tally: Tally, settings: Settings, *, as_json: bool) -> None:
    if as_json:
        print_json(_document(tally))
    else:
        _print(tally, settings)
    if tally.unknown:
        raise UsageError(f"there is no delivery {', '.join(map(str, tally.unknown))}")


def _document(tally: Tally) -> dict[str, Any]:
    left = [
        {"because": because, "count": len(numbers), "ids": numbers[:_SHOWN]} for because, numbers in tally.left.items()
    ]
    return {**tally.done, "left": left, "outrun": tally.outrun, "unknown": tally.unknown}


def _print(tally: Tally, settings: Settings) -> None:
    out = console()
    for word, number in tally.done.items():
        if number:
            out.print(f"{number:>7,} {_DONE[word]}")
    for because, numbers in tally.left.items():
        more = "" if len(numbers) <= _SHOWN else ", ..."
        out.print(f"{len(numbers):>7,} left alone ({', '.join(map(str, numbers[:_SHOWN]))}{more}): {because}")
    if tally.outrun:
        out.print(f"{tally.outrun:>7,} left alone: changed in the meantime")
    if not (any(tally.done.values()) or tally.left or tally.outrun or tally.unknown):
        out.print("There is no such delivery.")
    if any(tally.done.get(word) for word in ("queued", "journaled")) and not is_daemon_running(settings):
        out.print("No daemon is running; the next one does it.")

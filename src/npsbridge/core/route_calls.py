"""From Segment calls to what is owed to the survey platforms, as plain values: the outbound half of the decision.

Works like `npsbridge.core.route`: on its own copy of what the store recalled, so that later calls of a run see what
earlier ones decided. What a platform wants of a call is its forwarder's business.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from operator import itemgetter
from typing import NamedTuple

import msgspec

from npsbridge.core import reading
from npsbridge.core.callreading import read_calls
from npsbridge.core.calls import BadCall, Call, CallType
from npsbridge.core.envelope import INGEST
from npsbridge.core.familiar import GLANCED_AT, Familiar, Glance, Met, Pair, ids_differ
from npsbridge.core.forward import IDENTIFY, SURVEY, forward_id, switched_off, too_old
from npsbridge.core.keys import normalised_email
from npsbridge.core.model import PlannedDelivery, Record
from npsbridge.core.people import ERASED, IdKind, KnownPeople, Person, PersonId
from npsbridge.core.ports import Awaited, Forwarder
from npsbridge.core.recognise import People, ids_of
from npsbridge.core.records import AwaitedCall, JournalEntry, Routing, Shelved
from npsbridge.errors import BadRecord


class ReadEntry(Record, frozen=True, kw_only=True):
    """A journal entry of calls, read."""

    journal_id: int
    received_at: int
    """Milliseconds since 1970."""
    calls: list[Call | BadCall]
    filtered: int = 0
    """Further calls of which a glance showed that nobody wants them."""
    duplicates: int = 0
    """Further calls of which a glance showed that they came before."""

    @property
    def records(self) -> int:
        """All its calls."""
        return len(self.calls) + self.filtered + self.duplicates


class CallRecall(Record, frozen=True, kw_only=True):
    """What the store knows that decisions about a run of calls need."""

    seen: frozenset[str] = frozenset()
    """Those of the run's messageIds that came before."""
    people: KnownPeople = KnownPeople()
    awaited: tuple[AwaitedCall, ...] = ()
    """What waits for one of these people to be identified, oldest first."""
    said: dict[tuple[str, str], bytes] = msgspec.field(default_factory=dict)
    """By connection and person: a fingerprint of what that vendor was last told of that person."""


class Decision(NamedTuple):
    """What follows from a run of calls."""

    routings: list[Routing]
    met: list[Met]
    """What those of its calls that were read showed of people, in order."""


# --- what has to be recalled, and done first ----------------------------------------------------------------------


def read_entry(entry: JournalEntry, familiar: Familiar) -> ReadEntry:
    """Read the calls of an entry, but for those that a glance is enough for.

    One that is not ours to read becomes a bad call as a whole.
    """
    seen = familiar.glance(entry.body)
    filtered, duplicates = seen.count(Glance.FILTERED), seen.count(Glance.DUPLICATE)
    if filtered + duplicates == len(seen):
        calls = [] if seen else _read(entry)
    else:
        calls = _read(entry, [glance is None for glance in seen] if filtered + duplicates else None)
    return ReadEntry(
        journal_id=entry.id, received_at=entry.received_at, calls=calls, filtered=filtered, duplicates=duplicates
    )


def _read(entry: JournalEntry, which: Sequence[bool] | None = None) -> list[Call | BadCall]:
    try:
        return read_calls(entry.body, received_at=entry.received_at, which=which)
    except BadRecord as error:
        return [BadCall(pointer=error.pointer, reason=error.reason, raw=entry.body)] * entry.count


def calls_of(entries: Iterable[ReadEntry]) -> list[Call]:
    """All that could be read."""
    return [call for entry in entries for call in entry.calls if isinstance(call, Call)]


def people_of(calls: Iterable[Call]) -> set[PersonId]:
    """The ids that have to be recalled."""
    return {person_id for call in calls for person_id in (*ids_of(call), *_mailboxes(call))}


def _mailboxes(call: Call) -> list[PersonId]:
    """Where a survey may go that a call asks for; a userId may be an email."""
    named = normalised_email(call.user_id) if call.user_id and "@" in call.user_id else None
    found = {address for address in (call.email, named) if address}
    return [PersonId(IdKind.EMAIL, address) for address in sorted(found)]


def deletions(calls: Iterable[Call]) -> list[PersonId]:
    """Who is to be forgotten. That comes before the run is decided, so that nothing of them is kept by it."""
    return [
        PersonId(IdKind.USER, call.user_id)
        for call in calls
        if call.type is CallType.DELETE and call.user_id is not None
    ]


# --- deciding ---------------------------------------------------------------------------------------------------


def route_calls(
    entries: Sequence[ReadEntry], recall: CallRecall, *, forwarders: Sequence[Forwarder], max_age: float, now: int
) -> Decision:
    """What each entry of a run leads to, in order.

    Args:
        entries: the run.
        recall: what is known of it.
        forwarders: the survey platforms that are told of people.
        max_age: INGEST__MAX_TRIGGER_AGE, seconds.
        now: milliseconds since 1970.
    """
    desk = _CallDesk(recall, forwarders, max_age, now)
    return Decision([desk.entry(entry) for entry in entries], desk.met)


def expire(awaited: Sequence[AwaitedCall]) -> Routing:
    """What becomes of calls whose person was not identified in time: listed, and never acted on."""
    return Routing(
        journal_id=None,
        deliveries=tuple(_expired(one) for one in awaited),
        no_longer_awaited=tuple(awaited),
        fanned_out=len(awaited),
    )


class _CallDesk:
    """Working memory of one run; `entry` hands over what has piled up and starts afresh."""

    def __init__(self, recall: CallRecall, forwarders: Sequence[Forwarder], max_age: float, now: int) -> None:
        self._seen = set(recall.seen)
        self._people = People(recall.people)
        self._erased = frozenset(one for one, why in recall.people.suppressed.items() if why == ERASED)
        self._waiting = _Waiting(recall.awaited)
        self._said = dict(recall.said)
        self._forwarders = {forwarder.connection: forwarder for forwarder in forwarders}
        self._max_age = max_age
        self._now = now
        self._pile = _Pile()
        self.met: list[Met] = []

    def entry(self, entry: ReadEntry) -> Routing:
        self._pile.filtered, self._pile.duplicates = entry.filtered, entry.duplicates
        for call in entry.calls:
            if isinstance(call, BadCall):
                self._shelve(call.raw, f"{call.pointer or '/'}: {call.reason}")
            else:
                self._call(call, entry.received_at)
        return self._routing(entry.journal_id, records=entry.records)

    def _call(self, call: Call, received_at: int) -> None:
        if call.message_id in self._seen:
            self._pile.duplicates += 1
            return
        self._seen.add(call.message_id)
        self._pile.seen.append(call.message_id)
        if call.type is CallType.DELETE:
            self._pile.erased += 1
        elif call.is_ours:
            self._pile.filtered += 1
        else:
            self._learn(call, received_at)

    def _learn(self, call: Call, received_at: int) -> None:
        recognition = self._people.absorb(call)
        person = recognition.person
        if recognition.is_erased or self._why_suppressed(call) == ERASED:
            self._pile.erased += 1
        elif person is None:
            self._pile.filtered += 1
        else:
            self.met.append(_met(call, person, recognition.before))
            self._count(self._forward(call, person, received_at))
            if person != recognition.before:
                self._release(person)

    def _why_suppressed(self, call: Call) -> str | None:
        """Why nobody may write to a mailbox that a call names, although the call may be about another person."""
        if not self._people.knows_of_suppressed:
            return None
        reasons = (self._people.why_suppressed(mailbox.value) for mailbox in _mailboxes(call))
        return next(filter(None, reasons), None)

    # --- what is owed -----------------------------------------------------------------------------------------------

    def _forward(self, call: Call, person: Person, received_at: int) -> int:
        """Owe each platform what it wants of a call; returns how many parts that makes."""
        late = too_old(call, received_at=datetime.fromtimestamp(received_at / 1000, UTC), most=self._max_age)
        parts = 0
        for forwarder in self._forwarders.values():
            if switched_off(call.integrations, forwarder.label):
                continue
            plan = self._plan(forwarder, call, person)
            if isinstance(plan, Awaited):
                parts += self._await(forwarder, call, person, plan.reason, late)
            else:
                parts += self._owe([_late(one, late) if late and one.kind == SURVEY else one for one in plan])
        return parts

    def _plan(self, forwarder: Forwarder, call: Call, person: Person) -> list[PlannedDelivery] | Awaited:
        try:
            plan = forwarder.plan_call(call, person)
        except Exception as error:  # noqa: BLE001 - a planner's own mistake must not stop the calls behind it
            self._shelve(msgspec.json.encode(call), f"{forwarder.connection} cannot plan it: {type(error).__name__}")
            self._pile.partly_shelved += 1
            return []
        because = self._why_suppressed(call)
        return [_unsolicited(one, because) for one in plan] if because and isinstance(plan, list) else plan

    def _await(self, forwarder: Forwarder, call: Call, person: Person, reason: str, late: str | None) -> int:
        expires_at = int(call.timestamp.timestamp() * 1000 + self._max_age * 1000)
        waiting = AwaitedCall(
            connection=forwarder.connection, person=person.key, call=call, reason=late or reason, expires_at=expires_at
        )
        if late:
            self._pile.deliveries.append(_expired(waiting))
        else:
            self._waiting.add(waiting)
            self._pile.awaited[waiting.key] = waiting
        return 1

    def _owe(self, planned: Iterable[PlannedDelivery]) -> int:
        owed = [one for one in planned if not self._was_said(one)]
        self._pile.deliveries += owed
        return len(owed)

    def _was_said(self, planned: PlannedDelivery) -> bool:
        """Whether a vendor was last told exactly this of this person; if not, it is now."""
        if planned.kind != IDENTIFY:
            return False
        key, fingerprint = (planned.connection, planned.person), _fingerprint(planned)
        if self._said.get(key) == fingerprint:
            return True
        self._said[key] = self._pile.said[key] = fingerprint
        return False

    def _release(self, person: Person) -> None:
        """What waited for more to be known of this person is tried again, in its order, behind what made it known."""
        for number, waiting in self._waiting.of(self._people.keys_of(person.key)):
            forwarder = self._forwarders.get(waiting.connection)
            if forwarder is None or waiting.expires_at <= self._now:
                continue
            plan = self._plan(forwarder, waiting.call, person)
            if isinstance(plan, Awaited):
                continue
            self._waiting.end(number, waiting)
            if not self._owe(plan):
                self._pile.deliveries.append(_nothing_to_do(waiting))
            if self._pile.awaited.pop(waiting.key, None) is None:
                self._pile.no_longer_awaited.append(waiting)
                self._pile.fanned_out += 1

    # --- bookkeeping ------------------------------------------------------------------------------------------------

    def _count(self, parts: int) -> None:
        self._pile.fanned_out += 1 if parts else 0
        self._pile.filtered += 0 if parts else 1

    def _shelve(self, body: bytes, reason: str) -> None:
        self._pile.shelved.append(
            Shelved(connection=INGEST, kind="call", key=reading.digest(body), reason=reason, body=body)
        )

    def _routing(self, journal_id: int, *, records: int) -> Routing:
        pile, self._pile = self._pile, _Pile()
        return Routing(
            journal_id=journal_id,
            records=records,
            deliveries=tuple(pile.deliveries),
            shelved=tuple(pile.shelved),
            filtered=pile.filtered,
            duplicates=pile.duplicates,
            erased=pile.erased,
            erased_ids=self._erased if pile.erased or pile.duplicates else frozenset(),
            fanned_out=pile.fanned_out,
            partly_shelved=pile.partly_shelved,
            people=self._people.take(),
            seen=tuple(pile.seen),
            said=pile.said,
            awaited=tuple(pile.awaited.values()),
            no_longer_awaited=tuple(pile.no_longer_awaited),
        )


class _Waiting:
    """Calls that wait, by person: whoever is identified costs as much, however many others wait."""

    def __init__(self, awaited: Iterable[AwaitedCall]) -> None:
        """The oldest come first."""
        self._by_person: dict[str, dict[int, AwaitedCall]] = {}
        self._numbers = count()
        for one in awaited:
            self.add(one)

    def add(self, waiting: AwaitedCall) -> None:
        self._by_person.setdefault(waiting.person, {})[next(self._numbers)] = waiting

    def of(self, keys: Iterable[str]) -> list[tuple[int, AwaitedCall]]:
        """Those of a person, who has these keys, with their numbers; the oldest first."""
        found = (one for key in keys for one in self._by_person.get(key, {}).items())
        return sorted(found, key=itemgetter(0))

    def end(self, number: int, waiting: AwaitedCall) -> None:
        del self._by_person[waiting.person][number]


@dataclass(slots=True)
class _Pile:
    """What a routing will make true; the fields are those of `Routing`."""

    deliveries: list[PlannedDelivery] = field(default_factory=list)
    shelved: list[Shelved] = field(default_factory=list)
    filtered: int = 0
    duplicates: int = 0
    erased: int = 0
    fanned_out: int = 0
    partly_shelved: int = 0
    seen: list[str] = field(default_factory=list)
    said: dict[tuple[str, str], bytes] = field(default_factory=dict)
    awaited: dict[tuple[str, str], AwaitedCall] = field(default_factory=dict)
    no_longer_awaited: list[AwaitedCall] = field(default_factory=list)


def _met(call: Call, person: Person, before: Person | None) -> Met:
    """Only what is done with at a glance makes familiar: many are described once and never heard of again.

    A call that names somebody by an email alone makes nobody so: the next one without ids is about nobody.
    """
    names = call.type in GLANCED_AT and (call.user_id or call.anonymous_id)
    pair = Pair(call.user_id, call.anonymous_id) if names else None
    return Met(person=person.key, pair=pair, message_id=call.message_id, is_news=ids_differ(person, before))


# --- what is decided against ------------------------------------------------------------------------------------


def _unsolicited(planned: PlannedDelivery, because: str) -> PlannedDelivery:
    if planned.kind != SURVEY or planned.filtered_because:
        return planned
    return msgspec.structs.replace(planned, filtered_because=f"nobody may survey this address: {because}", body=b"{}")


def _late(planned: PlannedDelivery, reason: str) -> PlannedDelivery:
    return msgspec.structs.replace(planned, expired_because=planned.filtered_because or reason, filtered_because=None)


def _expired(waiting: AwaitedCall) -> PlannedDelivery:
    return msgspec.structs.replace(_nothing_to_do(waiting), filtered_because=None, expired_because=waiting.reason)


def _nothing_to_do(waiting: AwaitedCall) -> PlannedDelivery:
    return PlannedDelivery(
        connection=waiting.connection,
        person=waiting.person,
        kind=SURVEY,
        message_id=forward_id(waiting.call, SURVEY),
        body=msgspec.json.encode(waiting.call),
        filtered_because="nothing is left to be done",
    )


def _fingerprint(planned: PlannedDelivery) -> bytes:
    return hashlib.sha256(planned.body + b"\0" + (planned.filtered_because or "").encode()).digest()[:16]

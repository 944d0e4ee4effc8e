"""From journal entries to everything that follows from them, as plain values; the heart of the line.

`route` decides for a run of entries of one connection; it works on its own copy of what the store recalled, so that
later records of the run see what earlier ones decided.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from npsbridge.core import reading
from npsbridge.core.identity import person_keys, resolve
from npsbridge.core.keys import normalised_email
from npsbridge.core.model import Emission, Identity, PlannedDelivery, Record, Response
from npsbridge.core.people import IdKind, PersonId
from npsbridge.core.ports import Parser
from npsbridge.core.records import JournalEntry, Origin, Recall, RememberedResponse, Routing, Shelved
from npsbridge.core.revise import Duplicate, New, Revised, Stale, Superseding, comment_of, revise
from npsbridge.core.times import milliseconds
from npsbridge.core.translate import EventRules, kinds, milestones
from npsbridge.errors import BadRecord

Plan = Callable[[Emission], list[PlannedDelivery]]
"""What one sink is owed for an emission."""


class Rules(Record, frozen=True, kw_only=True):
    """The operator's wishes that routing depends on."""

    events: EventRules = EventRules()
    settle_ms: int = 0
    """How long a response without comment is held back, milliseconds."""
    allow_email_user_id: bool = False


class Reading(Record, frozen=True, kw_only=True):
    """A journal entry with its records understood, or shelved when they cannot be."""

    journal_id: int
    origin: Origin
    responses: list[Response]
    shelved: list[Shelved]


# --- reading ----------------------------------------------------------------------------------------------------


def read(entry: JournalEntry, parse: Parser | None) -> Reading:
    """Understand every record of an entry that can be understood; the others go to the shelf, with the reason."""
    responses: list[Response] = []
    shelved: list[Shelved] = []
    for record in reading.split(entry.body):
        try:
            responses.append(_parsed(parse, entry.connection, record))
        except BadRecord as error:
            shelved.append(shelf_item(entry.connection, record, str(error)))
    return Reading(journal_id=entry.id, origin=entry.origin, responses=responses, shelved=shelved)


def _parsed(parse: Parser | None, connection: str, record: bytes) -> Response:
    if parse is None:
        raise BadRecord("", f"connection {connection} is no longer configured")
    try:
        return parse(connection, record)
    except BadRecord:
        raise
    except Exception as error:  # a parser's own mistake must not stop the records behind it
        raise BadRecord("", f"the parser failed with {type(error).__name__}") from error


def shelf_item(connection: str, record: bytes, reason: str) -> Shelved:
    """A record for the shelf of the dead, keyed by its content."""
    return Shelved(connection=connection, kind="record", key=reading.digest(record), reason=reason, body=record)


# --- what has to be recalled ------------------------------------------------------------------------------------


def emails(responses: Iterable[Response]) -> set[str]:
    """The emails under which identities may be known."""
    return {email for response in responses if (email := normalised_email(response.person.email))}


def user_ids(responses: Iterable[Response]) -> set[str]:
    """The userIds that came back with them, whose owners may have been erased."""
    return {response.person.user_id for response in responses if response.person.user_id}


def people(responses: Iterable[Response], identities: Mapping[str, Identity], rules: Rules) -> set[str]:
    """The keys under which the newest answers of these people are remembered."""
    return {key for response in responses for key in person_keys(response, identity_of(response, identities, rules))}


def identity_of(response: Response, identities: Mapping[str, Identity], rules: Rules) -> Identity:
    """Under which identity a response is reported, by what is known of its email."""
    known = identities.get(normalised_email(response.person.email) or "")
    return resolve(response, known, allow_email_user_id=rules.allow_email_user_id)


# --- deciding ---------------------------------------------------------------------------------------------------


def route(
    readings: Sequence[Reading], recall: Recall, *, rules: Rules, plans: Sequence[Plan], now: int
) -> list[Routing]:
    """What each entry of a run leads to, in order. `now` is in milliseconds since 1970."""
    desk = _Desk(recall, rules, plans, now)
    return [desk.entry(entry) for entry in readings]


def release(
    held: Sequence[RememberedResponse], recall: Recall, *, rules: Rules, plans: Sequence[Plan], now: int
) -> Routing:
    """What held-back responses lead to when nobody added a comment in time."""
    desk = _Desk(recall, rules, plans, now)
    for remembered in held:
        desk.release(remembered)
    return desk.routing(None)


def _ids(erased: Iterable[str]) -> frozenset[PersonId]:
    """Emails and userIds, which nobody has told apart."""
    return frozenset(PersonId(kind, value) for value in erased for kind in (IdKind.EMAIL, IdKind.USER))


class _Desk:
    """Working memory of one run; `routing` hands over what has piled up and starts afresh."""

    def __init__(self, recall: Recall, rules: Rules, plans: Sequence[Plan], now: int) -> None:
        self._known = dict(recall.responses)
        self._newest = dict(recall.newest)
        self._identities = recall.identities
        self._erased = recall.erased
        self._rules = rules
        self._plans = plans
        self._now = now
        self._pile = _Pile()

    def entry(self, entry: Reading) -> Routing:
        self._pile.shelved += entry.shelved
        for response in entry.responses:
            if self._is_erased(response):
                self._pile.erased += 1
            else:
                self._response(response, entry.origin)
        return self.routing(entry.journal_id, records=len(entry.responses) + len(entry.shelved))

    def _is_erased(self, response: Response) -> bool:
        """Whether its person was erased here: the vendor may still show it, but nothing of it is kept."""
        if not self._erased:
            return False
        email = normalised_email(response.person.email)
        return email in self._erased or response.person.user_id in self._erased

    def release(self, held: RememberedResponse) -> None:
        self._pile.settling -= 1
        self._emit(held.response, revision=1, previous=held)

    def routing(self, journal_id: int | None, *, records: int | None = None) -> Routing:
        pile, self._pile = self._pile, _Pile()
        return Routing(
            journal_id=journal_id,
            records=records,
            responses=tuple(pile.responses.values()),
            newest=pile.newest,
            deliveries=tuple(pile.deliveries),
            shelved=tuple(pile.shelved),
            filtered=pile.filtered,
            duplicates=pile.duplicates,
            settling=pile.settling,
            fanned_out=pile.fanned_out,
            partly_shelved=pile.partly_shelved,
            erased=pile.erased,
            erased_ids=_ids(self._erased) if pile.erased else frozenset(),
        )

    def _response(self, response: Response, origin: Origin) -> None:
        previous = self._known.get(response.id)
        match revise(previous, response, origin):
            case New(response=fresh):
                self._emit_or_hold(fresh, None)
            case Superseding(response=merged):
                # The one that arrived takes the place of the held one, and is the one that counts as a duplicate.
                self._pile.duplicates += 1
                self._emit_or_hold(merged, previous)
            case Revised(response=merged, revision=revision):
                self._emit(merged, revision=revision, previous=previous)
            case Duplicate(response=merged):
                self._pile.duplicates += 1
                if merged is not None and previous is not None:
                    self._remember(msgspec.structs.replace(previous, response=merged))
            case Stale():
                self._pile.duplicates += 1

    def _emit_or_hold(self, response: Response, previous: RememberedResponse | None) -> None:
        """`previous` is held back, or there is none."""
        due = self._due(response, previous)
        says_all = comment_of(response) is not None or response.dismissed or response.viewed
        if due > self._now and not says_all:
            self._pile.settling += 0 if previous else 1
            self._remember(RememberedResponse(response=response, revision=0, settle_at=due))
            return
        self._pile.settling -= 1 if previous else 0
        self._emit(response, revision=1, previous=previous)

    def _due(self, response: Response, previous: RememberedResponse | None) -> int:
        """Until when to wait for a comment; an answer dated in the future waits no longer than any other."""
        if previous is not None and previous.settle_at is not None:
            return previous.settle_at
        return min(milliseconds(response.created_at), self._now) + self._rules.settle_ms

    def _emit(self, response: Response, *, revision: int, previous: RememberedResponse | None) -> None:
        identity = identity_of(response, self._identities, self._rules)
        keys = person_keys(response, identity)
        answered_at = milliseconds(response.created_at)
        is_newest = all(self._newest.get(key, answered_at) <= answered_at for key in keys)
        emission = Emission(
            response=response,
            revision=revision,
            identity=identity,
            is_newest=is_newest,
            kinds=kinds(response, previous, is_newest=is_newest, rules=self._rules.events),
        )
        said = milestones(response, previous) if self._owe(emission) else previous.milestones if previous else ()
        if is_newest:
            self._note_newest(keys, answered_at)
        self._remember(RememberedResponse(response=response, revision=revision, milestones=said))

    def _owe(self, emission: Emission) -> bool:
        """Owe each sink what it plans; False when one cannot put it into words, whose part is shelved instead."""
        owed, unsaid = list[PlannedDelivery](), list[Shelved]()
        for plan in self._plans:
            try:
                owed += plan(emission)
            except ValueError as error:
                body = msgspec.json.encode(emission.response)
                unsaid.append(shelf_item(emission.response.connection, body, str(error)))
        self._pile.deliveries += owed
        self._pile.shelved += unsaid
        self._pile.fanned_out += 1 if owed else 0
        self._pile.partly_shelved += len(unsaid) if owed else max(len(unsaid) - 1, 0)
        self._pile.filtered += 0 if owed or unsaid else 1
        return not unsaid

    def _note_newest(self, keys: Iterable[str], answered_at: int) -> None:
        for key in keys:
            self._newest[key] = self._pile.newest[key] = answered_at

    def _remember(self, remembered: RememberedResponse) -> None:
        self._known[remembered.response.id] = self._pile.responses[remembered.response.id] = remembered


@dataclass(slots=True)
class _Pile:
    """What a routing will make true; the fields are those of `Routing`."""

    responses: dict[str, RememberedResponse] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)
    deliveries: list[PlannedDelivery] = field(default_factory=list)
    shelved: list[Shelved] = field(default_factory=list)
    filtered: int = 0
    duplicates: int = 0
    settling: int = 0
    fanned_out: int = 0
    partly_shelved: int = 0
    erased: int = 0

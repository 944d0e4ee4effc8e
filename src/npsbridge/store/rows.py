"""Between rows and records, for every engine: pure, and the only place that knows the order of columns."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from npsbridge.core.keys import normalised_email
from npsbridge.core.model import Delivery, Kind, PlannedDelivery, Respondent, Response, State
from npsbridge.core.records import (
    Arrival,
    Health,
    Hinted,
    JournalEntry,
    Ledger,
    Origin,
    RememberedResponse,
    Sent,
    Settlement,
    Shelved,
)
from npsbridge.core.views import Listed, Scored, facets

Row = tuple[Any, ...]

OWED: Final = frozenset({State.QUEUED, State.WAITING, State.INFLIGHT})
NOT_TAKEN: Final = frozenset({State.QUEUED, State.WAITING, State.FILTERED})
"""What an attempt ends in that certainly came to nothing: tried again, or declined."""
FINISHED: Final = frozenset(State) - OWED - {State.HELD}
"""What nothing will change any more, until retention removes it."""

# Drivers take plain text as it is, and ask for an adapter for everything else, members of enumerations among it.
_WORDS: Final = {state: state.value for state in State}
_STATES: Final = {word: state for state, word in _WORDS.items()}
_encoder = msgspec.json.Encoder()
_response = msgspec.json.Decoder(Response)


def arrival_row(number: int, arrival: Arrival) -> Row:
    """Id, connection, origin, count, received_at, body."""
    return (number, arrival.connection, arrival.origin.value, arrival.count, arrival.received_at, arrival.body)


def journal_entry(row: Row) -> JournalEntry:
    """From id, connection, origin, count, received_at, body."""
    number, connection, origin, count, received_at, body = row
    return JournalEntry(
        id=number, connection=connection, origin=Origin(origin), count=count, received_at=received_at, body=body
    )


def response_row(remembered: RememberedResponse, journal_id: int | None) -> Row:
    """Connection, response id, revision, milestones, settle_at, email, journal id, content; then its facets.

    Those are answered_at, survey type, score, campaign, whether there is a comment.
    """
    response = remembered.response
    found = facets(response)
    return (
        response.connection,
        response.id,
        remembered.revision,
        " ".join(kind.value for kind in remembered.milestones),
        remembered.settle_at,
        normalised_email(response.person.email),
        journal_id,
        _encoder.encode(response),
        found.answered_at,
        found.survey_type,
        found.score,
        found.campaign,
        found.has_comment,
    )


def respondent(content: bytes) -> Respondent:
    """Who gave the response that is kept as this content."""
    return _response.decode(content).person


def remembered_response(row: Row) -> RememberedResponse:
    """From content, revision, milestones, settle_at."""
    content, revision, milestones, settle_at = row
    return RememberedResponse(
        response=_response.decode(content),
        revision=revision,
        milestones=tuple(Kind(word) for word in milestones.split()),
        settle_at=settle_at,
    )


def fate(planned: PlannedDelivery) -> State:
    """What a delivery is from the start: to be sent, or not to be sent at all."""
    if planned.filtered_because is not None:
        return State.FILTERED
    return State.QUEUED if planned.expired_because is None else State.EXPIRED


def owed_row(number: int, planned: PlannedDelivery, journal_id: int | None, now: int) -> Row:
    """The row of a delivery that has just become owed, or is not to be sent at all, in the order of `shelf_row`."""
    state = fate(planned)
    waits_until = None
    if state is State.QUEUED and planned.not_before is not None and planned.not_before > now:
        state, waits_until = State.WAITING, planned.not_before
    return (
        number,
        planned.connection,
        planned.person,
        planned.kind,
        planned.message_id,
        planned.subject,
        _WORDS[state],
        0,
        planned.filtered_because or planned.expired_because,
        now,
        waits_until,
        None if state in OWED else now,
        journal_id,
    )


def owed_at_once_row(number: int, planned: PlannedDelivery, journal_id: int | None, now: int) -> Row:
    """Id, connection, person, kind, message id, subject, created, journal id of a delivery that may go at once."""
    return (
        number,
        planned.connection,
        planned.person,
        planned.kind,
        planned.message_id,
        planned.subject,
        now,
        journal_id,
    )


def shelf_row(number: int, item: Shelved, *, journal_id: int | None, now: int) -> Row:
    """The row of a shelved item: a delivery that was dead when it came, with its key for a message id.

    Id, connection, person, kind, message id, subject, state, attempts, reason, created, next attempt, settled, journal
    id; the body has a place of its own.
    """
    return (
        number,
        item.connection,
        "",
        item.kind,
        item.key,
        None,
        State.DEAD.value,
        1,
        item.reason,
        now,
        None,
        now,
        journal_id,
    )


def delivery(row: Row) -> Delivery:
    """From the columns of a delivery.

    Id, connection, person, kind, message id, body, state, attempts, reason, created, next attempt, subject, retried,
    set out, settled.
    """
    number, connection, person, kind, message_id, body, state, attempts, reason, created_at, due, subject, *times = row
    retried_at, set_out_at, settled_at = times
    return Delivery(
        id=number,
        connection=connection,
        person=person,
        kind=kind,
        message_id=message_id,
        body=body,
        state=_STATES[state],
        attempts=attempts,
        reason=reason,
        created_at=created_at,
        next_attempt_at=due,
        subject=subject,
        retried_at=retried_at,
        set_out_at=set_out_at,
        settled_at=settled_at,
    )


def listed(row: Row) -> Listed:
    """From id, connection, kind, state, message id, subject, attempts, reason, created, next attempt, settled."""
    number, connection, kind, state, message_id, subject, attempts, reason, created_at, due, settled_at = row
    return Listed(
        id=number,
        connection=connection,
        kind=kind,
        state=State(state),
        message_id=message_id,
        subject=subject,
        attempts=attempts,
        reason=reason,
        created_at=created_at,
        next_attempt_at=due,
        settled_at=settled_at,
    )


def scored(row: Row) -> Scored:
    """From the parts of the key, score, count."""
    *key, score, count = row
    return Scored(key=tuple(key), score=score, count=count)


def sent(row: Row) -> Sent:
    """From id, kind, subject, settled_at, whether it is the latest."""
    number, kind, subject, settled_at, is_latest = row
    return Sent(id=number, kind=kind, subject=subject, settled_at=settled_at, is_latest=bool(is_latest))


def settlement_row(settlement: Settlement, *, now: int) -> Row:
    """State, attempts to add, reason, next_attempt_at, settled_at: the same for all that share a fate.

    Setting out on an attempt is not one yet: INFLIGHT adds none, its outcome does.
    """
    state = settlement.state
    return (
        state.value,
        0 if state is State.INFLIGHT else 1,
        settlement.reason,
        settlement.next_attempt_at if state is State.WAITING else None,
        now if state in FINISHED else None,
    )


def intent_rows(settlements: Iterable[Settlement]) -> list[Row]:
    """Recipient, set_out_at, id of those that have an intent."""
    return [(one.intent.recipient, one.intent.set_out_at, one.id) for one in settlements if one.intent is not None]


def hinted(row: Row) -> Hinted:
    """From hint, heard_at."""
    hint, heard_at = row
    return Hinted(hint=hint, heard_at=heard_at)


def health(row: Row) -> Health:
    """From connection, direction, state, reason, since."""
    connection, direction, state, reason, since = row
    return Health(connection=connection, direction=direction, state=state, reason=reason, since=since)


def ledger(rows: Iterable[Row]) -> Ledger:
    """From (name, amount), where what is waiting comes in its parts; see npsbridge.store.ledger."""
    amounts: dict[str, int] = dict(rows)
    waiting = sum(amounts.pop(part) for part in ("unrouted", "settling", "awaited", "queued", "waiting", "inflight"))
    return Ledger(waiting=waiting, **amounts)

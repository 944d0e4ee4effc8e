import pytest

from contract.store.examples import START, arrival, planned, remembered, shelved
from npsbridge.core.model import Kind, State
from npsbridge.core.records import JournalEntry, RememberedResponse, Settlement
from npsbridge.store import rows


def test_an_arrival_and_its_number_make_an_entry() -> None:
    given = arrival(count=2, body=b"[1,2]")
    entry = rows.journal_entry(rows.arrival_row(7, given))
    assert entry == JournalEntry(
        id=7, connection="delighted", origin=given.origin, body=b"[1,2]", count=2, received_at=START
    )


def test_milestones_are_kept_in_order_as_words() -> None:
    said = RememberedResponse(
        response=remembered().response, revision=2, milestones=(Kind.COMPLETED, Kind.ANSWERED), settle_at=5
    )
    _, _, revision, milestones, settle_at, _, _, content, *_ = rows.response_row(said, 1)
    assert milestones == "completed answered"
    assert rows.remembered_response((content, revision, milestones, settle_at)) == said


@pytest.mark.parametrize(("email", "kept"), [(" Ann@X.Org", "ann@x.org"), (None, None), ("", None), ("nobody", None)])
def test_f33_emails_are_kept_as_they_are_compared(email: str | None, kept: str | None) -> None:
    assert rows.response_row(remembered(email=email), None)[5] == kept


def test_a_delivery_waits_only_for_a_time_to_come() -> None:
    states = {
        not_before: rows.owed_row(1, planned("m", not_before=not_before), 1, START)[6]
        for not_before in (None, START, START + 1)
    }
    assert states == {None: "queued", START: "queued", START + 1: "waiting"}


def test_a_shelved_item_is_dead_from_the_start() -> None:
    row = rows.shelf_row(3, shelved("k"), journal_id=None, now=START)
    number, connection, person, kind, key, subject, state, attempts, reason, created_at, due, _, _ = row
    shown = rows.delivery(
        (
            number,
            connection,
            person,
            kind,
            key,
            b"{}",
            state,
            attempts,
            reason,
            created_at,
            due,
            subject,
            None,
            None,
            START,
        )
    )
    assert (shown.state, shown.message_id, shown.attempts, shown.person) == (State.DEAD, "k", 1, "")


def test_only_a_waiting_delivery_has_a_next_attempt() -> None:
    times = {
        state: rows.settlement_row(Settlement(id=1, state=state, next_attempt_at=9), now=START)[3] for state in State
    }
    assert {state for state, due in times.items() if due is not None} == {State.WAITING}


def test_only_finished_deliveries_have_a_time_of_settling() -> None:
    settled = {state for state in State if rows.settlement_row(Settlement(id=1, state=state), now=START)[4] is not None}
    assert settled == set(rows.FINISHED)

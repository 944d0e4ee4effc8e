"""An invented past, as each vendor would have stored it."""

import random
from datetime import UTC, datetime

import pytest

from npsbridge.sandbox import (
    History,
    PromoterServer,
    RetentlyServer,
    SatisMeterServer,
    believable_history,
    seed,
)
from unit.sandbox.calling import NEW_YEAR


@pytest.fixture(scope="module")
def history() -> History:
    dice = random.Random(7)  # noqa: S311 - no secret
    return believable_history(dice, people=60, until=datetime.fromtimestamp(NEW_YEAR, UTC))


def test_retently_gets_answers_of_known_customers(history: History) -> None:
    account = RetentlyServer(now=lambda: NEW_YEAR)
    ids = seed(account, history)
    newest, row = history.answers[-1], account.responses[ids[-1]]
    assert (row.email, row.score, row.comment) == (newest.person.email, newest.score, newest.comment)
    assert (row.created_ms, row.tags) == (newest.answered_at * 1000, newest.tags)
    assert {person.created_ms // 1000 for person in account.people.values()} == {
        person.created_at for person in history.people
    }


def test_retently_also_gets_surveys_that_were_opened_and_not_answered(history: History) -> None:
    account = RetentlyServer(now=lambda: NEW_YEAR)
    seed(account, history)
    opened = [row for row in account.account.outbox.values() if row.opened_ms]
    silent = [row.email for row in opened if row.responded_ms is None]
    assert len(opened) == len(history.answers) + len(history.glances)
    assert silent == [glance.person.email for glance in history.glances]
    assert silent


def test_satismeter_gets_users_by_the_id_that_segment_knows(history: History) -> None:
    account = SatisMeterServer(now=lambda: NEW_YEAR)
    seed(account, history)
    known = {
        person.properties["segment_user_id"] for person in history.people if "segment_user_id" in person.properties
    }
    assert {user.user_id for user in account.people.values()} - {None} == known
    assert all({"email", "name", "plan"} <= set(user.traits) for user in account.people.values())


def test_satismeter_also_gets_dismissals_and_further_answers(history: History) -> None:
    account = SatisMeterServer(now=lambda: NEW_YEAR)
    seed(account, history)
    rows = account.responses.values()
    closed = sum(glance.is_closed for glance in history.glances)
    assert sum(row.is_dismissed for row in rows) == closed > 0
    assert sum(bool(row.more) for row in rows) == sum(bool(answer.tags) for answer in history.answers) > 0


def test_promoter_gets_contacts_with_attributes_and_answers_with_those_of_the_survey(history: History) -> None:
    account = PromoterServer(now=lambda: NEW_YEAR)
    ids = seed(account, history)
    newest, row = history.answers[-1], account.responses[ids[-1]]
    assert (row.email, row.score, row.posted_at) == (newest.person.email, newest.score, newest.answered_at)
    assert (row.comment, row.commented_at, row.tags) == (newest.comment, newest.commented_at, newest.tags)
    assert row.survey_attributes == {"country": newest.person.properties["country"]}
    assert account.people[newest.person.email].attributes == newest.person.properties

"""The invented past is believable, repeatable, and arrives whole."""

import asyncio
import random
from datetime import UTC, datetime

import pytest

from npsbridge.sandbox import DelightedServer, History, Respondents, believable_history, seed
from unit.sandbox.calling import NEW_YEAR, Caller

UNTIL = datetime.fromtimestamp(NEW_YEAR, UTC)


def dice(start: int = 7) -> random.Random:
    return random.Random(start)  # noqa: S311 - no secret


@pytest.fixture
def history() -> History:
    return believable_history(dice(), people=300, years=2, until=UNTIL)


def test_the_same_dice_give_the_same_history(history: History) -> None:
    assert believable_history(dice(), people=300, years=2, until=UNTIL) == history
    assert believable_history(dice(8), people=300, years=2, until=UNTIL) != history


def test_everything_lies_within_the_years_asked_for(history: History) -> None:
    moments = [answer.commented_at or answer.answered_at for answer in history.answers]
    assert max(moments) <= NEW_YEAR
    assert min(answer.answered_at for answer in history.answers) >= NEW_YEAR - 2 * 366 * 86400
    assert moments[-1] - moments[0] > 86400 * 600


def test_most_answers_get_a_comment_some_time_after_the_score(history: History) -> None:
    commented = [answer for answer in history.answers if answer.comment is not None]
    assert 0.6 < len(commented) / len(history.answers) < 0.85
    assert all(answer.commented_at and answer.commented_at > answer.answered_at for answer in commented)


def test_there_are_all_sorts_of_scores_and_many_comments(history: History) -> None:
    assert len(history.people) == 300
    assert len(history.answers) > 500
    assert {answer.score for answer in history.answers} >= {0, 3, 6, 7, 8, 9, 10}
    assert len({answer.comment for answer in history.answers}) > 200


def test_some_people_are_known_to_segment_and_nobody_twice(history: History) -> None:
    known = [person for person in history.people if "segment_user_id" in person.properties]
    assert 150 < len(known) < 270
    assert len({person.email for person in history.people}) == 300


def test_some_only_look_at_a_survey_and_some_of_them_close_it(history: History) -> None:
    closed = [glance.is_closed for glance in history.glances]
    assert 0.2 < len(closed) / len(history.people) < 0.4
    assert 0.3 < sum(closed) / len(closed) < 0.7
    assert all(glance.person.created_at <= glance.seen_at <= NEW_YEAR for glance in history.glances)


def test_people_of_other_numbers_have_other_emails_and_ids(history: History) -> None:
    others = believable_history(dice(), people=10, until=UNTIL, first_number=301)
    emails = {person.email for person in history.people}
    ids = {person.properties.get("segment_user_id") for person in history.people} - {None}
    assert emails.isdisjoint(person.email for person in others.people)
    assert ids.isdisjoint(person.properties.get("segment_user_id") for person in others.people)


def test_no_people_have_no_past() -> None:
    assert believable_history(dice(), people=0, until=UNTIL) == History(people=[], answers=[])


async def test_a_seeded_account_shows_the_whole_history(
    delighted: DelightedServer, api: Caller, history: History
) -> None:
    ids = seed(delighted, history)
    last = (await api.get("/survey_responses.json?order=desc&per_page=1&expand[]=person")).json[0]
    newest = history.answers[-1]
    assert (len(ids), len(delighted.people)) == (len(history.answers), 300)
    assert (last["score"], last["comment"], last["person"]["email"]) == (
        newest.score,
        newest.comment,
        newest.person.email,
    )
    assert last["updated_at"] == (newest.commented_at or newest.answered_at)


def test_respondents_answer_first_and_comment_later(history: History) -> None:
    server = DelightedServer()
    seed(server, history)
    respondents = Respondents([server], dice())
    response_id = respondents.answer()
    assert server.responses[response_id].comment is None
    assert respondents.comment() == response_id
    assert server.responses[response_id].comment
    assert respondents.comment() is None


@pytest.mark.looptime
async def test_respondents_go_on_at_the_pace_asked_for(history: History) -> None:
    server = DelightedServer()
    seed(server, history)
    edits = sum(row.edits for row in server.responses.values())
    answering = asyncio.create_task(Respondents([server], dice()).keep_answering(10))
    await asyncio.sleep(1000)
    answering.cancel()
    added = len(server.responses) - len(history.answers)
    commented = sum(row.edits for row in server.responses.values()) - edits
    assert min(added, commented) > 20
    assert 80 <= added + commented <= 125

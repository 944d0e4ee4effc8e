"""Webhooks that nobody signs: what they tell, and how it is read back."""

from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from msgspec import UNSET
from pydantic import SecretStr

from npsbridge.core.model import Response
from npsbridge.core.ports import Heard
from npsbridge.errors import BadRecord, TryLater
from npsbridge.platforms.satismeter.parse import parse
from npsbridge.platforms.satismeter.receiver import SatisMeterReceiver
from npsbridge.sandbox.faults import status
from unit.platforms.satismeter.driving import DAY, HOUR, MINUTE, Bench, bench
from unit.sandbox.calling import NEW_YEAR


def receiver(project: Bench) -> SatisMeterReceiver:
    return SatisMeterReceiver(project.wiring(webhook_token=SecretStr("tok-1")))


def heard(project: Bench, event: str, number: str) -> Heard:
    return receiver(project).hear(project.server.webhook(event, number))


def hints(project: Bench, *numbers: str) -> list[str]:
    return [hint for number in numbers for hint in heard(project, "completed", number).hints]


def parsed(records: Sequence[bytes]) -> list[Response]:
    return [parse("satismeter", record) for record in records]


# --- what they tell -----------------------------------------------------------------------------------------------


async def test_a_completed_survey_is_only_a_hint(project: Bench) -> None:
    found = heard(project, "completed", project.server.answer("ada@example.org", 9, comment="Fast"))
    assert (found.records, len(found.hints)) == ([], 1)


async def test_a_dismissed_survey_counts_as_it_stands(project: Bench) -> None:
    number = project.server.dismiss("ada@example.org", 3)
    found = heard(project, "dismissed", number)
    assert (found.records, found.hints) == ([project.server.webhook("dismissed", number)], [])
    [response] = parsed(found.records)
    assert (response.id, response.dismissed, response.score) == (number, True, 3)


async def test_a_dismissed_survey_without_rating_counts_too() -> None:
    async with bench(dismissed_shows_rating=False) as project:
        [response] = parsed(heard(project, "dismissed", project.server.dismiss("ada@example.org", 3)).records)
        assert (response.dismissed, response.score, response.survey_type) == (True, None, "nps")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"event": "COMPLETED", "response": {"id": "1"}}, "hint"),
        ({"response": {"id": "1", "completed": True}}, "hint"),
        ({"id": "1", "completed": True, "rating": 9}, "hint"),
        ({"event": "dismissed", "response": {"id": 1, "extra": []}}, "record"),
        ({"response": {"id": "1", "dismissed": True}}, "record"),
        ({"id": "1", "dismissed": True}, "record"),
        ({"event": "displayed", "response": {"id": "1"}}, "nothing"),
        ({"event": 5, "response": {"id": "1"}}, "nothing"),
        ({"event": "ping"}, "nothing"),
        ({"hello": "there"}, "nothing"),
        ({}, "nothing"),
        ({"event": "dismissed", "response": {"id": "1", "project": "5f00000000000000000000ff"}}, "nothing"),
    ],
)
async def test_every_assumed_shape_is_understood_and_other_news_is_none(
    project: Bench, body: dict[str, Any], kind: str
) -> None:
    found = receiver(project).hear(orjson.dumps(body))
    told = "hint" if found.hints else "record" if found.records else "nothing"
    assert told == kind


async def test_a_bare_dismissed_response_is_journaled_as_one(project: Bench) -> None:
    body = {"id": "1", "dismissed": True, "rating": 2, "created": "2026-01-01T00:00:00Z", "answers": []}
    [response] = parsed(receiver(project).hear(orjson.dumps(body)).records)
    assert (response.id, response.score, response.dismissed, response.answers) == ("1", 2, True, UNSET)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"{", ""),
        (b"[]", ""),
        (b'"completed"', ""),
        (b'{"event":"completed"}', "/response"),
        (b'{"event":"completed","response":null}', "/response"),
        (b'{"event":"completed","response":{}}', "/response/id"),
        (b'{"event":"dismissed","response":{"id":true}}', "/response/id"),
        (b'{"event":"completed","response":{"id":"1","x":"\xff"}}', ""),
    ],
)
async def test_f37_what_cannot_be_understood_is_refused_with_its_place(
    project: Bench, body: bytes, pointer: str
) -> None:
    with pytest.raises(BadRecord) as refused:
        receiver(project).hear(body)
    assert refused.value.pointer == pointer


async def test_the_token_is_that_of_the_settings(project: Bench) -> None:
    assert receiver(project).token == "tok-1"
    assert project.wiring(webhook_token=SecretStr("tok-1")).settings.authenticates_hooks
    assert not project.wiring().settings.authenticates_hooks


# --- reading back -------------------------------------------------------------------------------------------------


async def test_f32_a_completed_response_is_read_back_with_the_fact_that_it_was(project: Bench) -> None:
    number = project.server.answer("ada@example.org", 9, comment="Fast")
    [response] = parsed(await project.source().look_up(hints(project, number)))
    assert (response.id, response.score, response.comment, response.completed) == (number, 9, "Fast", True)
    assert response.answers is not UNSET


async def test_f32_what_the_list_says_goes_before_what_the_webhook_said(project: Bench) -> None:
    number = project.server.answer("ada@example.org", 9, comment="Fast")
    told = hints(project, number)
    project.server.edit(number, score=2)
    [response] = parsed(await project.source().look_up(told))
    assert response.score == 2


async def test_a_csat_response_is_read_back_as_one(project: Bench) -> None:
    number = project.server.answer("ada@example.org", 4, comment="Fine", survey_type="csat")
    [response] = parsed(await project.source().look_up(hints(project, number)))
    assert (response.survey_type, response.score) == ("csat", 4)


async def test_f32_webhooks_twice_and_together_cost_one_request(project: Bench) -> None:
    numbers = [project.server.answer(f"p{number}@example.org", 9, comment="Fast") for number in range(5)]
    told = hints(project, *numbers, *reversed(numbers))
    records = await project.source().look_up(told)
    assert sorted(response.id for response in parsed(records)) == sorted(numbers)
    assert project.asked == 1


async def test_webhooks_about_different_days_are_looked_for_on_each(project: Bench) -> None:
    days = [NEW_YEAR - day * DAY for day in (1, 5, 400)]
    numbers = [project.server.answer("ada@example.org", 9, comment="Fast", created_at=day) for day in days]
    records = await project.source().look_up(hints(project, *numbers))
    assert {response.id for response in parsed(records)} == set(numbers)
    assert project.asked == 3


async def test_a_response_among_many_is_found_behind_the_first_page(project: Bench) -> None:
    number = project.server.answer("ada@example.org", 9, comment="Fast", created_at=NEW_YEAR - 55)
    project.load(300, since=NEW_YEAR - 50, every=0.1)
    [response] = parsed(await project.source().look_up(hints(project, number)))
    assert response.id == number


async def test_f32_a_webhook_that_is_faster_than_the_list_is_asked_for_again(project: Bench) -> None:
    number = project.server.answer("ada@example.org", 9, comment="Fast", visible_after=MINUTE)
    told = hints(project, number)
    with pytest.raises(TryLater) as trouble:
        await project.source().look_up(told)
    project.hands.forward(MINUTE)
    assert trouble.value.after == 20
    assert [response.id for response in parsed(await project.source().look_up(told))] == [number]


async def test_f32_a_response_that_is_never_listed_counts_by_its_webhook_after_some_minutes(project: Bench) -> None:
    number = project.server.answer("ada@example.org", 9, comment="Fast", visible_after=DAY)
    told = hints(project, number)
    project.hands.forward(5 * MINUTE)
    [response] = parsed(await project.source().look_up(told))
    assert (response.id, response.score, response.completed) == (number, 9, True)


async def test_one_missing_response_does_not_hold_up_the_others(project: Bench) -> None:
    listed = project.server.answer("ada@example.org", 9, comment="Fast")
    missing = project.server.answer("bob@example.org", 3, comment="Slow", visible_after=DAY)
    records = await project.source().look_up(hints(project, missing, listed))
    assert {response.id for response in parsed(records)} == {listed, missing}


async def test_a_webhook_without_a_time_is_looked_for_in_the_last_hour(project: Bench) -> None:
    number = project.server.answer("ada@example.org", 9, created_at=NEW_YEAR - HOUR / 2)
    body = orjson.dumps({"event": "completed", "response": {"id": number}})
    [response] = parsed(await project.source().look_up(receiver(project).hear(body).hints))
    assert response.completed


@pytest.mark.parametrize("created", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", 0])
async def test_f32_a_forged_time_costs_one_request_and_breaks_nothing(project: Bench, created: object) -> None:
    body = orjson.dumps({"event": "completed", "response": {"id": "1", "created": created}})
    with pytest.raises(TryLater):
        await project.source().look_up(receiver(project).hear(body).hints)
    assert project.asked == 1


async def test_trouble_of_the_list_leaves_the_hints_to_be_asked_again(project: Bench) -> None:
    number = project.server.answer("ada@example.org", 9, comment="Fast")
    project.server.faults.add(status(503))
    with pytest.raises(TryLater):
        await project.source().look_up(hints(project, number))


async def test_an_old_key_reads_back_through_the_export() -> None:
    async with bench(key_generation="old") as project:
        number = project.server.answer("ada@example.org", 9, comment="Fast")
        [response] = parsed(await project.source().look_up(hints(project, number)))
        assert (response.id, response.completed) == (number, True)

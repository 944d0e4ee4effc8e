"""What a look-alike of Delighted must do, line by line; most lines have their tests in the files beside this one.

both Basic forms · suffix optional, 406 · GET with body · 401, 403, 410, 429 with and without Retry-After:
test_admission
form and JSON bodies · percent-encoded identifiers · 20/100 paging · 414 · 422 · deletion without tombstone: test_people
throttled sends, both readings · Autopilot: test_surveys
inclusive filters · four orders · updated_at null · edits while paging · bursts · visibility lag · backdated answers:
test_responses, test_table
webhooks signed, retried, doubled, reordered, late: test_webhooks
500, 503, timeouts, truncated JSON: ../test_misbehaviour
"""

import pytest

from npsbridge.sandbox import DelightedServer
from npsbridge.sandbox.faults import status
from unit.sandbox.calling import NEW_YEAR, Caller, Hands

LISTS = [
    "/people.json",
    "/survey_responses.json",
    "/unsubscribes.json",
    "/bounces.json",
    "/autopilot/email/memberships.json",
    "/autopilot/sms/memberships.json",
]


@pytest.mark.parametrize("path", LISTS)
async def test_every_list_is_a_bare_array_of_objects(delighted: DelightedServer, api: Caller, path: str) -> None:
    person = delighted.add_person("ana@example.org")
    delighted.answer(person, 9)
    delighted.unsubscribe(person)
    delighted.bounce(person)
    for platform in delighted.account.autopilots.values():
        platform.join(person, {}, at=NEW_YEAR)
    items = (await api.get(path)).json
    assert isinstance(items, list)
    assert [type(item) for item in items] == [dict]


async def test_the_cursor_link_is_absolute_opaque_and_echoes_further_parameters(
    delighted: DelightedServer, api: Caller
) -> None:
    for number in range(3):
        delighted.add_person(f"p{number}@example.org")
    link = (await api.get("/people.json?per_page=2&since=0&auto_handle_rate_limits=True")).headers["Link"]
    assert link.startswith(f"<{delighted.base_url}/people.json?page_info=")
    assert link.endswith('&per_page=2&since=0&auto_handle_rate_limits=True>; rel="next"')


async def test_bracket_arrays_are_read_in_queries_and_forms(delighted: DelightedServer, api: Caller) -> None:
    delighted.answer(delighted.add_person("ana@example.org"), 9)
    [row] = (await api.get("/survey_responses.json?expand%5B%5D=person")).json
    form = [("email", "ben@example.org"), ("send", "false"), ("properties[a][]", "1"), ("properties[a][]", "2")]
    added = await api.call("POST", "/people.json", data=form)
    assert row["person"]["email"] == "ana@example.org"
    assert added.json["properties"] == {"a": '["1","2"]'}


async def test_a_comment_comes_after_its_score(delighted: DelightedServer, api: Caller, hands: Hands) -> None:
    response_id = delighted.answer(delighted.add_person("ana@example.org"), 9)
    created = (await api.get("/survey_responses.json")).json
    hands.forward(455)
    delighted.edit(response_id, comment="Fast setup")
    since = await api.get(f"/survey_responses.json?since={NEW_YEAR + 1}")
    updated = (await api.get(f"/survey_responses.json?updated_since={NEW_YEAR + 1}")).json
    assert (created[0]["comment"], since.json) == (None, [])
    assert (updated[0]["comment"], updated[0]["created_at"]) == ("Fast setup", NEW_YEAR)
    assert updated[0]["updated_at"] == NEW_YEAR + 455


@pytest.mark.parametrize("code", [401, 403, 406, 410, 422, 429, 500, 502, 503, 504])
async def test_any_status_can_be_asked_for(delighted: DelightedServer, api: Caller, code: int) -> None:
    delighted.faults.add(status(code))
    assert (await api.get("/metrics.json")).status == code


async def test_every_time_is_an_integer_of_the_clock_that_was_handed_in(
    delighted: DelightedServer, api: Caller, hands: Hands
) -> None:
    hands.forward(0.75)
    delighted.answer(delighted.add_person("ana@example.org"), 9)
    row = (await api.get("/survey_responses.json?expand[]=person")).json[0]
    times = [row["created_at"], row["updated_at"], row["person"]["created_at"]]
    assert times == [NEW_YEAR] * 3
    assert all(type(time) is int for time in times)

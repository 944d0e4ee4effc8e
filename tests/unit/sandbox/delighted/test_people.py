"""People: created, updated, listed, deleted, unsubscribed."""

from typing import Any

import pytest

from npsbridge.sandbox import DelightedServer
from unit.sandbox.calling import NEW_YEAR, Caller, Hands

ANA = {"email": "ana@example.org", "send": False}


async def add_people(api: Caller, count: int) -> list[str]:
    return [
        (await api.post("/people.json", {"email": f"p{number}@example.org", "send": False})).json["id"]
        for number in range(count)
    ]


async def test_a_new_person_is_201_and_a_known_one_200(api: Caller) -> None:
    first = await api.post("/people.json", ANA)
    again = await api.post("/people.json", {**ANA, "name": "Ana"})
    assert (first.status, again.status) == (201, 200)
    assert first.json["id"] == again.json["id"]
    assert again.json["name"] == "Ana"


async def test_a_new_person_may_be_200_by_switch(delighted: DelightedServer, api: Caller) -> None:
    delighted.change_switches({"created_status": 200})
    assert (await api.post("/people.json", ANA)).status == 200


async def test_the_answer_shows_id_email_name_time_and_properties(api: Caller) -> None:
    body = {"email": "ana@example.org", "name": "Ana", "delay": 3600, "properties": {"plan": "team"}}
    answer = (await api.post("/people.json", body)).json
    assert isinstance(answer.pop("id"), str)
    assert answer == {
        "email": "ana@example.org",
        "name": "Ana",
        "survey_scheduled_at": NEW_YEAR + 3600,
        "properties": {"plan": "team"},
    }


async def test_property_values_become_strings(api: Caller) -> None:
    given: dict[str, Any] = {"n": 1, "f": 1.5, "yes": True, "no": None, "list": ["a", 2], "map": {"a": 1}}
    answer = await api.post("/people.json", {**ANA, "properties": given})
    assert answer.json["properties"] == {"n": "1", "f": "1.5", "yes": "true", "list": '["a",2]', "map": '{"a":1}'}


async def test_list_properties_may_be_joined(delighted: DelightedServer, api: Caller) -> None:
    delighted.change_switches({"array_properties": "joined"})
    answer = await api.post("/people.json", {**ANA, "properties": {"list": ["a", 2]}})
    assert answer.json["properties"] == {"list": "a, 2"}


async def test_a_form_with_brackets_says_the_same_as_json(api: Caller) -> None:
    form = {"email": "ana@example.org", "send": "true", "delay": "60", "properties[State]": "CA"}
    answer = await api.call("POST", "/people.json", data=form)
    assert answer.json["properties"] == {"State": "CA"}
    assert answer.json["survey_scheduled_at"] == NEW_YEAR + 60


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"email": ["can't be blank"]}),
        ({"email": "not an email"}, {"email": ["is invalid"]}),
        ({"email": "a@b.org", "name": "x" * 255}, {"name": ["must be less than 255 characters"]}),
        ({"email": "a@b.org", "channel": "fax"}, {"channel": ["is not included in the list"]}),
        ({"email": "a@b.org", "channel": "sms"}, {"phone_number": ["can't be blank"]}),
        ({"phone_number": "+15551234567"}, {"email": ["can't be blank"]}),
        ({"phone_number": "555", "send": False}, {"phone_number": ["is invalid"], "email": ["can't be blank"]}),
        ({"email": "a@b.org", "delay": "soon"}, {"delay": ["is not a number"]}),
        ({"email": "a@b.org", "delay": -1}, {"delay": ["must be greater than or equal to 0"]}),
        ({"email": "a@b.org", "send": "maybe"}, {"send": ["is invalid"]}),
        ({"email": "a@b.org", "properties": "plan"}, {"properties": ["is invalid"]}),
        ({"email": ["a@b.org"]}, {"email": ["is invalid"]}),
    ],
)
async def test_what_is_wrong_is_named(
    delighted: DelightedServer, api: Caller, body: object, errors: dict[str, list[str]]
) -> None:
    reply = await api.post("/people.json", body)
    assert (reply.status, reply.json["message"]) == (422, "Unprocessable Entity")
    assert reply.json["errors"] == errors
    assert not delighted.people


async def test_a_name_of_254_characters_is_good(api: Caller) -> None:
    assert (await api.post("/people.json", {**ANA, "name": "x" * 254})).status == 201


async def test_an_email_can_be_changed(delighted: DelightedServer, api: Caller) -> None:
    old = (await api.post("/people.json", ANA)).json["id"]
    new = await api.post("/people.json", {**ANA, "email_update": "ana@example.net"})
    assert new.json["id"] == old
    assert (await api.get("/people.json?email=ana@example.org")).json == []
    assert delighted.people[old].email == "ana@example.net"


async def test_an_email_of_somebody_else_cannot_be_taken(api: Caller) -> None:
    await add_people(api, 2)
    reply = await api.post("/people.json", {"email": "p0@example.org", "email_update": "p1@example.org"})
    assert reply.json["errors"] == {"email_update": ["has already been taken"]}


async def test_emails_differ_by_case_unless_switched(delighted: DelightedServer, api: Caller) -> None:
    await api.post("/people.json", ANA)
    assert (await api.get("/people.json?email=ANA@example.org")).json == []
    delighted.change_switches({"values_are_case_sensitive": False})
    assert len((await api.get("/people.json?email=ANA@example.org")).json) == 1


async def test_a_person_is_found_by_phone_with_an_encoded_plus(api: Caller) -> None:
    await api.post("/people.json", {"phone_number": "+15551234567", "channel": "sms"})
    assert len((await api.get("/people.json?phone_number=%2B15551234567")).json) == 1


async def test_email_and_phone_cannot_be_asked_together(api: Caller) -> None:
    assert (await api.get("/people.json?email=a@b.org&phone_number=%2B1555")).status == 422


async def test_a_listed_person_has_exactly_the_documented_fields(api: Caller) -> None:
    await api.post("/people.json", ANA)
    [person] = (await api.get("/people.json")).json
    assert isinstance(person.pop("id"), str)
    assert person == {
        "email": "ana@example.org",
        "name": None,
        "created_at": NEW_YEAR,
        "phone_number": None,
        "last_sent_at": None,
        "last_responded_at": None,
        "next_survey_scheduled_at": None,
    }


async def test_following_the_link_reads_everybody_once_oldest_first(api: Caller) -> None:
    added = await add_people(api, 45)
    seen, path = [], "/people.json?per_page=10"
    while path:
        reply = await api.get(path)
        seen += reply.ids
        path = reply.headers["Link"].split(">")[0][1:] if "Link" in reply.headers else ""
    assert seen == added


async def test_a_page_has_20_people_by_default_and_100_at_most(delighted: DelightedServer, api: Caller) -> None:
    for number in range(101):
        delighted.add_person(f"p{number}@example.org")
    sizes = [len((await api.get(f"/people.json?per_page={asked}")).json) for asked in ("", "7", "1000", "0")]
    assert sizes == [20, 7, 100, 20]


@pytest.mark.parametrize(("reading", "shown"), [("default", 20), ("refuse", 0)])
async def test_a_page_beyond_100_may_be_something_else(
    delighted: DelightedServer, api: Caller, reading: str, shown: int
) -> None:
    delighted.change_switches({"over_max_per_page": reading})
    for number in range(30):
        delighted.add_person(f"p{number}@example.org")
    reply = await api.get("/people.json?per_page=101")
    assert (len(reply.json) if reply.status == 200 else 0) == shown


async def test_the_range_of_creation_is_inclusive(delighted: DelightedServer, api: Caller) -> None:
    ids = [delighted.add_person(f"p{second}@example.org", created_at=NEW_YEAR + second).id for second in range(5)]
    reply = await api.get(f"/people.json?since={NEW_YEAR + 1}&until={NEW_YEAR + 3}")
    assert reply.ids == ids[1:4]


async def test_parameters_given_again_grow_until_414(delighted: DelightedServer, api: Caller) -> None:
    delighted.change_switches({"url_limit": 2000})
    for number in range(400):
        delighted.add_person(f"p{number}@example.org")
    reply = await api.get("/people.json?per_page=1&since=0")
    requests = 1
    while reply.status == 200:
        reply = await api.get(reply.headers["Link"].split(">")[0][1:] + "&per_page=1&since=0")
        requests += 1
    assert (reply.status, reply.json["message"]) == (414, "Request-URI Too Long")
    assert requests < 400
    assert "per_page%5B%5D%5B%5D=1&" in delighted.requests[-1].target


async def test_a_broken_cursor_is_422(api: Caller) -> None:
    assert (await api.get("/people.json?page_info=nonsense")).status == 422


@pytest.mark.parametrize("identifier", ["{id}", "email%3Aana%2Bb%40example.org", "email:ana+b@example.org"])
async def test_a_person_is_deleted_by_any_identifier(delighted: DelightedServer, api: Caller, identifier: str) -> None:
    person = delighted.add_person("ana+b@example.org")
    reply = await api.delete(f"/people/{identifier.format(id=person.id)}", json={})
    assert (reply.status, reply.json) == (202, {"ok": True})
    assert not delighted.people


async def test_a_person_is_deleted_by_phone_number(delighted: DelightedServer, api: Caller) -> None:
    delighted.add_person(phone_number="+15551234567")
    assert (await api.delete("/people/phone_number%3A%2B15551234567.json")).status == 202
    assert not delighted.people


async def test_deleting_somebody_unknown_is_404(api: Caller) -> None:
    assert (await api.delete("/people/email:nobody@example.org")).status == 404


async def test_f31_a_deleted_person_takes_responses_along_without_a_trace(
    delighted: DelightedServer, api: Caller
) -> None:
    gone, stays = delighted.add_person("gone@example.org"), delighted.add_person("stays@example.org")
    deleted = delighted.answer(gone, 3)
    kept = delighted.answer(stays, 9)
    await api.delete(f"/people/{gone.id}.json")
    assert (await api.get("/survey_responses.json")).ids == [kept]
    assert (await api.get(f"/survey_responses/{deleted}.json")).status == 404
    assert list(delighted.responses) == [kept]


async def test_a_deletion_may_take_a_while(delighted: DelightedServer, api: Caller, hands: Hands) -> None:
    delighted.change_switches({"deletion_takes": 60})
    delighted.add_person("ana@example.org")
    await api.delete("/people/email:ana@example.org")
    assert len((await api.get("/people.json")).json) == 1
    hands.forward(60)
    assert (await api.get("/people.json")).json == []


@pytest.mark.parametrize("kind", ["unsubscribes", "bounces"])
async def test_the_unreachable_are_listed_by_page_and_time(
    delighted: DelightedServer, api: Caller, hands: Hands, kind: str
) -> None:
    stop = delighted.unsubscribe if kind == "unsubscribes" else delighted.bounce
    for number in range(5):
        stop(delighted.add_person(f"p{number}@example.org", name=f"P {number}"))
        hands.forward(10)
    page = (await api.get(f"/{kind}.json?per_page=2&page=2&since={NEW_YEAR + 10}&until={NEW_YEAR + 30}")).json
    field = "unsubscribed_at" if kind == "unsubscribes" else "bounced_at"
    assert [set(entry) for entry in page] == [{"person_id", "email", "name", field}]
    assert (page[0]["email"], page[0][field]) == ("p3@example.org", NEW_YEAR + 30)


async def test_somebody_unsubscribes_through_the_api(delighted: DelightedServer, api: Caller) -> None:
    delighted.add_person("ana@example.org")
    reply = await api.post("/unsubscribes.json", {"person_email": "ana@example.org"})
    assert (reply.status, reply.json) == (200, {"ok": True})
    assert len((await api.get("/unsubscribes.json")).json) == 1


@pytest.mark.parametrize(("body", "status"), [({}, 422), ({"person_email": "nobody@example.org"}, 404)])
async def test_nobody_cannot_unsubscribe(api: Caller, body: object, status: int) -> None:
    assert (await api.post("/unsubscribes.json", body)).status == status


async def test_the_unreachable_may_be_missing_from_the_list_of_people(delighted: DelightedServer, api: Caller) -> None:
    delighted.unsubscribe(delighted.add_person("ana@example.org"))
    assert len((await api.get("/people.json")).json) == 1
    delighted.change_switches({"people_list_hides_unreachable": True})
    assert (await api.get("/people.json")).json == []

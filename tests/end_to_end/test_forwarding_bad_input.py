"""Bad input, as a table: what is answered, what is stored or shelved, what vendors and the operator see of it."""

import gzip
import json
from pathlib import Path
from typing import Any, Final

import pytest

from end_to_end.outbound import (
    ACTIVATION,
    INVITATION,
    PURCHASE,
    WRITE_KEY,
    Answered,
    Outbound,
    bodies,
    outbound,
    surveys,
)
from npsbridge.app import App
from npsbridge.core.model import State

pytestmark = pytest.mark.looptime(noop_cycles=8)

TAKEN = Answered(200, {"success": True})
SAFE: Final = {200, 400, 401, 404, 413}
"""Statuses after which no SDK repeats in vain."""


async def shelf(line: Outbound, app: App) -> list[str | None]:
    """What `npsbridge outbox list --state dead` says of calls that cannot be used."""
    return [one.reason for one in await line.listed(app, State.DEAD, "ingest")]


def warnings(line: Outbound) -> list[Any]:
    """The reasons that the log tells of."""
    return [told.extra["reason"] for told in line.told if told.level == "WARNING" and "shelf" in told.message]


def single(call: dict[str, Any]) -> bytes:
    return json.dumps({"writeKey": WRITE_KEY, **call}).encode()


# --- calls that name nobody ---------------------------------------------------------------------------------------

NOBODY: Final = "/userId: is missing or stands for nobody, and so does anonymousId, and there is no email"


@pytest.mark.parametrize("ids", [{}, {"userId": None}, {"userId": "null", "anonymousId": "undefined"}, {"userId": ""}])
async def test_a_call_that_names_nobody_is_answered_200_shelved_and_told_of(
    tmp_path: Path, ids: dict[str, Any]
) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        call = {"type": "track", "event": PURCHASE, "properties": {"price": 1}, **ids}
        assert await line.post(app, "/v1/track", single(call)) == TAKEN
        await line.rests(app)
        assert await shelf(line, app) == warnings(line) == [NOBODY]
        assert (await app.store.ledger()).dead == 1


async def test_an_email_alone_is_somebody(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify(None, email="ana@example.org", plan="pro"))
        assert bodies(line.delighted) == [{"email": "ana@example.org", "send": False, "properties": {"plan": "pro"}}]
        assert await shelf(line, app) == []


# --- a broken call among good ones --------------------------------------------------------------------------------

DEEP: Final = json.loads('{"a":' * 70 + "1" + "}" * 70)
BROKEN: Final[list[tuple[Any, str]]] = [
    (42, "/"),
    ("track", "/"),
    (None, "/"),
    ([], "/"),
    ({"userId": "u5"}, "/type: is missing"),
    ({"type": "purchase", "userId": "u5"}, "/type: is no method of Segment's Spec"),
    ({"type": "track", "userId": "u5"}, "/event: is missing: a track needs the name of its event"),
    ({"type": "track", "userId": "u5", "event": 7}, "/event"),
    ({"type": "track", "userId": "u5", "event": "  "}, "/event: is missing"),
    ({"type": "identify", "userId": {"id": 5}, "traits": {}}, "/userId"),
    ({"type": "identify", "userId": "u5", "traits": "none"}, "/traits"),
    ({"type": "identify", "userId": "u\u0000", "traits": {}}, "/userId: contains a NUL character"),
    ({"type": "identify", "userId": "u5", "traits": DEEP}, "/: is nested deeper than 64"),
    ({"type": "alias", "userId": "u5"}, "/previousId: is missing"),
    ({"type": "group", "userId": "u5"}, "/groupId: is missing"),
    ({"type": "identify", "userId": "u5", "traits": {"bio": "x" * 33 * 1024}}, "/: has 3"),
]


@pytest.mark.parametrize(("broken", "reason"), BROKEN, ids=[reason + repr(broken)[:30] for broken, reason in BROKEN])
async def test_a_broken_call_among_good_ones_is_shelved_alone(tmp_path: Path, broken: Any, reason: str) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        before, after = line.identify("u1", email="u1@example.org"), line.identify("u2", email="u2@example.org")
        assert await line.send(app, before, broken, after) == TAKEN
        await line.rests(app)
        assert sorted(body["email"] for body in bodies(line.delighted)) == ["u1@example.org", "u2@example.org"]
        (told,) = warnings(line)
        assert told.startswith(reason)
        assert await shelf(line, app) == [told]


async def test_the_same_broken_call_again_is_on_the_shelf_once(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        for _ in range(3):
            await line.send(app, {"type": "track", "userId": "u1", "messageId": "m"})
            await line.rests(app)
        assert len(await shelf(line, app)) == 1


# --- too large, and unknown keys ----------------------------------------------------------------------------------


async def test_a_call_of_33_kb_alone_is_refused_with_its_size_and_not_stored(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        answer = await line.post(app, "/v1/track", single(line.track("u1", PURCHASE, bio="x" * 33 * 1024)))
        assert (answer.status, answer.body["code"]) == (400, "invalid_request")
        assert "32768 are the most" in answer.body["message"]
        assert (await app.store.ledger()).accepted == 0


async def test_a_body_of_more_than_5_mb_is_refused_and_one_of_less_is_taken(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        calls = [line.identify(f"u{number}", bio="x" * 30_000) for number in range(180)]
        large, fitting = ({"writeKey": WRITE_KEY, "batch": some} for some in (calls, calls[:170]))
        refused = await line.post(app, "/v1/batch", json.dumps(large).encode())
        assert (refused.status, refused.body["code"]) == (413, "request_too_large")
        packed = await line.post(app, "/v1/batch", gzip.compress(json.dumps(large).encode()))
        assert packed.status == 413
        assert (await app.store.ledger()).accepted == 0
        assert await line.post(app, "/v1/batch", json.dumps(fitting).encode()) == TAKEN
        await line.rests(app)
        assert (await app.store.ledger()).accepted >= 170


@pytest.mark.parametrize("key", [{"writeKey": "another"}, {}, {"writeKey": None}])
async def test_an_unknown_key_is_refused_and_nothing_is_stored(tmp_path: Path, key: dict[str, Any]) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        content = {**key, "batch": [line.identify("u1", email="u1@example.org")]}
        answer = await line.post(app, "/v1/batch", json.dumps(content).encode())
        assert (answer.status, answer.body["code"]) == (401, "invalid_write_key")
        assert (await app.store.ledger()).accepted == 0


# --- values -------------------------------------------------------------------------------------------------------

NESTED: Final[dict[str, Any]] = {
    "empty": None,
    "cart": {"items": [{"sku": "a", "price": 1.5}], "note": None},
    "sizes": ["s", "m", None],
    "nothing": {},
}


async def test_nested_and_null_properties_become_what_delighted_takes(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("u1", email="u1@example.org"), line.track("u1", PURCHASE, **NESTED))
        cart = '{"items": [{"price": 1.5, "sku": "a"}], "note": null}'
        expected = {"cart": cart, "sizes": "s, m", "nothing": "{}", "segment_user_id": "u1"}
        assert surveys(line.delighted)[0]["properties"] == expected


async def test_nested_and_null_properties_become_what_retently_takes(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.track("u1", ACTIVATION, email="u1@example.org", **NESTED))
        (row,) = bodies(line.retently)[0]["subscribers"]
        assert row["properties"] == [
            {"label": "cart_items", "type": "collection", "value": ['{"sku":"a","price":1.5}']},
            {"label": "sizes", "type": "collection", "value": ["s", "m"]},
            {"label": "segment_user_id", "type": "string", "value": "u1"},
        ]


async def test_nested_and_null_properties_become_what_promoter_takes(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        track = line.track("u1", INVITATION, **NESTED)
        await line.tell(app, line.identify("u1", email="u1@example.org"), track)
        attributes = bodies(line.promoter)[1]["attributes"]
        assert attributes == {"sizes": "s, m", "event": INVITATION, "request_id": f"{track['messageId']}:survey"}


async def test_nested_and_null_traits_become_what_satismeter_takes(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("u1", email="u1@example.org", **NESTED, company={"name": "MI6"}))
        traits = {"email": "u1@example.org", "sizes": "s, m", "company_name": "MI6", "segment_user_id": "u1"}
        assert bodies(line.satismeter)[0]["traits"] == traits


EMAILS: Final = [
    ("Ana.Lee@Example.ORG", "ana.lee@example.org"),
    ("ana+nps@example.org", "ana+nps@example.org"),
    ("  ana@example.org\t", "ana@example.org"),
    ("ana@bücher.example", "ana@bücher.example"),
    ("Jürgen@BÜCHER.example", "jürgen@bücher.example"),
    ("ana@xn--bcher-kva.example", "ana@xn--bcher-kva.example"),
    ("o'brien@example.org", "o'brien@example.org"),
]


@pytest.mark.parametrize(("written", "told"), EMAILS)
async def test_an_email_is_told_to_all_vendors_in_one_form(tmp_path: Path, written: str, told: str) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("u1", email=written), line.track("u1", ACTIVATION, email=written))
        assert bodies(line.delighted)[0]["email"] == told
        assert bodies(line.promoter)[0]["email"] == told
        assert bodies(line.satismeter)[0]["traits"]["email"] == told
        assert bodies(line.retently)[0]["subscribers"][0]["email"] == told


@pytest.mark.parametrize("written", ["ana lee@example.org", "ana@", "ana", "ana@example.org, bob@example.org", "", 7])
async def test_what_is_no_email_is_told_to_nobody_and_the_reason_is_listed(tmp_path: Path, written: Any) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("u1", email=written))
        assert bodies(line.delighted) == bodies(line.promoter) == []
        assert "email" not in bodies(line.satismeter)[0]["traits"]
        listed = await line.listed(app, State.FILTERED)
        assert {one.connection for one in listed} == {"delighted", "promoter"}
        assert all("email" in (one.reason or "") for one in listed)
        assert not any("ana" in (one.reason or "") for one in listed)


async def test_names_of_300_characters_are_cut_to_what_each_vendor_takes(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        names = {"firstName": "A" * 300, "lastName": "B" * 300, "name": "C" * 300}
        email = "u1@example.org"
        await line.tell(app, line.identify("u1", email=email, **names))
        await line.tell(app, line.track("u1", ACTIVATION, email=email, **names))
        assert bodies(line.delighted)[0]["name"] == "C" * 254
        contact = bodies(line.promoter)[0]
        assert (contact["first_name"], contact["last_name"]) == ("A" * 255, "B" * 255)
        (row,) = bodies(line.retently)[0]["subscribers"]
        assert (row["first_name"], row["last_name"]) == ("A" * 255, "B" * 255)
        assert bodies(line.satismeter)[0]["traits"]["name"] == "C" * 300
        assert (await app.store.ledger()).delivered == 4


# --- never 5xx ----------------------------------------------------------------------------------------------------

SENSELESS: Final[dict[str, bytes]] = {
    "nothing": b"",
    "cut off": b'{"batch":[{"type":"track"',
    "null": b"null",
    "a number": b"42",
    "a text": b'"text"',
    "an empty object": b"{}",
    "an empty list": b"[]",
    "batch is null": single({"batch": None}),
    "batch is an object": single({"batch": {}}),
    "batch is empty": single({"batch": []}),
    "no UTF-8": b'{"batch":[{"type":"track","event":"\xff\xfe"}]}',
    "a lone surrogate": single({"type": "identify", "userId": "\ud83d", "traits": {"email": "\udc00@example.org"}}),
    "not a number": b'{"writeKey":"key-of-the-web-shop","type":"track","userId":NaN}',
    "a mountain of brackets": b"[" * 100_000,
    "a mountain of objects": b'{"a":' * 50_000,
    "gzip of nothing": b"\x1f\x8b",
    "broken gzip": b"\x1f\x8b\x08" + b"\x00" * 50,
    "gzip cut off": gzip.compress(single({"batch": []}) * 100)[:-30],
    "a gzip bomb": gzip.compress(b" " * 20_000_000),
    "a very long number": b'{"writeKey":"key-of-the-web-shop","type":"track","userId":' + b"9" * 5000 + b"}",
    "times from nowhere": single(
        {"type": "track", "userId": "u1", "event": "Nothing", "timestamp": "+275760-09-13T00:00:00Z", "sentAt": -1}
    ),
    "members of all types": single(
        {"type": ["track"], "userId": [], "context": 7, "traits": [], "integrations": "all", "messageId": {}}
    ),
}


@pytest.mark.parametrize("case", SENSELESS)
async def test_senseless_bodies_are_answered_with_safe_statuses_at_every_door(tmp_path: Path, case: str) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        for path in ("/v1/batch", "/v1/identify", "/v1/t", "/v1/import", "/hooks/segment"):
            answer = await line.post(app, path, SENSELESS[case])
            assert answer.status in SAFE
            assert answer == TAKEN or {"success", "code", "message"} <= answer.body.keys()
        signed = await line.webhook(app, line.call("track", userId={"a": [case]}))
        assert signed == TAKEN
        await line.rests(app)
        assert await shelf(line, app)
        assert not [told for told in line.told if told.level == "ERROR"]

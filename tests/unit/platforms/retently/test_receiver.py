"""What an unsigned webhook hints at, in every shape that a template may have."""

from typing import Any

import orjson
import pytest

from npsbridge.core.ports import TokenReceiver
from npsbridge.errors import BadRecord
from npsbridge.platforms.retently.receiver import TEMPLATE, RetentlyReceiver
from npsbridge.sandbox.retently import EVERYTHING, RECOMMENDED
from unit.platforms.retently.bench import Bench

ID = "66d200000000000000000010"
EMAIL = "mara@acme.test"


@pytest.fixture
def receiver(bench: Bench) -> TokenReceiver:
    return RetentlyReceiver(bench.wiring(webhook_token="t0ken"))


def test_the_token_is_that_of_the_setting(receiver: TokenReceiver) -> None:
    assert receiver.token == "t0ken"


@pytest.mark.parametrize(
    ("body", "hints"),
    [
        ({"event": "feedback", "id": ID, "email": EMAIL, "score": 9}, [f"{ID} {EMAIL}"]),
        ({"id": ID}, [ID]),
        ({"feedbackId": ID, "id": "evt_000001"}, [ID]),
        ({"response_id": ID, "email": None}, [ID]),
        ({"email": "Mara@Acme.test "}, [EMAIL]),
        ({"id": "{{id}}", "email": EMAIL}, [EMAIL]),
        ({"id": 7, "email": EMAIL}, [EMAIL]),
        ({"id": ID, "email": "{{email}}"}, [ID]),
        ({"event": "New feedback", "data": {"id": ID}}, [ID]),
        ({"data": {"feedback": {"id": ID, "email": EMAIL}}}, [f"{ID} {EMAIL}"]),
        ({"id": "evt_000001", "response": {"id": ID}}, [ID]),
        ({"data": {"responses": [{"id": ID}, {"id": ID[::-1]}]}}, [ID, ID[::-1]]),
        ([{"id": ID}, {"id": ID}], [ID]),
        ({"id": ID, "customer": {"id": "66b0c1d2e3f4a5b6c7d8e9f0", "email": EMAIL}}, [f"{ID} {EMAIL}"]),
        ({"score": 9, "contact": {"email": EMAIL}}, [EMAIL]),
    ],
    ids=str,
)
def test_an_answer_is_hinted_at(receiver: TokenReceiver, body: object, hints: list[str]) -> None:
    heard = receiver.hear(orjson.dumps(body))
    assert (heard.hints, heard.records) == (hints, [])


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"event": "ping"},
        {"event": "Contact opted out", "email": EMAIL},
        {"event": "unsubscribed", "data": {"email": EMAIL}},
        {"event": "Survey bounced", "email": EMAIL, "id": ID},
        {"type": "opt-out", "email": EMAIL},
        {"id": "../../etc", "email": "nobody"},
        {"id": None, "email": None},
        [1, None, "x"],
    ],
    ids=str,
)
def test_other_news_hints_at_nothing(receiver: TokenReceiver, body: object) -> None:
    heard = receiver.hear(orjson.dumps(body))
    assert (heard.hints, heard.records) == ([], [])


@pytest.mark.parametrize(
    "body",
    [
        {"event": "unsubscribed", "data": {"email": EMAIL}},
        {"event": "Contact opted out", "email": EMAIL.upper()},
        [{"type": "opt-out", "customer": {"email": EMAIL}}],
    ],
    ids=str,
)
def test_who_opts_out_is_told_by_email(receiver: TokenReceiver, body: object) -> None:
    assert receiver.hear(orjson.dumps(body)).unsubscribed == [EMAIL]


@pytest.mark.parametrize("raw", [b"", b"<html>", b"7", b"null", b'"text"', b"{", b"\xff\xfe"], ids=repr)
def test_what_is_no_json_object_or_list_is_refused(receiver: TokenReceiver, raw: bytes) -> None:
    with pytest.raises(BadRecord):
        receiver.hear(raw)


def test_a_body_nested_without_end_is_read_no_deeper_than_any_template_goes(receiver: TokenReceiver) -> None:
    body: Any = {"id": ID}
    for _ in range(50):
        body = {"data": body}
    assert receiver.hear(orjson.dumps(body)).hints == []


def test_the_template_we_suggest_is_json_with_the_fields_we_read() -> None:
    assert set(orjson.loads(TEMPLATE)) == set(RECOMMENDED)


@pytest.mark.parametrize(
    "template",
    [RECOMMENDED, EVERYTHING, {"feedback": EVERYTHING}, {"mail": "{{email}}", "email": "{{email}}"}],
    ids=str,
)
async def test_whatever_the_template_the_answer_is_read_back(
    bench: Bench, receiver: TokenReceiver, template: object
) -> None:
    bench.server.webhook_template = template
    answered = bench.server.answer("ana@example.org", 9)
    heard = receiver.hear(bench.server.webhook_body(answered))
    [record] = await bench.source().look_up(heard.hints)
    assert orjson.loads(record)["id"] == answered

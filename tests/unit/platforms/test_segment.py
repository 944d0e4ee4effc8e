"""Sending to Segment and its like: settings, requests, what answers mean, planning."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from npsbridge.core.model import Emission, Identity, Kind, Response
from npsbridge.core.outcome import Blame, Delivered, Paused, Rejected, RetryLater
from npsbridge.errors import AnswerLost, NotSent, TryLater, UnreadablePage
from npsbridge.platforms.segment import (
    BATCH_EVENTS,
    EU,
    US,
    SegmentDestination,
    SegmentSettings,
)
from npsbridge.sandbox import CorruptGzip, Fault, GzipBomb, ResetAfterReading, SegmentServer, Truncated
from npsbridge.sandbox.faults import empty, error_object, html, null, redirect, status
from unit.platforms.endpoint import (
    GOOD,
    KEY,
    Endpoint,
    batch,
    deliver,
    delivery,
    kinds_of,
    live,
    reply,
    wiring,
)
from unit.sandbox.calling import NEW_YEAR, Hands

# --- settings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "endpoint"),
    [
        ({}, US),
        ({"region": "us"}, US),
        ({"region": "eu"}, EU),
        ({"base_url": US, "region": "eu"}, EU),
        ({"base_url": f"{US}/v1/", "region": "eu"}, EU),
        ({"base_url": "https://rudder.example"}, "https://rudder.example"),
        ({"base_url": "https://rudder.example/", "region": "eu"}, "https://rudder.example"),
        ({"base_url": "https://rudder.example/v1"}, "https://rudder.example"),
        ({"base_url": "https://rudder.example/v1/"}, "https://rudder.example"),
        ({"base_url": "https://rudder.example/in/v1"}, "https://rudder.example/in"),
        ({"base_url": "http://127.0.0.1:8080"}, "http://127.0.0.1:8080"),
    ],
)
def test_the_endpoint_is_found_however_it_is_written(given: dict[str, Any], endpoint: str) -> None:
    assert SegmentSettings(**given).endpoint == endpoint


@pytest.mark.parametrize(("rate_limit", "size"), [(0, BATCH_EVENTS), (1000, 250), (10_000, BATCH_EVENTS), (0.5, 1)])
def test_a_batch_is_a_quarter_second_of_the_rate(rate_limit: float, size: int) -> None:
    assert SegmentDestination(wiring(Endpoint(), rate_limit=rate_limit)).batch_limit == size


# --- one request ---------------------------------------------------------------------------------------------------


async def test_the_events_arrive_in_order() -> None:
    async with live(Hands()) as (server, destination):
        assert await destination.deliver(batch(5)) == [GOOD] * 5
        assert [event["messageId"] for event in server.events] == ["m0", "m1", "m2", "m3", "m4"]


async def test_the_key_stands_in_the_header_and_in_the_body() -> None:
    async with live(Hands()) as (server, destination):
        await destination.deliver(batch(1))
        (request,) = server.requests
    given = base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
    assert (given, request.body["writeKey"]) == (f"{KEY}:", KEY)
    assert (request.path, request.headers["Content-Type"]) == ("/v1/batch", "application/json")


async def test_sent_at_is_the_time_of_each_attempt() -> None:
    hands = Hands()
    async with live(hands) as (server, destination):
        server.faults.add(status(503))
        await destination.deliver(batch(1))
        hands.forward(6 * 3600)
        await destination.deliver(batch(1))
        sent = [request.body["sentAt"] for request in server.requests]
    assert sent == ["2026-01-01T00:00:00.000Z", "2026-01-01T06:00:00.000Z"]


# --- the dialects --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["segment", "strict", "rudder", "jitsu"])
async def test_every_dialect_takes_a_good_batch(mode: str) -> None:
    async with live(Hands(), switches={"mode": mode}) as (server, destination):
        assert await destination.deliver(batch(3)) == [GOOD] * 3
        assert len(server.message_ids) == 3


async def test_a_jitsu_that_says_it_failed_is_not_believed() -> None:
    async with live(Hands(), switches={"mode": "jitsu", "no_destination": True}) as (_, destination):
        (outcome,) = await destination.deliver(batch(1))
    assert isinstance(outcome, RetryLater)
    assert (outcome.blame, "says that it failed" in outcome.reason) == (Blame.UNCLEAR, True)


@pytest.mark.parametrize("mode", ["rudder", "strict"])
async def test_i6_one_bad_event_of_a_batch_is_found_and_the_others_arrive(mode: str) -> None:
    nobody = delivery(3, b'{"type":"track","event":"Submit Survey","messageId":"m3"}')
    async with live(Hands(), switches={"mode": mode}) as (server, destination):
        outcomes = await destination.deliver([*batch(3), nobody, delivery(4)])
        assert kinds_of(outcomes) == [Delivered, Delivered, Delivered, Rejected, Delivered]
        assert server.message_ids == {"m0", "m1", "m2", "m4"}


async def test_the_words_of_a_refusal_are_kept() -> None:
    async with live(Hands(), switches={"mode": "rudder"}) as (_, destination):
        (outcome,) = await destination.deliver([delivery(1, b'{"type":"track","event":"x","messageId":"m1"}')])
    assert outcome == Rejected(reason="HTTP 400 request neither has anonymousId nor userId")


async def test_f23_a_key_that_is_not_known_pauses_and_names_the_setting() -> None:
    async with live(Hands(), switches={"mode": "rudder"}, write_key=SecretStr("another")) as (_, destination):
        outcomes = await destination.deliver(batch(2))
    assert outcomes == [Paused(reason="HTTP 401 Invalid Write Key; check NPSBRIDGE_SEGMENT__WRITE_KEY")] * 2


# --- the status of an answer ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [200, 201, 202, 204])
async def test_any_good_status_counts_as_delivered(code: int) -> None:
    assert await deliver(Endpoint(lambda _: reply(code)), batch(2)) == [GOOD] * 2


@pytest.mark.parametrize("code", [401, 403])
async def test_f23_a_refused_key_pauses(code: int) -> None:
    paused = Paused(reason=f"HTTP {code}; check NPSBRIDGE_SEGMENT__WRITE_KEY")
    assert await deliver(Endpoint(lambda _: reply(code)), batch(2)) == [paused] * 2


@pytest.mark.parametrize("code", [301, 302, 307, 404, 405, 407, 410, 501, 505])
async def test_f24_a_wrong_address_pauses(code: int) -> None:
    paused = Paused(reason=f"HTTP {code}; check NPSBRIDGE_SEGMENT__BASE_URL")
    assert await deliver(Endpoint(lambda _: reply(code)), batch(2)) == [paused] * 2


@pytest.mark.parametrize("code", [408, 425, 460, 500, 502, 503, 504])
async def test_f25_passing_trouble_is_unclear(code: int) -> None:
    endpoint = Endpoint(lambda _: reply(code, retry_after="9"))
    assert await deliver(endpoint, batch(2)) == [RetryLater(reason=f"HTTP {code}", after=9, blame=Blame.UNCLEAR)] * 2
    assert endpoint.got == [[0, 1]]


@pytest.mark.parametrize(
    ("said", "after"),
    [("30", 30), ("Thu, 01 Jan 2026 00:00:30 GMT", 30), ("9999999", 300), ("soon", None), ("", None)],
)
async def test_f22_too_many_requests_stop_everything_as_long_as_asked(said: str, after: float | None) -> None:
    endpoint = Endpoint(lambda _: reply(429, retry_after=said))
    assert await deliver(endpoint, batch(2)) == [RetryLater(reason="HTTP 429", after=after)] * 2


@pytest.mark.parametrize(
    ("error", "blame"),
    [
        (NotSent("no connection to api.segment.io"), Blame.CONNECTION),
        (AnswerLost("no answer"), Blame.UNCLEAR),
        (UnreadablePage("too large", location="/v1/batch", body=b""), Blame.UNCLEAR),
    ],
)
async def test_f17_f20_trouble_of_the_transport_is_retried(error: TryLater, blame: Blame) -> None:
    outcomes = await deliver(Endpoint(lambda _: error), batch(2))
    assert outcomes == [RetryLater(reason=str(error), blame=blame)] * 2


@pytest.mark.parametrize(
    "fault", [ResetAfterReading(), CorruptGzip(), GzipBomb(decoded_bytes=40 * 2**20), html(), null(), error_object()]
)
async def test_f20_f21_f26_after_a_doubtful_answer_the_same_events_are_sent_again(fault: Fault) -> None:
    async with live(Hands()) as (server, destination):
        server.faults.add(fault)
        assert kinds_of(await destination.deliver(batch(2))) == [RetryLater] * 2
        assert await destination.deliver(batch(2)) == [GOOD] * 2
        assert server.counts.total() == 2


@pytest.mark.parametrize("fault", [empty(), Truncated(keep=0.5)])
async def test_a_good_status_without_a_readable_body_is_believed(fault: Fault) -> None:
    async with live(Hands()) as (server, destination):
        server.faults.add(fault)
        assert await destination.deliver(batch(1)) == [GOOD]


async def test_f27_a_redirect_gets_neither_events_nor_key() -> None:
    async with live(Hands()) as (server, destination), SegmentServer() as elsewhere:
        server.faults.add(redirect(f"{elsewhere.base_url}/v1/batch", code=308))
        assert kinds_of(await destination.deliver(batch(1))) == [Paused]
        assert len(elsewhere.requests) == 0


# --- what is never said --------------------------------------------------------------------------------------------


async def test_i19_neither_key_nor_email_of_a_refusal_is_repeated() -> None:
    body = json.dumps({"code": "bad", "message": f"{KEY} ana@example.org", "event": "the comment"}).encode()
    (outcome,) = await deliver(Endpoint(lambda _: reply(400, body)), batch(1))
    assert outcome == Rejected(reason="HTTP 400 bad *** ***")


@pytest.mark.parametrize("body", [b"<html>secret</html>", b"\xff\xfe", b"two\nlines", b'["secret"]', b'{"error":"x"}'])
async def test_other_bodies_of_refusals_are_left_out(body: bytes) -> None:
    assert await deliver(Endpoint(lambda _: reply(400, body)), batch(1)) == [Rejected(reason="HTTP 400")]


async def test_words_of_a_refusal_are_cut_short() -> None:
    (outcome,) = await deliver(Endpoint(lambda _: reply(400, b"long " * 1000)), batch(1))
    assert isinstance(outcome, Rejected)
    assert len(outcome.reason) == 200


# --- planning ------------------------------------------------------------------------------------------------------


def emission(*kinds: Kind, comment: str = "Fast", revision: int = 1) -> Emission:
    response = Response(
        platform="delighted",
        connection="shop",
        id="430021",
        survey_type="nps",
        score=9,
        comment=comment,
        created_at=datetime.fromtimestamp(NEW_YEAR, UTC),
    )
    identity = Identity(user_id="u1", email="ana@example.org")
    return Emission(response=response, revision=revision, identity=identity, is_newest=True, kinds=kinds)


def plan(of: Emission, **given: Any) -> list[dict[str, Any]]:
    return [json.loads(planned.body) for planned in SegmentDestination(wiring(Endpoint(), **given)).plan(of)]


def test_each_kind_is_one_delivery_in_the_order_given() -> None:
    destination = SegmentDestination(wiring(Endpoint()))
    planned = destination.plan(emission(Kind.IDENTIFY, Kind.SUBMIT, Kind.ANSWERED))
    assert [one.kind for one in planned] == ["identify", "submit", "answered"]
    assert {(one.connection, one.person, one.subject) for one in planned} == {("segment", "user:u1", "shop/430021")}


def test_i12_the_message_id_of_a_delivery_is_that_of_its_body() -> None:
    destination = SegmentDestination(wiring(Endpoint()))
    for one in destination.plan(emission(Kind.IDENTIFY, Kind.SUBMIT)):
        assert json.loads(one.body)["messageId"] == one.message_id


def test_f46_another_write_key_gives_other_message_ids() -> None:
    (ours,), (theirs,) = plan(emission(Kind.SUBMIT)), plan(emission(Kind.SUBMIT), write_key=SecretStr("another-key"))
    assert ours["messageId"] != theirs["messageId"]


def test_integrations_are_copied_to_every_call() -> None:
    calls = plan(emission(Kind.IDENTIFY, Kind.SUBMIT), integrations={"All": False, "Warehouse": True})
    assert [call["integrations"] for call in calls] == [{"All": False, "Warehouse": True}] * 2


def test_i15_an_event_never_exceeds_32_kb() -> None:
    destination = SegmentDestination(wiring(Endpoint()))
    planned = destination.plan(emission(Kind.IDENTIFY, Kind.SUBMIT, comment="\N{GRINNING FACE}" * 50_000))
    assert all(len(one.body) <= 32_000 for one in planned)


def test_i15_what_cannot_be_made_to_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="bytes remain"):
        plan(emission(Kind.SUBMIT), integrations={"x": "y" * 33_000})

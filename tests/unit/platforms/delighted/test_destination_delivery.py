"""What goes out to the look-alike, and what each of its answers means for the delivery."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from npsbridge.core.calls import Call
from npsbridge.core.forward import IDENTIFY, SURVEY
from npsbridge.core.model import Delivery
from npsbridge.core.outcome import (
    Blame,
    Declined,
    Delivered,
    Outcome,
    Paused,
    Rejected,
    Retired,
    RetryLater,
    Unknown,
)
from npsbridge.platforms.delighted.destination import DelightedDestination
from npsbridge.sandbox import CorruptGzip, Fault, ResetAfterReading, ResetBeforeReading, Truncated
from npsbridge.sandbox.faults import Answer, CutConnection, empty, error_object, html, null, redirect, status
from unit.platforms.delighted.forwarding import BOUGHT, EMAIL, MAKERS, ForwardBench, call, forwarding, person, track
from unit.sandbox.calling import NEW_YEAR

HOME = {"segment_user_id": "u_881"}
KINDS = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


@pytest.fixture
async def shop() -> AsyncIterator[ForwardBench]:
    async with forwarding() as shop:
        yield shop


async def outcome_of(of: Call, fault: Fault) -> Outcome:
    async with forwarding() as shop:
        shop.server.faults.add(fault)
        return await shop.deliver(shop.delivery(of))


# --- what goes out ----------------------------------------------------------------------------------------------


async def test_an_identify_is_one_request_and_asks_for_no_survey(shop: ForwardBench) -> None:
    outcome = await shop.deliver(shop.delivery(call(), person(traits={"name": "Ana", "plan": "free"})))
    [request] = shop.server.requests
    assert (outcome, request.method, request.target, shop.surveys) == (Delivered(), "POST", "/v1/people.json", [])
    assert request.body == {"email": EMAIL, "name": "Ana", "send": False, "properties": {"plan": "free", **HOME}}
    assert [one.email for one in shop.server.people.values()] == [EMAIL]


async def test_a_configured_event_is_one_request_for_a_survey(shop: ForwardBench) -> None:
    outcome = await shop.deliver(shop.delivery(track(properties={"total": 9}), person(traits={"plan": "free"})))
    [request] = shop.server.requests
    assert (outcome, request.method, request.target) == (Delivered(), "POST", "/v1/people.json")
    assert request.body == {
        "email": EMAIL,
        "send": True,
        "channel": "email",
        "delay": 0,
        "properties": {"plan": "free", "total": 9, **HOME},
    }
    assert shop.surveys == ["sent"]


async def test_requests_carry_key_and_content_type(shop: ForwardBench) -> None:
    await shop.deliver(shop.delivery(call()))
    headers = shop.server.requests[0].headers
    assert (headers["Content-Type"], headers["Accept"]) == ("application/json", "application/json")
    assert headers["Authorization"].startswith("Basic ")


async def test_a_survey_by_sms_reaches_the_person_whom_identify_made() -> None:
    who = person(traits={"phone": "+15550109988"})
    async with forwarding(surveys={BOUGHT: {"channel": "sms"}}) as shop:
        await shop.deliver(shop.delivery(call(), who))
        assert await shop.deliver(shop.delivery(track(), who)) == Delivered()
        [ana] = shop.server.people.values()
    assert (ana.email, ana.phone_number) == (EMAIL, "+15550109988")


async def test_the_answer_comes_back_under_the_user_id_that_triggered_it(shop: ForwardBench) -> None:
    await shop.deliver(shop.delivery(track()))
    response_id = shop.server.answer(EMAIL, 9)
    assert shop.server.responses[response_id].person_properties == {**HOME, "Delighted Source": "Email"}


@pytest.mark.parametrize(
    ("late", "delay"), [(0, 3600), (0.9, 3600), (1, 3599), (600.5, 3000), (3600, 0), (90_000, 0), (-5, 3600)]
)
async def test_i10_the_delay_counts_from_when_the_trigger_was_accepted(late: float, delay: int) -> None:
    async with forwarding(surveys={BOUGHT: {"delay": 3600}}) as shop:
        delivery = shop.delivery(track())
        shop.shop.forward(late)
        await shop.deliver(delivery)
    assert [request["delay"] for request in shop.asked] == [delay]


async def test_a_delayed_survey_is_scheduled_for_its_time() -> None:
    async with forwarding(surveys={BOUGHT: {"delay": 3600}}) as shop:
        assert await shop.deliver(shop.delivery(track())) == Delivered()
        [request] = shop.server.survey_requests
    assert (request.scheduled_at, request.state) == (NEW_YEAR + 3600, "pending")


# --- declined ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shown_as", ["null", "absent"])
async def test_a_throttled_survey_is_declined(shown_as: str) -> None:
    async with forwarding({"unscheduled_is": shown_as}) as shop:
        await shop.deliver(shop.delivery(track()))
        outcome = await shop.deliver(shop.delivery(track(message_id="m-2"), number=2))
        assert shop.surveys == ["sent", "throttled"]
    assert isinstance(outcome, Declined)


@pytest.mark.parametrize("act", ["unsubscribe", "bounce"])
async def test_a_survey_of_somebody_who_cannot_be_mailed_is_declined(shop: ForwardBench, act: str) -> None:
    await shop.deliver(shop.delivery(call()))
    getattr(shop.server, act)(EMAIL)
    assert isinstance(await shop.deliver(shop.delivery(track())), Declined)


async def test_throttling_that_is_decided_later_is_not_known_now() -> None:
    async with forwarding({"throttle_decided_later": True}) as shop:
        await shop.deliver(shop.delivery(track()))
        assert await shop.deliver(shop.delivery(track(message_id="m-2"), number=2)) == Delivered()


# --- refused ----------------------------------------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize("standing", ["unauthorized", "forbidden"])
async def test_f23_a_refused_key_pauses_and_names_the_setting(make: Any, standing: str) -> None:
    async with forwarding({"standing": standing}) as shop:
        outcome = await shop.deliver(shop.delivery(make()))
    assert isinstance(outcome, Paused)
    assert outcome.reason.endswith("check NPSBRIDGE_DELIGHTED__API_KEY")


@KINDS
@pytest.mark.parametrize("fault", [status(404), status(405), status(406), redirect("http://127.0.0.1/")])
async def test_what_answers_at_a_wrong_address_pauses_and_names_the_setting(make: Any, fault: Fault) -> None:
    outcome = await outcome_of(make(), fault)
    assert isinstance(outcome, Paused)
    assert outcome.reason.endswith("check NPSBRIDGE_DELIGHTED__BASE_URL")


@KINDS
async def test_the_end_of_the_service_retires_the_connection(make: Any) -> None:
    async with forwarding({"standing": "retired"}) as shop:
        outcome = await shop.deliver(shop.delivery(make()))
    assert outcome == Retired(reason="HTTP 410: the service has ended")


@KINDS
@pytest.mark.parametrize(("header", "after"), [(7, 7.0), (None, None), ("soon", None), (99_999, 300.0)])
async def test_too_many_requests_wait_as_long_as_is_asked(make: Any, header: Any, after: float | None) -> None:
    outcome = await outcome_of(make(), status(429, retry_after=header))
    assert outcome == RetryLater(reason="HTTP 429", after=after, blame=Blame.CONNECTION)


@KINDS
async def test_a_refusal_of_this_one_is_told_without_the_values(make: Any) -> None:
    said = '{"status":422,"message":"…","errors":{"email":["ana@example.org is invalid"],"name":["is odd"]}}'
    outcome = await outcome_of(make(), Answer(status=422, body=said))
    assert outcome == Rejected(reason='HTTP 422 {"email": ["*** is invalid"], "name": ["is odd"]}')


@KINDS
@pytest.mark.parametrize("body", ["", "<html>", "[]", '{"errors":"none"}'])
async def test_a_refusal_without_words_is_one_all_the_same(make: Any, body: str) -> None:
    assert await outcome_of(make(), Answer(status=422, body=body)) == Rejected(reason="HTTP 422")


async def test_a_delivery_of_another_kind_is_refused_without_a_request(shop: ForwardBench) -> None:
    stranger = Delivery(**{**_fields(shop.delivery(call())), "kind": "event"})
    assert isinstance(await shop.deliver(stranger), Rejected)
    assert shop.asked == []


def _fields(delivery: Delivery) -> dict[str, Any]:
    return {name: getattr(delivery, name) for name in delivery.__struct_fields__}


# --- in doubt ---------------------------------------------------------------------------------------------------

DOUBTFUL: dict[str, Fault] = {
    "500": status(500),
    "502": status(502),
    "503": status(503, retry_after=1),
    "504": status(504),
    "408": status(408),
    "reset, processed": ResetAfterReading(),
    "reset, not processed": ResetAfterReading(effect=False),
    "reset at once": ResetBeforeReading(),
    "cut": CutConnection(),
    "truncated": Truncated(),
    "corrupt": CorruptGzip(),
    "empty": empty(),
    "null": null(),
    "web page": html(),
    "error object": error_object(),
}


@pytest.mark.parametrize("fault", DOUBTFUL.values(), ids=DOUBTFUL)
async def test_i8_a_survey_whose_answer_does_not_tell_is_unknown(fault: Fault) -> None:
    assert isinstance(await outcome_of(track(), fault), Unknown)


@pytest.mark.parametrize("fault", DOUBTFUL.values(), ids=DOUBTFUL)
async def test_an_identify_whose_answer_does_not_tell_is_repeated(fault: Fault) -> None:
    outcome = await outcome_of(call(), fault)
    assert isinstance(outcome, RetryLater)
    assert outcome.blame is Blame.UNCLEAR


@pytest.mark.parametrize("fault", DOUBTFUL.values(), ids=DOUBTFUL)
async def test_i8_a_request_in_doubt_is_not_repeated_by_the_client(fault: Fault) -> None:
    async with forwarding() as shop:
        await shop.deliver(shop.delivery(call()))  # a connection that is kept open, as in the life of a daemon
        shop.server.faults.add(fault, times=None)
        await shop.deliver(shop.delivery(track()))
        assert len(shop.server.requests) == 2


@KINDS
async def test_what_was_never_sent_is_owed_still(shop: ForwardBench, make: Any) -> None:
    await shop.server.stop()
    outcome = await shop.deliver(shop.delivery(make()))
    assert isinstance(outcome, RetryLater)
    assert outcome.blame is Blame.CONNECTION


def test_only_surveys_must_not_be_repeated() -> None:
    assert DelightedDestination.once == {SURVEY}
    assert IDENTIFY not in DelightedDestination.once

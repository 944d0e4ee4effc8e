"""Contacts and surveys against the look-alike: what it is told, and what its answers mean."""

from collections.abc import Callable
from typing import Any

import pytest

from npsbridge.core.calls import Call
from npsbridge.core.model import Delivery
from npsbridge.core.outcome import Blame, Declined, Delivered, Outcome, Paused, Rejected, Retired, RetryLater, Unknown
from npsbridge.core.people import Person
from npsbridge.platforms.promoter.parse import parse
from npsbridge.sandbox import faults
from npsbridge.sandbox.faults import Answer, CutConnection, Fault, GzipBomb, ResetAfterReading, ResetBeforeReading
from npsbridge.sandbox.promoter import PromoterServer
from npsbridge.sandbox.rate import RateLimit
from unit.platforms.promoter.engine import DAY, Engine
from unit.platforms.promoter.forwarding import call, destination, planned, stored, ted, track
from unit.sandbox.calling import Hands

SURVEY, ORDER = track("Friend Invited", totalInvites=50), track("Order Completed", order_id="A-1001", total=99)


@pytest.fixture
def engine(connect: Callable[..., Engine]) -> Engine:
    return connect(campaign_id=78, list_id=599, surveys=["Friend Invited"])


def deliveries(engine: Engine, told: Call, person: Person | None = None) -> list[Delivery]:
    plans = planned(destination(engine), told, person or ted())
    return [stored(plan, at=engine.hands(), number=number) for number, plan in enumerate(plans)]


async def outcome_of(engine: Engine, told: Call, person: Person | None = None) -> Outcome:
    [outcome] = await destination(engine).deliver(deliveries(engine, told, person))
    return outcome


def sent(server: PromoterServer) -> list[str]:
    return [request.email for request in server.survey_requests if request.is_sent]


# --- what arrives -----------------------------------------------------------------------------------------------


async def test_an_identify_makes_a_contact_and_asks_for_no_survey(server: PromoterServer, engine: Engine) -> None:
    assert await outcome_of(engine, call()) == Delivered()
    [contact] = server.contacts.values()
    assert (contact.email, contact.first_name, contact.last_name) == ("ted@mosbiusdesigns.com", "Ted", "Mosby")
    assert (contact.attributes, contact.contact_list) == ({"plan": "Premium", "segment_user_id": "12345"}, (599,))
    assert server.survey_requests == []


async def test_an_identify_is_one_request_with_exactly_this_content(server: PromoterServer, engine: Engine) -> None:
    await outcome_of(engine, call())
    [request] = server.requests
    assert (request.method, request.target) == ("POST", "/api/contacts/")
    assert request.headers["Authorization"] == f"Token {server.api_key}"
    assert request.headers["Content-Type"] == "application/json"
    assert request.body == {
        "email": "ted@mosbiusdesigns.com",
        "first_name": "Ted",
        "last_name": "Mosby",
        "attributes": {"plan": "Premium", "segment_user_id": "12345"},
        "contact_list": [599],
        "campaign": 78,
        "send": False,
    }


async def test_an_identify_may_be_repeated(server: PromoterServer, engine: Engine) -> None:
    assert [await outcome_of(engine, call()) for _ in range(2)] == [Delivered()] * 2
    assert len(server.contacts) == 1


@pytest.mark.parametrize("status", [200, 201])
async def test_a_listed_event_surveys_the_contact(server: PromoterServer, engine: Engine, status: int) -> None:
    server.change_switches({"survey_status": status})
    assert await outcome_of(engine, SURVEY) == Delivered()
    [request] = server.survey_requests
    assert (request.version, request.email, request.campaign) == (2, "ted@mosbiusdesigns.com", 78)
    assert request.attributes == {"totalInvites": 50, "event": "Friend Invited", "request_id": "m-1:survey"}
    assert [one.target for one in server.requests] == ["/api/v2/survey/"]


@pytest.mark.parametrize("known", ["merge", "replace"])
async def test_an_order_is_stored_with_the_contact_and_takes_nothing_from_it(
    server: PromoterServer, engine: Engine, known: str
) -> None:
    server.change_switches({"attributes_of_known": known})
    await outcome_of(engine, call())
    assert await outcome_of(engine, ORDER) == Delivered()
    attributes = server.properties_of("ted@mosbiusdesigns.com")
    assert attributes.items() >= {"plan": "Premium", "last_order_id": "A-1001", "last_order_total": "99"}.items()
    assert server.survey_requests == []


async def test_the_answer_comes_home_under_the_userid_that_asked(server: PromoterServer, engine: Engine) -> None:
    await outcome_of(engine, SURVEY)
    server.answer("ted@mosbiusdesigns.com", 9)
    await engine.poll()
    answer = parse("promoter", engine.stored[-1])
    assert (answer.person.user_id, answer.person.email) == ("12345", "ted@mosbiusdesigns.com")
    assert b'"request_id":"m-1:survey"' in engine.stored[-1]


async def test_everything_of_a_batch_has_its_own_outcome(server: PromoterServer, engine: Engine) -> None:
    server.faults.add(faults.status(400), path="/contacts/")
    batch = [*deliveries(engine, ORDER), *deliveries(engine, SURVEY)]
    assert [type(one) for one in await destination(engine).deliver(batch)] == [Rejected, Delivered]


async def test_a_kind_of_another_release_is_refused_and_not_sent(server: PromoterServer, engine: Engine) -> None:
    [delivery] = deliveries(engine, call())
    stranger = Delivery(**{name: getattr(delivery, name) for name in delivery.__struct_fields__} | {"kind": "gossip"})
    assert [type(one) for one in await destination(engine).deliver([stranger])] == [Rejected]
    assert list(server.requests) == []


# --- who is not surveyed ----------------------------------------------------------------------------------------


async def test_who_was_surveyed_lately_is_not_eligible_and_that_is_no_error(
    server: PromoterServer, engine: Engine, hands: Hands
) -> None:
    server.change_switches({"throttle_days": 30})
    assert await outcome_of(engine, SURVEY) == Delivered()
    hands.forward(29 * DAY)
    refusal = await outcome_of(engine, SURVEY)
    assert isinstance(refusal, Declined)
    assert "not eligible" in refusal.reason
    assert len(sent(server)) == 1


async def test_who_unsubscribed_there_is_not_eligible(server: PromoterServer, engine: Engine) -> None:
    await outcome_of(engine, call())
    server.unsubscribe("ted@mosbiusdesigns.com")
    assert isinstance(await outcome_of(engine, SURVEY), Declined)


REFUSALS = [
    ('{"contact":{"email":["ann@acme.test is not valid."]}}', "HTTP 400 contact.email: *** is not valid."),
    ('{"campaign":["Not found."]}', "check NPSBRIDGE_PROMOTER__CAMPAIGN_ID and NPSBRIDGE_PROMOTER__SURVEYS"),
    ('{"campaign_id":["Not found."]}', "check NPSBRIDGE_PROMOTER__CAMPAIGN_ID"),
    ('{"contact_list":["Not found."]}', "check NPSBRIDGE_PROMOTER__LIST_ID"),
    ('{"non_field_errors":["No."]}', "non_field_errors: No."),
    ("<html>", "HTTP 400"),
    ('"' + "x" * 5000 + '"', "HTTP 400 xxx"),
]


@pytest.mark.parametrize("told", [call(), SURVEY])
@pytest.mark.parametrize(("body", "words"), REFUSALS)
async def test_f24_what_is_refused_for_good_is_dead_with_the_vendors_words_and_without_emails(
    server: PromoterServer, engine: Engine, told: Call, body: str, words: str
) -> None:
    server.faults.add(Answer(status=400, body=body))
    outcome = await outcome_of(engine, told)
    assert isinstance(outcome, Rejected)
    assert words in outcome.reason
    assert "@" not in outcome.reason
    assert len(outcome.reason) < 400


async def test_an_unknown_campaign_names_its_settings(server: PromoterServer, connect: Callable[..., Engine]) -> None:
    outcome = await outcome_of(connect(campaign_id=77, surveys=["Friend Invited"]), SURVEY)
    assert isinstance(outcome, Rejected)
    assert "NPSBRIDGE_PROMOTER__CAMPAIGN_ID" in outcome.reason
    assert sent(server) == []


# --- trouble ----------------------------------------------------------------------------------------------------

LOST: list[Fault] = [
    ResetBeforeReading(),
    ResetAfterReading(effect=False),
    ResetAfterReading(),
    CutConnection(),
    faults.status(500),
    faults.status(503),
    faults.status(408),
    faults.html(),
    faults.empty(),
    faults.null(),
    faults.error_object(),
    GzipBomb(),
    Answer(body='{"detail":"Request was throttled."}'),
    Answer(body="[]"),
]


@pytest.mark.parametrize("fault", LOST)
async def test_f30_a_survey_without_a_readable_answer_is_unknown_and_never_simply_repeated(
    server: PromoterServer, engine: Engine, fault: Fault
) -> None:
    server.faults.add(fault)
    outcome = await outcome_of(engine, SURVEY)
    assert isinstance(outcome, Unknown)
    assert outcome.reason
    assert len(server.requests) == 1


@pytest.mark.parametrize("told", [call(), ORDER])
@pytest.mark.parametrize("fault", LOST)
async def test_a_contact_without_a_readable_answer_is_sent_again(
    server: PromoterServer, engine: Engine, fault: Fault, told: Call
) -> None:
    server.faults.add(fault)
    outcome = await outcome_of(engine, told)
    assert isinstance(outcome, RetryLater)
    assert outcome.blame is Blame.UNCLEAR


@pytest.mark.parametrize("told", [call(), SURVEY])
async def test_f20_what_was_never_sent_is_sent_later(server: PromoterServer, engine: Engine, told: Call) -> None:
    await server.stop()
    outcome = await outcome_of(engine, told)
    assert isinstance(outcome, RetryLater)
    assert outcome.blame is Blame.CONNECTION


@pytest.mark.parametrize("told", [call(), SURVEY])
@pytest.mark.parametrize(("has_header", "after"), [(True, 57), (False, 60)])
async def test_f22_who_comes_too_often_comes_later(
    server: PromoterServer, engine: Engine, hands: Hands, told: Call, *, has_header: bool, after: float
) -> None:
    server.change_switches({"rate_limit": RateLimit(requests=1), "retry_after_header": has_header})
    await outcome_of(engine, call())
    hands.forward(3)
    outcome = await outcome_of(engine, told)
    assert outcome == RetryLater(reason="HTTP 429", after=after)
    assert server.survey_requests == []


@pytest.mark.parametrize("told", [call(), SURVEY])
@pytest.mark.parametrize("standing", ["unauthorized", "forbidden"])
async def test_f23_a_refused_key_pauses_and_names_its_setting(
    server: PromoterServer, engine: Engine, told: Call, standing: str
) -> None:
    server.change_switches({"standing": standing})
    outcome = await outcome_of(engine, told)
    assert isinstance(outcome, Paused)
    assert "NPSBRIDGE_PROMOTER__API_KEY" in outcome.reason


@pytest.mark.parametrize("told", [call(), SURVEY])
async def test_an_ended_service_is_retired(server: PromoterServer, engine: Engine, told: Call) -> None:
    server.change_switches({"standing": "retired"})
    assert isinstance(await outcome_of(engine, told), Retired)


@pytest.mark.parametrize(
    "fault", [faults.status(404), faults.status(405), faults.redirect("https://www.example.test/")]
)
async def test_f27_what_is_no_such_api_pauses_and_names_the_address(
    server: PromoterServer, engine: Engine, fault: Any
) -> None:
    server.faults.add(fault)
    outcome = await outcome_of(engine, SURVEY)
    assert isinstance(outcome, Paused)
    assert "NPSBRIDGE_PROMOTER__BASE_URL" in outcome.reason

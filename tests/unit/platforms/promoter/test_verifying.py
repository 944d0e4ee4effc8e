"""What became of a survey request whose answer was lost: the vendor's own `request_id`, and one late retry."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from npsbridge.core.model import Delivery, State
from npsbridge.core.outcome import Blame, Declined, Delivered, Outcome, Rejected, RetryLater, Unknown
from npsbridge.platforms.promoter.destination import PromoterDestination
from npsbridge.platforms.promoter.verifying import LATE, SAFE_FOR
from npsbridge.sandbox import faults
from npsbridge.sandbox.faults import Answer, Fault, ResetAfterReading
from npsbridge.sandbox.promoter import PromoterServer
from npsbridge.sandbox.rate import RateLimit
from unit.platforms.asking import asker_of
from unit.platforms.promoter.engine import Engine
from unit.platforms.promoter.forwarding import TED, destination, planned, stored, ted, track
from unit.sandbox.calling import Hands

EMAIL = TED["email"]


@pytest.fixture
def engine(connect: Callable[..., Engine]) -> Engine:
    return connect(campaign_id=78, surveys=["Friend Invited"])


@pytest.fixture
def promoter(engine: Engine) -> PromoterDestination:
    return destination(engine)


@pytest.fixture
def request_made(engine: Engine, promoter: PromoterDestination) -> Delivery:
    [plan] = planned(promoter, track("Friend Invited"), ted())
    return stored(plan, at=engine.hands())


async def lose(server: PromoterServer, promoter: PromoterDestination, request: Delivery, *, effect: bool) -> None:
    """The connection breaks, before or after the vendor has heard."""
    server.faults.add(ResetAfterReading(effect=effect), path="/survey/")
    assert [type(one) for one in await promoter.deliver([request])] == [Unknown]


async def later(promoter: PromoterDestination, request: Delivery, hands: Hands) -> Outcome:
    """What is known once the first request must be over."""
    first = await asker_of(promoter).verify(request)
    assert isinstance(first, RetryLater)
    hands.forward(LATE)
    return await asker_of(promoter).verify(request)


def sent(server: PromoterServer) -> int:
    return sum(request.is_sent for request in server.survey_requests)


# --- the truth --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("effect", [True, False])
async def test_i16_a_lost_answer_ends_with_exactly_one_survey(
    server: PromoterServer,
    promoter: PromoterDestination,
    request_made: Delivery,
    hands: Hands,
    *,
    effect: bool,
) -> None:
    await lose(server, promoter, request_made, effect=effect)
    assert await later(promoter, request_made, hands) == Delivered()
    assert sent(server) == 1


async def test_i16_a_restart_between_the_looks_surveys_nobody_twice(
    server: PromoterServer, engine: Engine, promoter: PromoterDestination, request_made: Delivery, hands: Hands
) -> None:
    await lose(server, promoter, request_made, effect=True)
    for _ in range(3):
        assert await later(destination(engine), request_made, hands) == Delivered()
    assert sent(server) == 1


async def test_an_answer_that_names_the_request_is_proof_and_asks_for_nothing(
    server: PromoterServer, promoter: PromoterDestination, request_made: Delivery
) -> None:
    await lose(server, promoter, request_made, effect=True)
    server.answer(EMAIL, 9)
    assert await asker_of(promoter).verify(request_made) == Delivered()
    assert len(server.survey_requests) == 1


async def test_an_answer_to_another_request_proves_nothing(
    server: PromoterServer, promoter: PromoterDestination, request_made: Delivery
) -> None:
    server.answer(EMAIL, 9, survey_attributes={"request_id": "another"})
    server.answer(EMAIL, 9)
    assert isinstance(await asker_of(promoter).verify(request_made), RetryLater)


async def test_the_proof_is_looked_for_among_the_answers_of_that_person_and_campaign(
    server: PromoterServer, promoter: PromoterDestination, request_made: Delivery
) -> None:
    await asker_of(promoter).verify(request_made)
    [request] = server.requests
    assert request.method == "GET"
    assert request.target == "/api/v2/feedback/?survey__contact__email=ted@mosbiusdesigns.com&survey__campaign=78"


async def test_the_retry_is_late_and_the_first_look_only_waits(
    server: PromoterServer, promoter: PromoterDestination, request_made: Delivery, hands: Hands
) -> None:
    first = await asker_of(promoter).verify(request_made)
    hands.forward(LATE - 1)
    second = await asker_of(promoter).verify(request_made)
    assert [(one.after, one.blame) for one in (first, second) if isinstance(one, RetryLater)] == [
        (LATE, Blame.DELIVERY),
        (1, Blame.DELIVERY),
    ]
    assert server.survey_requests == []


async def test_what_is_too_old_for_the_vendors_throttle_is_left_to_a_person(
    server: PromoterServer, promoter: PromoterDestination, request_made: Delivery, hands: Hands
) -> None:
    await lose(server, promoter, request_made, effect=True)
    hands.forward(SAFE_FOR + 1)
    assert isinstance(await asker_of(promoter).verify(request_made), Unknown)
    hands.forward(24 * 3600)
    assert isinstance(await asker_of(promoter).verify(request_made), Unknown)
    assert sent(server) == 1


async def test_i8_f15_under_a_clock_that_was_set_back_nothing_is_asked_for_again(
    engine: Engine, server: PromoterServer, promoter: PromoterDestination, request_made: Delivery, hands: Hands
) -> None:
    await lose(server, promoter, request_made, effect=True)
    hands.forward(25 * 3600)
    engine.clock.error = -48 * 3600
    assert isinstance(await asker_of(promoter).verify(request_made), Unknown)
    assert sent(server) == 1


async def test_f15_a_clock_that_is_set_back_a_little_does_not_put_the_retry_off(
    engine: Engine, server: PromoterServer, promoter: PromoterDestination, request_made: Delivery, hands: Hands
) -> None:
    await lose(server, promoter, request_made, effect=False)
    hands.forward(3600)
    assert isinstance(await asker_of(promoter).verify(request_made), RetryLater)
    engine.clock.error = -3000
    hands.forward(LATE)
    assert await asker_of(promoter).verify(request_made) == Delivered()
    assert sent(server) == 1


async def test_up_to_the_last_moment_the_retry_is_within_the_vendors_throttle(
    server: PromoterServer, promoter: PromoterDestination, request_made: Delivery, hands: Hands
) -> None:
    await lose(server, promoter, request_made, effect=True)
    hands.forward(SAFE_FOR - LATE)
    assert await later(promoter, request_made, hands) == Delivered()
    assert sent(server) == 1


async def test_who_has_unsubscribed_was_declined(
    server: PromoterServer, promoter: PromoterDestination, request_made: Delivery, hands: Hands
) -> None:
    server.account.put_contact(EMAIL)
    server.unsubscribe(EMAIL)
    await lose(server, promoter, request_made, effect=True)
    assert isinstance(await later(promoter, request_made, hands), Declined)
    assert sent(server) == 0


async def test_who_cannot_be_looked_up_counts_as_surveyed(
    server: PromoterServer, promoter: PromoterDestination, request_made: Delivery, hands: Hands
) -> None:
    await lose(server, promoter, request_made, effect=True)
    server.faults.add(ResetAfterReading(), faults.html(), path="/contacts/")
    assert await later(promoter, request_made, hands) == Delivered()
    assert await asker_of(promoter).verify(request_made) == RetryLater(
        reason="the first request is given time to end", after=LATE, blame=Blame.DELIVERY
    )


# --- when nobody can be asked -----------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [faults.status(503), faults.html(), ResetAfterReading(), Answer(status=401)])
async def test_while_the_vendor_cannot_be_asked_the_request_waits(
    server: PromoterServer, promoter: PromoterDestination, request_made: Delivery, fault: Fault
) -> None:
    server.faults.add(fault)
    outcome = await asker_of(promoter).verify(request_made)
    assert isinstance(outcome, RetryLater)
    assert outcome.blame is Blame.DELIVERY
    assert server.survey_requests == []


async def test_an_ended_service_leaves_it_to_a_person(
    server: PromoterServer, promoter: PromoterDestination, request_made: Delivery
) -> None:
    server.change_switches({"standing": "retired"})
    assert isinstance(await asker_of(promoter).verify(request_made), Unknown)


async def test_an_account_without_v2_feedback_has_no_proof_but_the_retry(
    server: PromoterServer, promoter: PromoterDestination, request_made: Delivery, hands: Hands
) -> None:
    await lose(server, promoter, request_made, effect=True)
    server.faults.add(faults.status(404), times=None, path="/v2/feedback/")
    assert await later(promoter, request_made, hands) == Delivered()


@pytest.mark.parametrize(
    ("survey", "attributes"),
    [(None, None), ([], None), ({"attributes": []}, None), ({"attributes": {"request_id": 7}}, None)],
)
async def test_feedback_of_any_shape_is_no_proof(
    server: PromoterServer, promoter: PromoterDestination, request_made: Delivery, survey: Any, attributes: Any
) -> None:
    rows = [{"id": 1, "survey": survey, "attributes": attributes}, 7, "row"]
    body = msgspec.json.encode({"count": 1, "next": None, "results": rows}).decode()
    server.faults.add(Answer(body=body))
    assert isinstance(await asker_of(promoter).verify(request_made), RetryLater)


# --- what the retry may be told ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (ResetAfterReading(), Unknown),
        (faults.status(503), Unknown),
        (Answer(status=410), Unknown),
        (Answer(status=401), RetryLater),
        (Answer(status=404), RetryLater),
        (faults.status(429), RetryLater),
        (Answer(status=400, body='{"campaign":["Not found."]}'), Rejected),
    ],
)
async def test_the_retry_is_made_once_and_what_it_leaves_open_is_left_to_a_person(
    server: PromoterServer,
    promoter: PromoterDestination,
    request_made: Delivery,
    hands: Hands,
    *,
    fault: Fault,
    expected: type[Outcome],
) -> None:
    server.faults.add(fault, path="/survey/")
    assert isinstance(await later(promoter, request_made, hands), expected)
    assert sum(request.path == "/api/v2/survey/" for request in server.requests) == 1


async def test_f22_a_limit_puts_the_retry_off(
    server: PromoterServer, promoter: PromoterDestination, request_made: Delivery, hands: Hands
) -> None:
    await asker_of(promoter).verify(request_made)
    hands.forward(LATE)
    server.change_switches({"rate_limit": RateLimit(requests=1)})
    limited = await asker_of(promoter).verify(request_made)
    assert limited == RetryLater(reason="HTTP 429", after=60, blame=Blame.DELIVERY)
    hands.forward(60)
    server.change_switches({"rate_limit": None})
    assert await asker_of(promoter).verify(request_made) == Delivered()
    assert sent(server) == 1


# --- other surveys of the contact -----------------------------------------------------------------------------------


HOUR_MS = 3_600_000


def another(request: Delivery, ago_ms: int, state: State) -> Delivery:
    assert request.set_out_at is not None
    return msgspec.structs.replace(request, id=99, state=state, set_out_at=request.set_out_at - ago_ms)


@pytest.mark.parametrize(
    ("ago_ms", "state", "expected"),
    [
        (5000, State.DELIVERED, Declined),
        (int(SAFE_FOR * 1000), State.DELIVERED, Declined),
        (48 * HOUR_MS, State.DELIVERED, Unknown),
        (-5000, State.DELIVERED, Unknown),
        (5000, State.HELD, Unknown),
    ],
)
@pytest.mark.parametrize("effect", [True, False], ids=["done", "not done"])
async def test_i8_a_refusal_that_another_survey_explains_as_well_does_not_say_that_this_one_was_heard(
    engine: Engine,
    promoter: PromoterDestination,
    request_made: Delivery,
    *,
    ago_ms: int,
    state: State,
    expected: type[Outcome],
    effect: bool,
) -> None:
    [plan] = planned(promoter, track("Friend Invited"), ted())
    await promoter.deliver([stored(plan, at=engine.hands())])
    await lose(engine.server, promoter, request_made, effect=effect)
    asked = msgspec.structs.replace(request_made, set_out_at=request_made.created_at)
    beside = [another(asked, ago_ms, state)]
    assert isinstance(await asker_of(promoter).verify(asked, beside), RetryLater)
    engine.hands.forward(LATE)
    assert isinstance(await asker_of(promoter).verify(asked, beside), expected)
    assert sent(engine.server) == 1

"""What became of a survey request in doubt, as the look-alike's list of people shows it."""

from typing import Any

import pytest

from npsbridge.core.outcome import Delivered, Outcome, RetryLater, Undone, Unknown
from npsbridge.platforms.delighted.destination import SECOND_LOOK
from npsbridge.platforms.delighted.traces import TOLERANCE
from npsbridge.sandbox import Fault, Hang, ResetAfterReading
from npsbridge.sandbox.faults import Answer, error_object, html, status
from unit.platforms.delighted.forwarding import BOUGHT, EMAIL, ForwardBench, call, forwarding, person, track

PROCESSED, LOST = ResetAfterReading(), ResetAfterReading(effect=False)
NOW, LATER = {BOUGHT: {"delay": 0}}, {BOUGHT: {"delay": 7200}}
HOUR, DAY = 3600, 86_400


async def in_doubt(shop: ForwardBench, fault: Fault, *, known: bool = True, number: int = 1, **said: Any) -> Any:
    """A survey request that ended with a fault, of somebody whom an identify has made known."""
    if known:
        await shop.deliver(shop.delivery(call(), number=100))
    delivery = shop.delivery(track(**said), number=number)
    shop.server.faults.add(fault, method="POST")
    assert isinstance(await shop.deliver(delivery), Unknown)
    return delivery


async def settled(shop: ForwardBench, delivery: Any) -> Outcome:
    """What is known in the end, with the looks that the engine takes; what is undone is sent again."""
    shop.shop.forward(10)
    outcome = await shop.verify(delivery)
    for _ in range(9):
        if not isinstance(outcome, RetryLater):
            break
        shop.shop.forward(30)
        outcome = await shop.verify(delivery)
    return await shop.deliver(delivery) if isinstance(outcome, Undone) else outcome


# --- the truth --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("surveys", [NOW, LATER], ids=["now", "delayed"])
async def test_i8_a_request_that_was_processed_is_delivered(surveys: Any, *, known: bool) -> None:
    async with forwarding(surveys=surveys) as shop:
        delivery = await in_doubt(shop, PROCESSED, known=known)
        assert await shop.verify(delivery) == Delivered()


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("surveys", [NOW, LATER], ids=["now", "delayed"])
async def test_i8_a_request_that_was_not_processed_is_undone_at_the_second_look(surveys: Any, *, known: bool) -> None:
    async with forwarding(surveys=surveys) as shop:
        delivery = await in_doubt(shop, LOST, known=known)
        assert isinstance(await shop.verify(delivery), RetryLater)
        shop.shop.forward(SECOND_LOOK)
        assert await shop.verify(delivery) == Undone()


SWITCHES: list[dict[str, Any]] = [
    {},
    {"throttle_days": None},
    {"throttle_decided_later": True},
    {"sending_takes": 45},
    {"sending_takes": 45, "due_is_shown": False},
    {"pending_requests_coexist": False},
    {"unscheduled_is": "absent"},
    {"values_are_case_sensitive": False},
]


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
@pytest.mark.parametrize("surveys", [NOW, LATER], ids=["now", "delayed"])
@pytest.mark.parametrize("known", [True, False], ids=["known", "new"])
@pytest.mark.parametrize("waited", [0, HOUR, 3 * HOUR])
@pytest.mark.parametrize("fault", [PROCESSED, LOST], ids=["processed", "lost"])
async def test_i8_nobody_is_surveyed_twice_or_not_at_all(
    switches: dict[str, Any], surveys: Any, fault: Fault, waited: float, *, known: bool
) -> None:
    async with forwarding(switches, surveys=surveys) as shop:
        if known:
            await shop.deliver(shop.delivery(call(), number=100))
        delivery = shop.delivery(track())
        shop.shop.forward(waited)
        shop.server.faults.add(fault, method="POST")
        await shop.deliver(delivery)
        assert await settled(shop, delivery) == Delivered()
        shop.shop.forward(DAY)
        assert shop.surveys == ["sent"]


@pytest.mark.parametrize("skew", [-HOUR, -90, 90, HOUR])
@pytest.mark.parametrize("surveys", [NOW, LATER], ids=["now", "delayed"])
@pytest.mark.parametrize("fault", [PROCESSED, LOST], ids=["processed", "lost"])
async def test_i8_the_vendors_clock_may_be_off(skew: float, surveys: Any, fault: Fault) -> None:
    async with forwarding(surveys=surveys) as shop:
        shop.shop.theirs.forward(skew)
        delivery = await in_doubt(shop, fault)
        assert await settled(shop, delivery) == Delivered()
        shop.shop.forward(DAY)
        assert shop.surveys == ["sent"]


@pytest.mark.parametrize("jump", [-2 * DAY, -HOUR, HOUR, 30 * DAY])
@pytest.mark.parametrize("surveys", [NOW, LATER], ids=["now", "delayed"])
@pytest.mark.parametrize("fault", [PROCESSED, LOST], ids=["processed", "lost"])
async def test_i8_f15_our_clock_may_be_set_while_it_is_looked_for(jump: float, surveys: Any, fault: Fault) -> None:
    """The person was surveyed a day before, which must not be taken for it."""
    async with forwarding({"throttle_days": None}, surveys=surveys) as shop:
        await shop.deliver(shop.delivery(track(message_id="m-0"), number=9))
        shop.shop.forward(DAY)
        delivery = await in_doubt(shop, fault)
        shop.clock.error = jump
        assert await settled(shop, delivery) == Delivered()
        shop.shop.forward(DAY)
        assert shop.surveys == ["sent", "sent"]


async def test_i8_f15_after_a_restart_under_a_clock_that_was_set_back_a_person_decides() -> None:
    async with forwarding(surveys=NOW) as shop:
        delivery = await in_doubt(shop, PROCESSED)
        shop.clock.error = -2 * DAY
        shop.restart()
        assert isinstance(await settled(shop, delivery), Unknown)


async def test_a_request_that_is_processed_late_is_seen_at_the_second_look() -> None:
    async with forwarding({"sending_takes": 20, "due_is_shown": False}) as shop:
        delivery = await in_doubt(shop, PROCESSED)
        assert await shop.verify_twice(delivery) == Delivered()


async def test_a_restart_between_two_looks_only_means_another_look() -> None:
    async with forwarding() as shop:
        delivery = await in_doubt(shop, LOST)
        await shop.verify(delivery)
        shop.restart()
        shop.shop.forward(SECOND_LOOK)
        assert isinstance(await shop.verify(delivery), RetryLater)
        shop.shop.forward(SECOND_LOOK)
        assert await shop.verify(delivery) == Undone()


async def test_a_second_doubt_about_a_delivery_takes_two_looks_again() -> None:
    async with forwarding() as shop:
        delivery = await in_doubt(shop, LOST)
        assert await shop.verify_twice(delivery) == Undone()
        assert isinstance(await shop.verify(delivery), RetryLater)


# --- surveys beside it ------------------------------------------------------------------------------------------


async def test_a_survey_of_last_month_is_no_trace() -> None:
    async with forwarding() as shop:
        await shop.deliver(shop.delivery(track()))
        shop.shop.forward(40 * DAY)
        delivery = await in_doubt(shop, LOST, number=2, message_id="m-2")
        assert await shop.verify_twice(delivery) == Undone()


async def test_a_throttled_request_is_undone_and_then_declined() -> None:
    async with forwarding() as shop:
        await shop.deliver(shop.delivery(track()))
        shop.shop.forward(DAY)
        delivery = await in_doubt(shop, PROCESSED, number=2, message_id="m-2")
        outcome = await settled(shop, delivery)
        assert (type(outcome).__name__, shop.surveys) == ("Declined", ["sent", "throttled", "throttled"])


@pytest.mark.parametrize(("fault", "expected"), [(PROCESSED, Delivered()), (LOST, Undone())])
async def test_a_survey_that_goes_out_before_hides_this_one_until_then(fault: Fault, expected: Outcome) -> None:
    async with forwarding({"throttle_days": None}, surveys=LATER) as shop:
        await shop.deliver(shop.delivery(track()))
        shop.shop.forward(HOUR)
        delivery = await in_doubt(shop, fault, number=2, message_id="m-2")
        assert isinstance(await shop.verify_twice(delivery), RetryLater)
        shop.shop.forward(HOUR)
        assert await shop.verify_twice(delivery) == expected


async def test_a_survey_far_in_the_future_is_somebody_elses() -> None:
    async with forwarding() as shop:
        shop.server.account.surveys.ask(
            shop.server.add_person(EMAIL),
            at=shop.server.account.second(),
            scheduled_at=int(shop.shop.ours()) + 90 * DAY,
        )
        delivery = await in_doubt(shop, LOST)
        assert await shop.verify_twice(delivery) == Undone()


# --- how it is asked --------------------------------------------------------------------------------------------


async def test_the_person_is_looked_up_by_email_and_nothing_is_asked_for() -> None:
    async with forwarding() as shop:
        delivery = shop.delivery(track(), person("ana+b@example.org"))
        await shop.verify(delivery)
        [request] = shop.server.requests
    assert (request.method, request.target) == ("GET", "/v1/people.json?email=ana%2Bb@example.org")


@pytest.mark.parametrize("fault", [PROCESSED, LOST], ids=["processed", "lost"])
async def test_i8_a_survey_by_sms_is_looked_up_by_the_number(fault: Fault) -> None:
    who = person(traits={"phone": "+15550109988"})
    async with forwarding(surveys={BOUGHT: {"channel": "sms"}}) as shop:
        shop.server.add_person("old@example.org", phone_number="+15550109988")
        delivery = shop.delivery(track(), who)
        shop.server.faults.add(fault, method="POST")
        await shop.deliver(delivery)
        assert await settled(shop, delivery) == Delivered()
        assert shop.surveys == ["sent"]


CANNOT_BE_ASKED: dict[str, Fault] = {
    "500": status(500),
    "429": status(429, retry_after=1),
    "401": status(401),
    "404": status(404),
    "web page": html(),
    "error object": error_object(),
    "a text for a time": Answer(
        body='[{"email":"ana@example.org","last_sent_at":"now","next_survey_scheduled_at":null}]'
    ),
    "reset": ResetAfterReading(),
    "hang, then reset": Hang(seconds=0, effect=False),
}


@pytest.mark.parametrize("fault", CANNOT_BE_ASKED.values(), ids=CANNOT_BE_ASKED)
async def test_while_the_vendor_cannot_be_asked_nothing_is_concluded(fault: Fault) -> None:
    async with forwarding() as shop:
        delivery = await in_doubt(shop, LOST)
        shop.server.faults.add(fault, times=None)
        outcome = await shop.verify_twice(delivery)
    assert isinstance(outcome, RetryLater)
    assert outcome.reason.startswith("Delighted cannot be asked")


async def test_looks_that_told_nothing_do_not_count() -> None:
    async with forwarding() as shop:
        delivery = await in_doubt(shop, LOST)
        shop.server.faults.add(status(500))
        await shop.verify(delivery)
        shop.shop.forward(SECOND_LOOK)
        assert isinstance(await shop.verify(delivery), RetryLater)


async def test_a_vendor_out_of_reach_is_asked_later() -> None:
    async with forwarding() as shop:
        delivery = shop.delivery(track())
        await shop.server.stop()
        assert isinstance(await shop.verify(delivery), RetryLater)


UNTOLD = {
    "the service has ended": status(410),
    "no times": Answer(body='[{"email":"ana@example.org"}]'),
    "one time": Answer(body='[{"email":"ana@example.org","last_sent_at":null}]'),
    "others": Answer(body='[{"email":"bo@example.org","last_sent_at":null,"next_survey_scheduled_at":null}]'),
}


@pytest.mark.parametrize("fault", UNTOLD.values(), ids=UNTOLD)
async def test_a_vendor_that_cannot_tell_leaves_it_unknown(fault: Fault) -> None:
    async with forwarding() as shop:
        delivery = await in_doubt(shop, LOST)
        shop.server.faults.add(fault, times=None)
        assert isinstance(await shop.verify_twice(delivery), Unknown)


async def test_an_email_in_other_letters_is_the_same_person() -> None:
    async with forwarding({"values_are_case_sensitive": False}) as shop:
        shop.server.add_person("Ana@Example.org")
        delivery = await in_doubt(shop, PROCESSED)
        assert await shop.verify(delivery) == Delivered()


# --- surveys of one person, one after the other -----------------------------------------------------------------


@pytest.mark.parametrize("restarts", [True, False], ids=["restart", "one life"])
@pytest.mark.parametrize(("fault", "expected"), [(PROCESSED, Delivered()), (LOST, Undone())])
async def test_i1_a_survey_of_an_hour_ago_is_not_taken_for_one_that_waited_since_before(
    fault: Fault, expected: Outcome, *, restarts: bool
) -> None:
    async with forwarding({"throttle_days": None}, surveys=NOW) as shop:
        waited = shop.delivery(track(message_id="m-2"), number=2)
        assert await shop.deliver(shop.delivery(track())) == Delivered()
        shop.shop.forward(HOUR)
        shop.server.faults.add(fault, method="POST")
        assert isinstance(await shop.deliver(waited), Unknown)
        if restarts:
            shop.restart()
        assert await shop.verify_twice(waited) == expected


@pytest.mark.parametrize("restarts", [True, False], ids=["restart", "one life"])
@pytest.mark.parametrize("fault", [PROCESSED, LOST], ids=["processed", "lost"])
async def test_i8_which_of_two_surveys_of_the_same_minute_went_out_nobody_knows(
    fault: Fault, *, restarts: bool
) -> None:
    async with forwarding({"throttle_days": None}, surveys=NOW) as shop:
        assert await shop.deliver(shop.delivery(track())) == Delivered()
        shop.shop.forward(TOLERANCE / 2)
        delivery = await in_doubt(shop, fault, number=2, message_id="m-2")
        if restarts:
            shop.restart()
        assert isinstance(await shop.verify_twice(delivery), Unknown)


async def test_i8_a_survey_that_nobody_knows_of_either_may_be_the_one_that_is_seen() -> None:
    async with forwarding({"throttle_days": None}, surveys=NOW) as shop:
        await in_doubt(shop, PROCESSED)
        shop.shop.forward(TOLERANCE / 2)
        delivery = await in_doubt(shop, LOST, number=2, message_id="m-2")
        assert isinstance(await shop.verify_twice(delivery), Unknown)


async def test_i8_after_a_restart_under_a_clock_that_was_set_ahead_an_older_survey_is_not_taken_for_it() -> None:
    """By that clock the request was made yesterday, and the survey of an hour ago went out long after it."""
    async with forwarding({"throttle_days": None}, surveys=NOW) as shop:
        assert await shop.deliver(shop.delivery(track())) == Delivered()
        shop.shop.forward(HOUR)
        delivery = await in_doubt(shop, LOST, number=2, message_id="m-2")
        shop.clock.error = DAY
        shop.restart()
        assert isinstance(await shop.verify_twice(delivery), Unknown)


async def test_a_person_is_told_from_others_by_the_email_or_the_number() -> None:
    async with forwarding(surveys={BOUGHT: {"channel": "sms"}}) as shop:
        both = shop.delivery(track(), person(traits={"phone": "+15550109988"}))
        number = shop.delivery(track(), person(None, user_id=None, traits={"phone": "+15550109988"}))
        assert [shop.destination.recipient(one) for one in (both, number)] == [EMAIL, "+15550109988"]

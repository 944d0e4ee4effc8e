"""Which surveys in the outbox are left when every other request has had its own."""

from collections.abc import Sequence

import msgspec
import pytest

from npsbridge.core.model import Delivery, State
from npsbridge.platforms.retently.accounting import LATEST_MS, SKEW_MS, left_over
from npsbridge.platforms.retently.trigger import understood
from unit.platforms.retently.forwarding import VISIT, survey

EMAIL = "ana@example.org"
NOW = 1_775_000_000_000
MINUTE = 60_000


def request(
    number: int, at: int, state: State = State.DELIVERED, *, email: str = EMAIL, campaign: str = VISIT
) -> Delivery:
    """One that set out at a time, and was answered a second later, if ever."""
    settled_at = at + 1000 if state is State.DELIVERED else None
    made = survey(number, email, campaign=campaign, person=1, created_at=at - MINUTE)
    return msgspec.structs.replace(made, state=state, set_out_at=at, settled_at=settled_at)


def left(sent: Sequence[int], *beside: Delivery) -> list[int]:
    trigger = understood(request(9, NOW, State.INFLIGHT))
    assert trigger is not None
    return left_over(sent, trigger, beside)


def test_what_went_out_since_the_request_set_out_may_be_its() -> None:
    times = [NOW - SKEW_MS - 1, NOW - SKEW_MS, NOW + MINUTE]
    assert left(times) == times[1:]


@pytest.mark.parametrize("state", [State.DELIVERED, State.HELD, State.DEAD, State.INFLIGHT])
def test_i8_another_request_has_the_first_survey_that_may_be_its(state: State) -> None:
    other = request(1, NOW - MINUTE // 2, state)
    assert left([NOW], other) == []
    assert left([NOW - MINUTE // 2, NOW], other) == [NOW]


def test_i8_each_of_several_requests_has_one_survey() -> None:
    others = [request(number, NOW - number * 1000) for number in (1, 2, 3)]
    assert left([NOW, NOW + 1, NOW + 2], *others) == []
    assert left([NOW, NOW + 1, NOW + 2, NOW + 3], *others) == [NOW + 3]


def test_i8_a_survey_that_its_campaign_delayed_is_still_that_of_the_earlier_request() -> None:
    assert left([NOW], request(1, NOW - 10 * MINUTE)) == []


def test_a_request_whose_survey_went_out_before_accounts_for_no_other() -> None:
    assert left([NOW - 10 * MINUTE, NOW], request(1, NOW - 10 * MINUTE)) == [NOW]


def test_a_request_of_long_ago_that_led_to_nothing_accounts_for_nothing() -> None:
    at = NOW - LATEST_MS - SKEW_MS - 1000
    assert left([NOW], request(1, at)) == []
    assert left([NOW], request(1, at - 1)) == [NOW]


def test_requests_for_another_email_or_campaign_account_for_nothing() -> None:
    assert left([NOW], request(1, NOW, email="ben@example.org"), request(2, NOW, campaign="c")) == [NOW]
    assert left([NOW], request(1, NOW, email=EMAIL.upper())) == []

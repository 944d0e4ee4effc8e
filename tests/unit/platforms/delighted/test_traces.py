"""What the list of people shows of one survey: whether it is that survey, another one, or neither can be said."""

from typing import Any

import orjson
import pytest

from npsbridge.core.forward import SURVEY
from npsbridge.core.model import Delivery, State
from npsbridge.platforms.delighted.traces import LATEST, TOLERANCE, Listed, Span, Trace, counted_down, span

DUE = 1_000_000.0
NOW = DUE + 100
DAY = 86_400.0
OWN = Span(DUE - TOLERANCE, DUE + LATEST)


def request(*, delay: int = 0, created_at: float = DUE, set_out_at: float = DUE, **fields: Any) -> Delivery:
    given: dict[str, Any] = {"state": State.INFLIGHT} | fields
    return Delivery(
        id=1,
        connection="delighted",
        person="person:7",
        kind=SURVEY,
        message_id="m",
        body=orjson.dumps({"delay": delay}),
        created_at=int(created_at * 1000),
        set_out_at=int(set_out_at * 1000),
        **given,
    )


@pytest.mark.parametrize(
    ("scheduled", "sent", "expected"),
    [
        (None, None, Trace.NONE),
        (None, DUE - TOLERANCE - 1, Trace.NONE),
        (None, DUE - TOLERANCE, Trace.SURVEYED),
        (None, DUE + LATEST, Trace.SURVEYED),
        (None, DUE + LATEST + 1, Trace.OVERLAID),
        (DUE - TOLERANCE - 1, None, Trace.HIDDEN),
        (DUE - TOLERANCE, None, Trace.SURVEYED),
        (NOW + TOLERANCE, None, Trace.SURVEYED),
        (NOW + TOLERANCE + 1, None, Trace.NONE),
        (DUE + 90 * DAY, DUE, Trace.SURVEYED),
    ],
)
def test_times_count_from_shortly_before_it_was_due_until_now(
    scheduled: float | None, sent: float | None, expected: Trace
) -> None:
    assert Listed(next_survey_scheduled_at=scheduled, last_sent_at=sent).trace(OWN, beside=[], now=NOW) is expected


@pytest.mark.parametrize(("scheduled", "sent"), [(None, DUE), (DUE, None)])
@pytest.mark.parametrize(
    ("another", "expected"),
    [
        (Span(DUE - DAY, DUE - 1), Trace.SURVEYED),
        (Span(DUE - DAY, DUE), Trace.SHARED),
        (Span(DUE, DUE + DAY), Trace.SHARED),
        (Span(DUE + 1, DUE + DAY), Trace.SURVEYED),
    ],
)
def test_i8_what_may_be_another_one_is_shared(
    scheduled: float | None, sent: float | None, another: Span, expected: Trace
) -> None:
    listed = Listed(next_survey_scheduled_at=scheduled, last_sent_at=sent)
    assert listed.trace(OWN, beside=[Span(0, 1), another], now=NOW) is expected


def test_a_survey_goes_out_when_its_request_had_set_out_and_its_delay_was_over() -> None:
    late = request(delay=3600, created_at=DUE - 600.5)
    assert span(late, ahead=5) == Span(DUE + 3000 + 5 - TOLERANCE, DUE + 3000 + 5 + LATEST)
    assert span(request(delay=60, created_at=DUE - DAY), ahead=0) == Span(DUE - TOLERANCE, DUE + LATEST)


def test_a_request_that_was_answered_had_left_by_then_however_long_it_waited_for_its_turn() -> None:
    answered = request(delay=30, state=State.DELIVERED, settled_at=int((DUE + 900) * 1000))
    assert span(answered, ahead=0) == Span(DUE + 30 - TOLERANCE, DUE + 900 + 30 + 2 * TOLERANCE)


def test_a_request_that_was_given_up_while_nobody_knew_counts_as_one_that_hung() -> None:
    dropped = request(state=State.FILTERED, settled_at=int((DUE + DAY) * 1000))
    assert span(dropped, ahead=0) == OWN


@pytest.mark.parametrize(("elapsed_ms", "left"), [(-5, 90), (0, 90), (999, 90), (1000, 89), (90_000, 0), (99_000, 0)])
def test_a_delay_counts_from_when_the_request_was_accepted_in_whole_seconds(elapsed_ms: int, left: int) -> None:
    assert counted_down(request(delay=90), at=int(DUE * 1000) + elapsed_ms) == left

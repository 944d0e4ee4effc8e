"""What became of a survey request that got no answer.

Promoter.io gives a survey no id and shows none before it is answered. What can be known (API reference; help centre,
"Survey Throttle"): an answer brings back the `request_id` of its survey, and for 24 hours after a survey its contact
is not eligible for another, whatever the account's settings. So asking once more within that time surveys nobody
twice, and the refusal says that the first request was heard.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from npsbridge.clock import Clock
from npsbridge.core import reading
from npsbridge.core.model import Delivery, State
from npsbridge.core.outcome import Blame, Declined, Delivered, Outcome, Paused, Retired, RetryLater, Unknown
from npsbridge.core.ports import Inquiry
from npsbridge.errors import BadRecord, Gone, VendorError
from npsbridge.net.client import HttpClient
from npsbridge.platforms.base import Wiring
from npsbridge.platforms.promoter.api import FeedbackApi
from npsbridge.platforms.promoter.sending import Sending
from npsbridge.platforms.promoter.settings import PromoterSettings, authorized

LATE: Final = 300.0
"""Seconds from the first look to the second request: the first one is over by then, wherever it hung."""
SAFE_FOR: Final = 23 * 3600.0
"""Seconds after its planning in which a request may be made again; an hour less than the vendor's throttle."""
SKEW: Final = 60.0
"""Seconds that a clock may go back by itself; one that was set back further does not tell how old a request is."""


class Verifying:
    """Asks one account about single requests."""

    def __init__(self, wiring: Wiring[PromoterSettings], sending: Sending) -> None:
        self._http: HttpClient = wiring.http
        self._clock: Clock = wiring.clock
        self._feedback = FeedbackApi(wiring)
        self._sending = sending
        self._contacts_url = f"{wiring.settings.base_url}/contacts/"
        self._headers = authorized(wiring.settings)

    async def verify(self, delivery: Delivery, inquiry: Inquiry, beside: Sequence[Delivery]) -> Outcome:
        """See `Forwarder.verify`. Raises nothing but cancellation."""
        try:
            if await self._is_answered(delivery):
                return Delivered()
        except Gone as error:
            return Unknown(reason=str(error))
        except VendorError as error:
            return _cannot_ask(str(error))
        return await self._retry(delivery, inquiry, beside)

    async def _is_answered(self, delivery: Delivery) -> bool:
        """Whether there is feedback with the request's id; that there is none says nothing.

        One page is enough: the filters leave a handful of rows, and an account that ignores them has no proof to give.
        """
        request = reading.decode(delivery.body, dict[str, Any])
        query = {"survey__contact__email": email_of(request), "survey__campaign": str(request["campaign_id"])}
        page = await self._feedback.list(2, query, may_be_missing=True)
        wanted = request["attributes"]["request_id"]
        return any(_request_id(row.raw) == wanted for row in (page.rows if page else []))

    async def _retry(self, delivery: Delivery, inquiry: Inquiry, beside: Sequence[Delivery]) -> Outcome:
        """Ask for the survey once more, late enough and early enough."""
        age, now = (self._clock.now_ms() - delivery.created_at) / 1000, self._clock.monotonic()
        if not -SKEW <= age <= SAFE_FOR:
            return Unknown(reason="no answer names the request, and it may be too old to be asked for again")
        waited = inquiry.missed_for(now)
        if waited < LATE:
            return _cannot_ask("the first request is given time to end", after=LATE - waited)
        outcome = await self._sending.send(delivery)
        if not isinstance(outcome, Declined):
            return _of_retry(outcome)
        return _of_refusal(delivery, outcome, beside) or await self._heard_before(delivery, outcome)

    async def _heard_before(self, delivery: Delivery, refusal: Declined) -> Outcome:
        """Not eligible any more: most likely because the first request was heard, if not for having unsubscribed."""
        try:
            return refusal if await self._has_unsubscribed(delivery) else Delivered()
        except VendorError:
            return Delivered()

    async def _has_unsubscribed(self, delivery: Delivery) -> bool:
        email = email_of(reading.decode(delivery.body, dict[str, Any]))
        reply = await self._http.request(
            "GET", self._contacts_url, operation="find_contact", params={"email": email}, headers=self._headers
        )
        try:
            listed = reading.decode(reply.body, dict[str, Any]).get("results")
        except BadRecord:
            return False
        rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
        return any(str(row.get("email")).lower() == email and row.get("unsubscribed") is True for row in rows)


def _of_refusal(delivery: Delivery, refusal: Declined, beside: Sequence[Delivery]) -> Outcome | None:
    """What a refusal tells when there are other surveys of the contact; None when only the first request explains it.

    The contact was eligible for neither request if a survey had been taken within a day before. One that nobody is
    sure of, or that an account may throttle for longer, leaves it open which of them it was.
    """
    if any(_rules_out(one, delivery) for one in beside):
        return refusal
    return (
        Unknown(reason="the contact is not eligible any more, which another survey explains as well")
        if beside
        else None
    )


def _rules_out(other: Delivery, delivery: Delivery) -> bool:
    """Whether a survey was surely taken before, and less than the vendor's throttle ago."""
    if other.state is not State.DELIVERED or other.set_out_at is None or delivery.set_out_at is None:
        return False
    return 0 <= delivery.set_out_at - other.set_out_at <= SAFE_FOR * 1000


def _of_retry(outcome: Outcome) -> Outcome:
    """What the second request tells of the first."""
    match outcome:
        case RetryLater(reason=reason, after=after):
            return _cannot_ask(reason, after=after)
        case Paused(reason=reason):
            return _cannot_ask(reason)
        case Unknown(reason=reason) | Retired(reason=reason):
            return Unknown(reason=f"the request was made once more, and that was not answered either: {reason}")
        case _:
            return outcome


def _cannot_ask(reason: str, *, after: float | None = None) -> RetryLater:
    return RetryLater(reason=reason, after=after, blame=Blame.DELIVERY)


def email_of(request: Mapping[str, Any]) -> str:
    """Whom a request is about."""
    return str(request["contact"]["email"])


def _request_id(feedback: bytes) -> object:
    """What a feedback says of the request for its survey; it may be anything."""
    try:
        survey = reading.decode(feedback, dict[str, Any]).get("survey")
    except BadRecord:
        return None
    attributes = survey.get("attributes") if isinstance(survey, dict) else None
    return attributes.get("request_id") if isinstance(attributes, dict) else None

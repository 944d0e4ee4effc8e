"""The outbound half of Delighted: tells it of people, and asks it to survey those who did what SURVEYS lists.

Facts from Delighted's API pages "Sending to people" and "Listing people", its help articles 46, 47 and 559 (throttling)
and Segment's page "Delighted Destination". It must not know the store or other platforms.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from npsbridge.clock import Clock
from npsbridge.core import reading
from npsbridge.core.calls import Call, CallType
from npsbridge.core.forward import IDENTIFY, SURVEY, forward_id, is_sampled
from npsbridge.core.model import Delivery, PlannedDelivery
from npsbridge.core.outcome import (
    Blame,
    Declined,
    Delivered,
    Outcome,
    Paused,
    Rejected,
    Retired,
    RetryLater,
    Undone,
    Unknown,
)
from npsbridge.core.people import Person
from npsbridge.core.ports import Awaited, Inquiry
from npsbridge.errors import BadRecord, Gone, NotSent, TryLater, VendorError
from npsbridge.net.answers import expect_ok, passing, retry_after, said_at
from npsbridge.net.client import HttpClient, Reply
from npsbridge.platforms.base import Wiring
from npsbridge.platforms.delighted.people import WAYS, contact_of, encoded, people_body, survey_body, takes
from npsbridge.platforms.delighted.settings import DelightedSettings, SurveyRule, authorized
from npsbridge.platforms.delighted.traces import Listed, Trace, counted_down, span

SECOND_LOOK: Final = 60.0
"""Seconds for which no trace must turn up: the request may still be under way, or the survey just being sent."""
BACKWARDS: Final = 60.0
"""Seconds that a clock may go back by itself; one that was set back further tells nobody when a request was made."""

# --- destination ------------------------------------------------------------------------------------------------

_NOT_PROCESSED: Final = (425, 429)
"""Refused before anything was done: too early, too many."""
_NO_PROMISE: Final = "the answer is not what Delighted promises"
_DECLINED: Final = "Delighted scheduled no survey: surveyed not long ago, unsubscribed, or not to be reached"
_CANNOT_TELL: Final = {
    Trace.SHARED: "another survey of this person was due at about that time, and Delighted shows only one",
    Trace.OVERLAID: "another survey of this person went out since, and Delighted shows only the last one",
    Trace.UNTOLD: "Delighted does not show when this person is or was surveyed",
}


class DelightedDestination:
    """One request per delivery: Delighted has no batches.

    A repeated identify does no harm, for people are found by email; every request for a survey may cause one.
    """

    label = "Delighted"
    once = frozenset({SURVEY})
    batch_limit = 1
    rate_limit = 0.0

    def __init__(self, wiring: Wiring[DelightedSettings]) -> None:
        self.connection = wiring.name
        self._surveys = wiring.settings.surveys
        self.events = frozenset(self._surveys)
        self._http: HttpClient = wiring.http
        self._clock: Clock = wiring.clock
        self._url = f"{wiring.settings.base_url}/people.json"
        self._headers = {**authorized(wiring.settings), "Content-Type": "application/json"}
        self._key_setting = wiring.setting("API_KEY")
        self._base_setting = wiring.setting("BASE_URL")

    # --- deciding -------------------------------------------------------------------------------------------------

    def plan_call(self, call: Call, person: Person) -> list[PlannedDelivery] | Awaited:
        """See `Forwarder.plan_call`."""
        if call.type is CallType.IDENTIFY:
            return [self._planned_identify(call, person)]
        rule = self._surveys.get(call.event) if call.type is CallType.TRACK and call.event else None
        return self._planned_survey(call, person, rule) if rule else []

    def _planned_identify(self, call: Call, person: Person) -> PlannedDelivery:
        """It waits for nothing: an identify that brings the missing email says all traits again."""
        contact = contact_of("email", call, person)
        hindrance = _missing("email", contact) or _not_taken("email", contact)
        body = b"{}" if hindrance else people_body(contact["email"], person)
        return self._planned(call, person, IDENTIFY, body, hindrance)

    def _planned_survey(self, call: Call, person: Person, rule: SurveyRule) -> list[PlannedDelivery] | Awaited:
        contact = contact_of(rule.channel, call, person)
        missing, unwanted = _missing(rule.channel, contact), _unwanted(call, person, rule)
        if missing and not unwanted:
            return Awaited(reason=missing)
        hindrance = unwanted or _not_taken(rule.channel, contact)
        body = b"{}" if hindrance else survey_body(contact, call, person, rule)
        return [self._planned(call, person, SURVEY, body, hindrance)]

    def _planned(self, call: Call, person: Person, kind: str, body: bytes, hindrance: str | None) -> PlannedDelivery:
        return PlannedDelivery(
            connection=self.connection,
            person=person.key,
            kind=kind,
            message_id=forward_id(call, kind),
            body=body,
            filtered_because=hindrance,
        )

    # --- sending --------------------------------------------------------------------------------------------------

    async def deliver(self, batch: Sequence[Delivery]) -> list[Outcome]:
        """See `Sender.deliver`."""
        return [await self._attempt(delivery) for delivery in batch]

    async def _attempt(self, delivery: Delivery) -> Outcome:
        if delivery.kind not in (IDENTIFY, SURVEY):
            return Rejected(reason="is of no kind that Delighted takes")
        is_survey = delivery.kind == SURVEY
        operation = "request_survey" if is_survey else "create_person"
        body = self._counted_down(delivery) if is_survey else delivery.body
        try:
            reply = await self._http.request("POST", self._url, operation=operation, body=body, headers=self._headers)
        except NotSent as error:
            return RetryLater(reason=str(error))
        except TryLater as error:
            return _in_doubt(str(error), is_survey=is_survey)
        return self._judged(reply, is_survey=is_survey)

    def _counted_down(self, delivery: Delivery) -> bytes:
        """The request with what is left of its delay."""
        return encoded({**orjson.loads(delivery.body), "delay": counted_down(delivery, at=self._clock.now_ms())})

    def _judged(self, reply: Reply, *, is_survey: bool) -> Outcome:
        status, said = reply.status, f"HTTP {reply.status}"
        after = retry_after(reply, now=self._clock.now())
        if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own border
            return _answered(reply, is_survey=is_survey)
        if status in _NOT_PROCESSED:
            return RetryLater(reason=said, after=after)
        if passing(status):
            return _in_doubt(said, is_survey=is_survey, after=after)
        return self._refused(reply, said)

    def _refused(self, reply: Reply, said: str) -> Outcome:
        match reply.status:
            case 410:
                return Retired(reason=f"{said}: the service has ended")
            case 400 | 413 | 422:
                return Rejected(reason=f"{said} {_words(reply)}".strip())
            case 401 | 403:
                return Paused(reason=f"{said}: the key is refused; check {self._key_setting}")
        return Paused(reason=f"{said}; check {self._base_setting}")

    def _now(self) -> float:
        return self._clock.now_ms() / 1000

    # --- finding out ----------------------------------------------------------------------------------------------

    def recipient(self, delivery: Delivery) -> str:
        """The email; one without it is found by the phone number."""
        request = orjson.loads(delivery.body)
        return str(request.get("email") or request.get("phone_number") or delivery.person).lower()

    async def verify(self, delivery: Delivery, inquiry: Inquiry, beside: Sequence[Delivery] = ()) -> Outcome:
        """See `Forwarder.verify`; what has left no trace is Undone only when a second look finds none either.

        Delighted shows of a person only the next scheduled survey and the last one sent. A request that it threw away
        at once, because the person was surveyed not long ago, looks undone; to repeat that one is harmless.
        """
        if delivery.set_out_at is None or self._clock.now_ms() - delivery.set_out_at < -BACKWARDS * 1000:
            return Unknown(reason="the system's clock was set back since, so that nobody knows when it was asked for")
        request = orjson.loads(delivery.body)
        name = WAYS[request["channel"]].parameter
        try:
            reply = await self._list(name, request[name])
            people = reading.decode(reply.body, list[Listed])
        except Gone as error:
            return Unknown(reason=str(error))
        except (VendorError, BadRecord) as error:
            return RetryLater(reason=f"Delighted cannot be asked: {error}", blame=Blame.DELIVERY)
        now = self._vendors_now(reply)
        own, *others = [span(one, ahead=now - self._now()) for one in (delivery, *beside)]
        found = _found(people, name, request[name])
        return self._concluded(inquiry, found.trace(own, beside=others, now=now) if found else _unlisted(people))

    async def _list(self, name: str, value: str) -> Reply:
        reply = await self._http.request(
            "GET", self._url, operation="find_person", params={name: value}, headers=self._headers
        )
        expect_ok(reply, location="/people.json", setting=self._key_setting, now=self._clock.now)
        return reply

    def _vendors_now(self, reply: Reply) -> float:
        """Seconds since 1970 by the vendor's clock; by ours if it does not tell its time."""
        theirs = said_at(reply)
        return theirs.timestamp() if theirs else self._now()

    def _concluded(self, inquiry: Inquiry, trace: Trace) -> Outcome:
        match trace:
            case Trace.SURVEYED:
                return Delivered()
            case Trace.HIDDEN:
                reason = "another survey of this person goes out before, and Delighted shows only the next one"
                return RetryLater(reason=reason, blame=Blame.DELIVERY)
            case Trace.NONE:
                if inquiry.missed_for(self._clock.monotonic()) >= SECOND_LOOK:
                    return Undone()
                return RetryLater(reason="no trace of it yet; to be looked for again", blame=Blame.DELIVERY)
            case _:
                return Unknown(reason=_CANNOT_TELL[trace])


def _unwanted(call: Call, person: Person, rule: SurveyRule) -> str | None:
    """Why somebody is not asked; the sample is drawn by the call's own ids, which are the same wherever it is read."""
    if person.suppressed_because:
        return f"this person must not be surveyed: {person.suppressed_because}"
    who = call.user_id or call.anonymous_id or call.email or ""
    if not is_sampled(call.event or "", who, call.message_id, rule.sample_rate):
        return f"not in the sample of {rule.sample_rate:g}"
    return None


def _missing(channel: str, contact: Mapping[str, str]) -> str | None:
    """What an identify call may still bring."""
    way = WAYS[channel]
    return None if way.parameter in contact else f"no {way.noun} is known of this person"


def _not_taken(channel: str, contact: Mapping[str, str]) -> str | None:
    """Why a person cannot be reached although something is known; without the value, for it is personal."""
    way = WAYS[channel]
    is_taken = takes(way.parameter, contact[way.parameter])
    return None if is_taken else f"the {way.noun} of this person is none that Delighted takes"


def _in_doubt(reason: str, *, is_survey: bool, after: float | None = None) -> Outcome:
    """What follows when the vendor may or may not have done it: only a survey must not happen twice."""
    return Unknown(reason=reason) if is_survey else RetryLater(reason=reason, after=after, blame=Blame.UNCLEAR)


def _answered(reply: Reply, *, is_survey: bool) -> Outcome:
    """A survey that is not scheduled was declined; no error says so ("Sending to people", article 559)."""
    answer = _json(reply)
    if not isinstance(answer, dict) or not answer.get("id"):
        return _in_doubt(_NO_PROMISE, is_survey=is_survey)
    if is_survey and answer.get("survey_scheduled_at") is None:
        return Declined(reason=_DECLINED)
    return Delivered()


def _words(reply: Reply) -> str:
    """What was wrong, by parameter; without values, for they are personal."""
    answer = _json(reply)
    errors = answer.get("errors") if isinstance(answer, dict) else None
    words = json.dumps(errors, ensure_ascii=False) if isinstance(errors, dict) else ""
    return re.sub(r"[^\s\"]*@[^\s\"]*", "***", words)[:200]


def _json(reply: Reply) -> object:
    try:
        return orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return None


def _found(people: Sequence[Listed], name: str, value: str) -> Listed | None:
    """The person who was asked for."""
    return next((one for one in people if (getattr(one, name) or "").lower() == value), None)


def _unlisted(people: Sequence[Listed]) -> Trace:
    """A list of others tells nothing."""
    return Trace.UNTOLD if people else Trace.NONE

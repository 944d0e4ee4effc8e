"""Surveys that Retently is asked for: a track call listed under a campaign becomes a customer and a survey.

Facts from Retently's API documentation (retently.com/api), its help page on transactional campaigns, Segment's page on
its Retently destination, and public clients. A request has no key to be recognised by, so it is never repeated unless
the vendor cannot have seen it or has refused it. Must not know the store or other platforms.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from npsbridge.core import reading
from npsbridge.core.calls import Call, CallType
from npsbridge.core.forward import SURVEY, came_back, forward_id
from npsbridge.core.model import Delivery, PlannedDelivery, Record
from npsbridge.core.outcome import (
    Blame,
    Delivered,
    Outcome,
    Paused,
    Rejected,
    Retired,
    RetryLater,
    Unknown,
)
from npsbridge.core.people import Person
from npsbridge.core.ports import Awaited, Inquiry
from npsbridge.core.times import milliseconds
from npsbridge.errors import BadRecord, NotSent, TryLater, VendorError
from npsbridge.net.answers import expect_ok, passing, retry_after, said_at
from npsbridge.net.client import Reply
from npsbridge.platforms.base import Wiring
from npsbridge.platforms.retently.accounting import left_over
from npsbridge.platforms.retently.customer import customer, usable_email
from npsbridge.platforms.retently.lists import CAMPAIGNS, OUTBOX, Listing, Row, read_sheet
from npsbridge.platforms.retently.settings import RetentlySettings, authorized
from npsbridge.platforms.retently.source import FIRST_WAIT, LONGEST_WAIT
from npsbridge.platforms.retently.survey_answer import outcomes, refused, shown
from npsbridge.platforms.retently.trigger import Trigger, parts, understood

PATH: Final = "/survey"
ROWS: Final = 20
"""The most people in one request. The vendor takes 100, but one answer that is lost leaves all of them in doubt."""
ALL_REFUSED: Final = 5
"""So many refused of one request, and none accepted, is not the people's fault."""
NEWEST: Final = 100
"""How many sent surveys of one person and campaign are looked at."""
NO_OUTBOX: Final = (403, 404, 410)
"""What an account without an outbox may answer; a key that is refused is 401 (retently.com/api)."""
PATIENCE: Final = 900.0
"""Seconds for which a survey may yet turn up in the outbox; how soon a request is in it is not documented."""
UNREADABLE: Final = "what was asked for cannot be read any more"
BEHIND: Final = RetryLater(reason="waits for an earlier request for the same person", blame=Blame.DELIVERY)


class _Refusal(Record, frozen=True, kw_only=True):
    """The vendor took nothing of a request; whether that is one person's fault is open."""

    status: int
    words: str


class RetentlyDestination:
    """Asks for surveys, those of several people in one request for each campaign."""

    label = "Retently"
    once = frozenset({SURVEY})
    batch_limit = ROWS
    rate_limit = 0.0

    def __init__(self, wiring: Wiring[RetentlySettings]) -> None:
        self.connection = wiring.name
        self._settings = wiring.settings
        self.events = frozenset(name for events in wiring.settings.campaigns.values() for name in events)
        self._http = wiring.http
        self._clock = wiring.clock
        self._headers = {**authorized(wiring.settings), "Content-Type": "application/json"}
        self._key = wiring.settings.api_key.get_secret_value() if wiring.settings.api_key else ""
        self._key_setting = wiring.setting("API_KEY")
        self._url_setting = wiring.setting("BASE_URL")
        self._campaigns_setting = wiring.setting("CAMPAIGNS")
        self._refusals = 0
        """How often in a row we were told to slow down."""

    # --- planning -------------------------------------------------------------------------------------------------

    def plan_call(self, call: Call, person: Person) -> list[PlannedDelivery] | Awaited:
        """A survey for each campaign that lists the event; nothing for any other call (pure).

        What people are told to be like by identify calls is no business of Retently's own Segment destination either;
        only the email is taken from there when the event has none.
        """
        if call.type is not CallType.TRACK:
            return []
        campaigns = [campaign for campaign, events in self._settings.campaigns.items() if call.event in events]
        if not campaigns or person.suppressed_because is not None:
            return [self._planned(call, person, campaign) for campaign in campaigns]
        email = usable_email(call.properties.get("email")) or usable_email(person.email)
        if email is None:
            given = call.properties.get("email") is not None
            what = "properties.email is no email address" if given else "the event has no properties.email"
            return Awaited(reason=f"{what}, and no identify call has told one")
        row = customer(email, call.properties, came_back(person))
        return [self._planned(call, person, campaign, row) for campaign in campaigns]

    def _planned(
        self, call: Call, person: Person, campaign: str, row: Mapping[str, Any] | None = None
    ) -> PlannedDelivery:
        because = person.suppressed_because
        return PlannedDelivery(
            connection=self.connection,
            person=person.key,
            kind=SURVEY,
            message_id=forward_id(call, f"{SURVEY}:{campaign}"),
            body=b"{}" if row is None else orjson.dumps({"campaign": campaign, "subscribers": [row]}),
            filtered_because=None if row is not None else f"the person is not to be surveyed: {because}",
        )

    # --- delivering -----------------------------------------------------------------------------------------------

    async def deliver(self, batch: Sequence[Delivery]) -> list[Outcome]:
        """Ask for surveys, each person's in order.

        After trouble that is not a single person's own, nothing more is sent; behind a request of a person that is
        still owed or in doubt, the later ones of that person wait.
        """
        triggers = [trigger for one in batch if (trigger := understood(one)) is not None]
        found: dict[int, Outcome] = {}
        stop: Outcome | None = None
        waiting: set[str] = set()
        for part in parts(triggers):
            going = [one for one in part if one.delivery.person not in waiting]
            sent = await self._send(going) if going and stop is None else [stop or BEHIND] * len(going)
            found |= {one.delivery.id: outcome for one, outcome in zip(going, sent, strict=True)}
            waiting |= {one.delivery.person for one, outcome in zip(going, sent, strict=True) if _is_open(outcome)}
            stop = stop or _stop(sent)
        behind = {one.delivery.id: stop or BEHIND for one in triggers}
        stranger = Rejected(reason="is nothing that Retently takes")
        return [(behind | found).get(one.id, stranger) for one in batch]

    async def _send(self, part: Sequence[Trigger]) -> list[Outcome]:
        """One request for one campaign; when it is refused, find out whether that is the campaign's fault."""
        answer = await self._post(part)
        if not isinstance(answer, _Refusal):
            return answer
        fault = await self._fault_of(part[0].campaign)
        if fault is not None:
            reason = f"the campaign {part[0].campaign} {fault} ({answer.words}); check {self._campaigns_setting}"
            return [Rejected(reason=reason)] * len(part)
        if answer.status in (404, 405):
            return [Paused(reason=f"{answer.words}; check {self._url_setting}")] * len(part)
        found = await self._halved(part, answer)
        if len(part) >= ALL_REFUSED and all(isinstance(outcome, Rejected) for outcome in found):
            return [Paused(reason=f"everything is refused ({answer.words}); check {self._campaigns_setting}")] * len(
                part
            )
        return found

    async def _halved(self, part: Sequence[Trigger], refusal: _Refusal) -> list[Outcome]:
        """A refused request took nothing, so its people are asked for again by halves, until the culprit is alone."""
        if len(part) == 1:
            return [refused(refusal.words)]
        found: list[Outcome] = []
        middle = len(part) // 2
        for half in (part[:middle], part[middle:]):
            if stop := _stop(found):
                return found + [stop] * len(half)
            answer = await self._post(half)
            found += await self._halved(half, answer) if isinstance(answer, _Refusal) else answer
        return found

    async def _post(self, part: Sequence[Trigger]) -> list[Outcome] | _Refusal:
        rows = b",".join(one.row for one in part)
        body = b'{"campaign":' + orjson.dumps(part[0].campaign) + b',"subscribers":[' + rows + b"]}"
        url = self._settings.base_url + PATH
        try:
            reply = await self._http.request("POST", url, operation="survey", body=body, headers=self._headers)
        except NotSent as error:
            return [RetryLater(reason=str(error))] * len(part)
        except TryLater as error:
            return [Unknown(reason=str(error))] * len(part)
        if 200 <= reply.status < 300:  # noqa: PLR2004 - HTTP's own border
            self._refusals = 0
            return outcomes(reply.body, [one.email for one in part])
        outcome = self._judged(reply)
        return outcome if isinstance(outcome, _Refusal) else [outcome] * len(part)

    def _judged(self, reply: Reply) -> Outcome | _Refusal:
        """The documented errors are plain refusals (retently.com/api); a limit on requests stands before all else."""
        status, words = reply.status, self._words(reply)
        if status == 429:  # noqa: PLR2004 - HTTP's own number
            return self._slowed(reply)
        if passing(status):
            return Unknown(reason=words)
        if status == 410:  # noqa: PLR2004 - HTTP's own number
            return Retired(reason=f"{words}: the service has ended")
        if status in (401, 402, 403):
            return Paused(reason=f"{words}; check {self._key_setting}")
        if status < 400:  # noqa: PLR2004 - HTTP's own border
            return Paused(reason=f"HTTP {status}: redirects are not followed; check {self._url_setting}")
        return _Refusal(status=status, words=words)

    def _slowed(self, reply: Reply) -> RetryLater:
        after = retry_after(reply, now=self._clock.now())
        if after is None:
            after = min(FIRST_WAIT * 2.0 ** min(self._refusals, 8), LONGEST_WAIT)
            self._refusals += 1
        return RetryLater(reason="HTTP 429", after=after)

    def _words(self, reply: Reply) -> str:
        """The status and the vendor's own message, without our key and without emails."""
        try:
            message = reading.decode(reply.body, dict[str, Any]).get("message")
        except BadRecord:
            message = None
        said = shown(message.replace(self._key or "\0", "***")) if isinstance(message, str) else ""
        return f"HTTP {reply.status} {said}".strip()

    async def _fault_of(self, campaign: str) -> str | None:
        """Why a campaign sends nothing; None when it does, or when that cannot be known now."""
        try:
            listed = self._rows(CAMPAIGNS, await self._get(CAMPAIGNS, {}))
            found = next((row for row in listed if row.id == campaign), None)
            if found is None:
                return "is none of the account's"
            is_off = reading.decode(found.raw, dict[str, Any]).get("isActive") is False
        except (VendorError, BadRecord):
            return None
        return "is switched off" if is_off else None

    # --- verifying ------------------------------------------------------------------------------------------------

    def recipient(self, delivery: Delivery) -> str:
        """The email of the event, or of the person."""
        trigger = understood(delivery)
        return delivery.person if trigger is None else trigger.email.casefold()

    async def verify(self, delivery: Delivery, inquiry: Inquiry, beside: Sequence[Delivery] = ()) -> Outcome:
        """Look for the survey in the outbox.

        That it is not there proves nothing: a campaign may delay, sample or throttle what it was asked for, so it is
        never said that a request was not made. A survey of the same campaign that went to the same email since the
        request was made is taken for it, unless other requests of ours account for it.
        """
        trigger = understood(delivery)
        return Unknown(reason=UNREADABLE) if trigger is None else await self._looked_for(trigger, inquiry, beside)

    async def _looked_for(self, trigger: Trigger, inquiry: Inquiry, beside: Sequence[Delivery]) -> Outcome:
        query = {
            "email": trigger.email,
            "campaignId": trigger.campaign,
            "sort": f"-{OUTBOX.order}",
            "limit": str(NEWEST),
        }
        try:
            reply = await self._get(OUTBOX, query)
            if reply.status in NO_OUTBOX:
                return Unknown(reason=f"the outbox cannot be read: HTTP {reply.status}")
            sent = self._sent(trigger, reply)
        except (VendorError, BadRecord) as error:
            return RetryLater(reason=f"the outbox cannot be read now: {error}", blame=Blame.DELIVERY)
        return Delivered() if left_over(sent, trigger, beside) else self._missed(inquiry)

    def _sent(self, trigger: Trigger, reply: Reply) -> list[int]:
        """When the outbox has surveys of the trigger's campaign to its email, by our own clock."""
        said = said_at(reply)
        ahead = milliseconds(said) - self._clock.now_ms() if said else 0
        return [
            row.at - ahead
            for row in self._rows(OUTBOX, reply)
            if row.email == trigger.email.casefold() and row.campaign == trigger.campaign and row.at is not None
        ]

    def _missed(self, inquiry: Inquiry) -> Outcome:
        if inquiry.missed_for(self._clock.monotonic()) < PATIENCE:
            return RetryLater(reason="is not in the outbox yet", blame=Blame.DELIVERY)
        return Unknown(reason=f"not in the outbox after {PATIENCE:.0f} s: not asked for, or delayed or left out")

    # --- reading --------------------------------------------------------------------------------------------------

    async def _get(self, listing: Listing, query: Mapping[str, str]) -> Reply:
        return await self._http.request(
            "GET",
            self._settings.base_url + listing.path,
            operation=f"list_{listing.key}",
            params=query,
            headers=self._headers,
        )

    def _rows(self, listing: Listing, reply: Reply) -> list[Row]:
        """Raises VendorError or BadRecord for an answer that is not the list."""
        expect_ok(reply, location=listing.path, setting=self._key_setting, now=self._clock.now)
        return read_sheet(reply.body, listing).rows


def _is_open(outcome: Outcome) -> bool:
    return isinstance(outcome, RetryLater | Unknown)


def _stop(sent: Sequence[Outcome]) -> Outcome | None:
    """Why nothing more may be sent now; a vendor whose answer is lost or senseless gets no further request."""
    for outcome in sent:
        concerns_all = isinstance(outcome, RetryLater) and outcome.blame is not Blame.DELIVERY
        if concerns_all or isinstance(outcome, Paused | Retired):
            return outcome
    if sent and all(isinstance(outcome, Unknown) for outcome in sent):
        return RetryLater(reason="the request before it had no clear answer", blame=Blame.UNCLEAR)
    return None

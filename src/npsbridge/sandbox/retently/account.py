"""A Retently account: customers, campaigns, sent surveys, feedback, and what people do in it.

State and rules, without HTTP. Reading brings it up to the present first, so a test that moves the clock sees what a
live account would show.
"""

import heapq
import itertools
from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping
from typing import Any, Unpack

import msgspec

from npsbridge.core.model import Record
from npsbridge.sandbox.account_state import AccountState, Surroundings
from npsbridge.sandbox.retently.records import (
    Campaign,
    Customer,
    Feedback,
    PastFeedback,
    SentSurvey,
    SurveyRequest,
)
from npsbridge.sandbox.retently.switches import RetentlySwitches

DAY_MS = 86_400_000


THROTTLED = "throttled"
"""Why somebody who was surveyed not long ago gets no mail."""


class News(Record, frozen=True, kw_only=True):
    """Something a webhook would tell."""

    event: str
    """`feedback`, `unsubscribed` or `bounced`; the vendor documents labels, no names."""
    subject: Feedback | SentSurvey | Customer


class Timeline:
    """Ids in the order of their times, for lists of any length."""

    def __init__(self) -> None:
        self._order: list[tuple[int, str]] = []

    def add(self, at: int, row_id: str) -> None:
        """Put an id in its place."""
        insort(self._order, (at, row_id))

    def remove(self, at: int, row_id: str) -> None:
        """Take an id out."""
        del self._order[bisect_left(self._order, (at, row_id))]

    def between(self, first: int | None, end: int | None) -> list[tuple[int, str]]:
        """Times and ids from `first` on and before `end`, oldest first."""
        low = 0 if first is None else bisect_left(self._order, (first, ""))
        high = len(self._order) if end is None else bisect_left(self._order, (end, ""))
        return self._order[low:high]


class Account(AccountState[RetentlySwitches, News]):
    """The state behind the API."""

    def __init__(self, switches: RetentlySwitches, **surroundings: Unpack[Surroundings[News]]) -> None:
        super().__init__(switches, **surroundings)
        self._numbers = itertools.count(1)
        self._hidden: list[tuple[float, str]] = []
        self._unlisted: list[tuple[float, str]] = []
        self.customers: dict[str, Customer] = {}
        self.by_email: dict[str, str] = {}
        self.suppressed: set[str] = set()
        self.bounced: set[str] = set()
        self.campaigns: dict[str, Campaign] = {}
        self.requests: list[SurveyRequest] = []
        self.outbox: dict[str, SentSurvey] = {}
        self.outbox_line = Timeline()
        self.feedback: dict[str, Feedback] = {}
        self.feedback_line = Timeline()
        self.default_campaign = self.add_campaign("Post purchase NPS").id

    def now_ms(self) -> int:
        """Now, milliseconds since 1970."""
        return int(self.now() * 1000)

    def catch_up(self) -> None:
        """Let appear what has become visible by now."""
        while self._hidden and self._hidden[0][0] <= self.now():
            _, row_id = heapq.heappop(self._hidden)
            if row_id in self.feedback:
                self.feedback_line.add(self.feedback[row_id].created_ms, row_id)
        while self._unlisted and self._unlisted[0][0] <= self.now():
            _, row_id = heapq.heappop(self._unlisted)
            self.outbox_line.add(self.outbox[row_id].sent_ms, row_id)

    def visible(self, feedback_id: str) -> Feedback | None:
        """An answer by its id, if it can be seen already."""
        is_hidden = any(row_id == feedback_id for _, row_id in self._hidden)
        return None if is_hidden else self.feedback.get(feedback_id)

    # --- customers and campaigns ----------------------------------------------------------------------------------

    def add_campaign(self, name: str, **fields: Any) -> Campaign:
        """A campaign; further fields are those of `Campaign`."""
        campaign = Campaign(id=self._id("c"), name=name, **fields)
        self.campaigns[campaign.id] = campaign
        return campaign

    def find_customer(self, email: str | None) -> Customer | None:
        """Whom an email belongs to; case does not matter."""
        customer_id = self.by_email.get((email or "").strip().lower())
        return self.customers.get(customer_id) if customer_id else None

    def upsert(self, email: str, **fields: Any) -> Customer:
        """Create or update a customer; properties are merged, tags as the switch says."""
        known = self.find_customer(email)
        if known is None:
            customer = Customer(**{"id": self._id("b"), "email": email, "created_ms": self.now_ms(), **fields})
        else:
            customer = msgspec.structs.replace(known, **self._updated(known, fields))
        self.customers[customer.id] = customer
        self.by_email[email.strip().lower()] = customer.id
        return customer

    def _updated(self, known: Customer, fields: Mapping[str, Any]) -> dict[str, Any]:
        merged = dict(fields)
        merged["properties"] = {**known.properties, **fields.get("properties", {})}
        if "tags" in fields and self.switches.tags_on_update == "merge":
            merged["tags"] = tuple(dict.fromkeys((*known.tags, *fields["tags"])))
        return merged

    def delete_customer(self, email: str) -> bool:
        """Delete somebody; their answers stay, as far as anybody knows."""
        customer = self.find_customer(email)
        if customer is None:
            return False
        del self.customers[customer.id], self.by_email[email.strip().lower()]
        return True

    def opt_out(self, email: str) -> bool:
        """Somebody wants no more surveys."""
        customer = self.find_customer(email)
        if customer is None:
            return False
        self.customers[customer.id] = msgspec.structs.replace(customer, is_unsubscribed=True)
        self._on_news(News(event="unsubscribed", subject=self.customers[customer.id]))
        return True

    # --- surveys --------------------------------------------------------------------------------------------------

    def ask_survey(self, email: str, campaign_id: str, *, delay_days: float = 0.0) -> SurveyRequest:
        """Ask for a survey; whether it is sent is decided by campaign and customer."""
        refusal = self._refusal(email, self.campaigns.get(campaign_id))
        request = SurveyRequest(
            email=email,
            campaign_id=campaign_id,
            delay_days=delay_days,
            asked_ms=self.now_ms(),
            refused_because=refusal,
        )
        self.requests.append(request)
        if refusal is None:
            at_ms = request.asked_ms + int(delay_days * DAY_MS)
            self.send(email, campaign_id, at_ms=at_ms, listed_after=self.switches.outbox_lag)
        return request

    def _refusal(self, email: str, campaign: Campaign | None) -> str | None:
        customer = self.find_customer(email)
        if campaign is None or not campaign.is_active:
            return "the campaign is off"
        if customer is not None and customer.is_unsubscribed:
            return "opted out"
        if email.strip().lower() in self.suppressed:
            return "suppressed"
        if email.strip().lower() in self.bounced:
            return "bounced"
        if campaign.throttle_days and self._was_sent_since(email, self.now_ms() - campaign.throttle_days * DAY_MS):
            return THROTTLED
        return "not in the sample" if self.dice.random() >= campaign.sample else None

    def _was_sent_since(self, email: str, since_ms: int) -> bool:
        return any(row.email == email and row.sent_ms > since_ms for row in self.outbox.values())

    def send(
        self,
        email: str | None,
        campaign_id: str | None = None,
        *,
        at_ms: int | None = None,
        listed_after: float = 0.0,
    ) -> SentSurvey:
        """A survey goes out, whoever asked for it; the outbox shows it after so many seconds."""
        customer = self.find_customer(email)
        row = SentSurvey(
            id=self._id("e"),
            customer_id=customer.id if customer else None,
            email=email,
            campaign_id=campaign_id or self.default_campaign,
            sent_ms=self.now_ms() if at_ms is None else at_ms,
        )
        self.outbox[row.id] = row
        heapq.heappush(self._unlisted, (self.now() + listed_after, row.id))
        self.catch_up()
        return row

    def mark(self, survey_id: str, **changes: Any) -> SentSurvey:
        """Something becomes of a sent survey: `opened_ms`, `responded_ms`, `is_bounced`, `is_opted_out`."""
        row = self.outbox[survey_id] = msgspec.structs.replace(self.outbox[survey_id], **changes)
        if changes.get("is_bounced"):
            self.bounced.add((row.email or "").strip().lower())
            self._on_news(News(event="bounced", subject=row))
        return row

    # --- feedback -------------------------------------------------------------------------------------------------

    def answer(
        self,
        email: str | None,
        score: float | None,
        *,
        created_ms: int | None = None,
        visible_after: float | None = None,
        announce: bool = True,
        **fields: Any,
    ) -> Feedback:
        """Somebody answers; further fields are those of `Feedback`."""
        row = self._feedback(email, score, self.now_ms() if created_ms is None else created_ms, fields)
        lag = self.dice.uniform(0, self.switches.visibility_lag) if visible_after is None else visible_after
        self.feedback[row.id] = row
        heapq.heappush(self._hidden, (self.now() + lag, row.id))
        self.catch_up()
        if announce:
            self._on_news(News(event="feedback", subject=row))
        return row

    def load(self, answers: Iterable[PastFeedback]) -> list[str]:
        """Many past answers, visible at once, without webhooks; returns their ids in the same order."""
        return [self._load(past).id for past in answers]

    def edit(self, feedback_id: str, *, announce: bool = True, **changes: Any) -> Feedback:
        """Somebody comments, or changes any other field of `Feedback`; id and time stay.

        Raises:
            KeyError: There is no such answer.
        """
        row = self.feedback[feedback_id] = msgspec.structs.replace(self.feedback[feedback_id], **changes)
        if announce:
            self._on_news(News(event="feedback", subject=row))
        return row

    def delete(self, feedback_id: str) -> None:
        """An answer is removed; no list tells of it."""
        row = self.feedback.pop(feedback_id)
        if all(row_id != feedback_id for _, row_id in self._hidden):
            self.feedback_line.remove(row.created_ms, feedback_id)

    def _load(self, past: PastFeedback) -> Feedback:
        if past.email is not None and self.find_customer(past.email) is None:
            self.upsert(past.email, first_name=past.first_name)
        fields = {"comment": past.comment, "metric": past.metric, "tags": past.tags, "properties": past.properties}
        row = self._feedback(past.email, past.score, past.created_ms, fields)
        self.feedback[row.id] = row
        self.feedback_line.add(row.created_ms, row.id)
        return row

    def _feedback(self, email: str | None, score: float | None, created_ms: int, fields: Mapping[str, Any]) -> Feedback:
        customer = self.find_customer(email)
        known = customer.properties if customer else {}
        properties = {label.strip().lower().replace(" ", "_"): value for label, value in known.items()}
        return Feedback(
            id=self._id("f"),
            customer_id=customer.id if customer else None,
            email=email,
            score=score,
            created_ms=created_ms,
            **{"campaign_id": self.default_campaign, "properties": properties, **fields},
        )

    def _id(self, kind: str) -> str:
        """24 hexadecimal digits that rise with time, as the vendor's do; the first one tells the kind."""
        return f"{kind}{next(self._numbers):023x}"

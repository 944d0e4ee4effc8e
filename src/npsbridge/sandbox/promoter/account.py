"""A Promoter.io account: contacts, surveys, feedback, and what people do in it. State and rules, without HTTP."""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Unpack

import msgspec
from msgspec import UNSET, UnsetType

from npsbridge.core.model import Record
from npsbridge.sandbox.account_state import AccountState, Surroundings
from npsbridge.sandbox.promoter.switches import PromoterSwitches

DAY = 86400
CAMPAIGNS: Mapping[int, str] = {78: "Post purchase", 79: "Quarterly"}
FIRST_CONTACT, FIRST_FEEDBACK = 3_162_999, 880_123


class Contact(Record, frozen=True, kw_only=True):
    """A contact; its email is its identity."""

    id: int
    email: str
    first_name: str = ""
    last_name: str = ""
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)
    contact_list: tuple[int, ...] = ()
    created_at: int
    unsubscribed: bool = False


class Feedback(Record, frozen=True, kw_only=True):
    """An answer. Times are seconds since 1970."""

    id: int
    email: str | None
    campaign: int
    score: int | None
    comment: str | None
    posted_at: int
    commented_at: int | None = None
    rescored_at: int | None = None
    status: str = "OPEN"
    tags: tuple[str, ...] = ()
    survey_sent_at: int | None = None
    survey_attributes: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def score_type(self) -> str | None:
        """As the vendor calls the camps."""
        if self.score is None:
            return None
        return "promoter" if self.score >= 9 else "passive" if self.score >= 7 else "detractor"  # noqa: PLR2004 - NPS


class PastFeedback(Record, frozen=True, kw_only=True):
    """An answer to be loaded in bulk; its contact is created on first sight of the email."""

    email: str | None
    score: int
    posted_at: int
    comment: str | None = None
    commented_at: int | None = None
    campaign: int = 78
    tags: tuple[str, ...] = ()
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)
    """Of the contact."""
    survey_attributes: dict[str, Any] = msgspec.field(default_factory=dict)


class SurveyRequest(Record, frozen=True, kw_only=True):
    """A survey that was asked for, and whether it was sent."""

    version: int
    email: str
    campaign: int
    attributes: dict[str, Any]
    """Of the survey; with v1, which knows none, those of the contact."""
    asked_at: int
    is_sent: bool
    is_throttled: bool = False
    """Whether it was not sent because the contact had been surveyed not long before."""


class News(Record, frozen=True, kw_only=True):
    """Something a webhook would tell."""

    event: str
    subject: Feedback | Contact


class Account(AccountState[PromoterSwitches, News]):
    """The state behind the API.

    Attributes:
        contacts: By lower-cased email.
        feedback: As it really is, visible or not, by id.
        survey_requests: In the order in which they were asked for.
    """

    def __init__(self, switches: PromoterSwitches, **surroundings: Unpack[Surroundings[News]]) -> None:
        super().__init__(switches, **surroundings)
        self.contacts: dict[str, Contact] = {}
        self.feedback: dict[int, Feedback] = {}
        self.survey_requests: list[SurveyRequest] = []
        self._by_date: list[tuple[int, int]] = []
        self._last_feedback = FIRST_FEEDBACK - 1

    # --- contacts and surveys -------------------------------------------------------------------------------------

    def put_contact(
        self, email: str, attributes: Mapping[str, Any] | None = None, *, created_at: int | None = None, **fields: Any
    ) -> Contact:
        """Create or update the contact of an email; `first_name`, `last_name`, `contact_list`."""
        known = self.contacts.get(email.lower())
        given = {name: value for name, value in fields.items() if value is not None}
        if known is None:
            made_at = self.second() if created_at is None else created_at
            number = FIRST_CONTACT + len(self.contacts)
            contact = Contact(id=number, email=email, created_at=made_at, attributes=dict(attributes or {}), **given)
        else:
            kept = known.attributes if self.switches.attributes_of_known == "merge" or attributes is None else {}
            contact = msgspec.structs.replace(known, attributes={**kept, **(attributes or {})}, **given)
        self.contacts[email.lower()] = contact
        return contact

    def unsubscribe(self, email: str) -> None:
        """Somebody unsubscribes; raises KeyError if there is no such contact."""
        contact = msgspec.structs.replace(self.contacts[email.lower()], unsubscribed=True)
        self.contacts[email.lower()] = contact
        self._on_news(News(event="contact.unsubscribed", subject=contact))

    def ask_for_survey(self, version: int, email: str, campaign: int, attributes: Mapping[str, Any]) -> bool:
        """A survey is to be sent; whether the contact was eligible. Nobody is told why one was not."""
        is_early = self._was_surveyed_lately(email)
        request = SurveyRequest(
            version=version,
            email=email,
            campaign=campaign,
            attributes=dict(attributes),
            asked_at=self.second(),
            is_sent=not (is_early or self.contacts[email.lower()].unsubscribed),
            is_throttled=is_early,
        )
        self.survey_requests.append(request)
        return request.is_sent

    def _was_surveyed_lately(self, email: str) -> bool:
        pause = max(1, self.switches.throttle_days) * DAY
        last = self._last_survey(email)
        return last is not None and self.second() < last.asked_at + pause

    def _last_survey(self, email: str) -> SurveyRequest | None:
        asked = [one for one in self.survey_requests if one.is_sent and one.email.lower() == email.lower()]
        return asked[-1] if asked else None

    # --- feedback -------------------------------------------------------------------------------------------------

    def answer(
        self,
        email: str | None,
        score: int | None,
        *,
        comment: str | None = None,
        posted_at: int | None = None,
        attributes: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> Feedback:
        """Somebody answers: the survey that was sent last, if there is one. Further fields as `Feedback` has them."""
        if email is not None and (attributes or email.lower() not in self.contacts):
            self.put_contact(email, attributes, created_at=posted_at)
        asked = self._last_survey(email) if email else None
        if asked:
            sent = {"campaign": asked.campaign, "survey_sent_at": asked.asked_at, "survey_attributes": asked.attributes}
            more = {**sent, **more}
        row = self._new(email, score, comment, self.second() if posted_at is None else posted_at, **more)
        insort(self._by_date, (row.posted_at, row.id))
        self._on_news(News(event="feedback.added_or_changed", subject=row))
        return row

    def load(self, answers: Iterable[PastFeedback]) -> list[int]:
        """Load many past answers at once, without webhooks; returns their ids in the same order."""
        rows = [self._loaded(answer) for answer in answers]
        self._by_date.extend((row.posted_at, row.id) for row in rows)
        self._by_date.sort()
        return [row.id for row in rows]

    def _loaded(self, past: PastFeedback) -> Feedback:
        if past.email is not None and (past.attributes or past.email.lower() not in self.contacts):
            self.put_contact(past.email, past.attributes, created_at=past.posted_at)
        more = msgspec.structs.asdict(past)
        del more["attributes"]
        return self._new(**more)

    def _new(self, email: str | None, score: int | None, comment: str | None, posted_at: int, **more: Any) -> Feedback:
        self._last_feedback += 1
        known = {"campaign": 78, "commented_at": posted_at if comment is not None else None}
        given = {name: value for name, value in more.items() if value is not None}
        row = Feedback(
            id=self._last_feedback, email=email, score=score, comment=comment, posted_at=posted_at, **{**known, **given}
        )
        self.feedback[row.id] = row
        return row

    def edit(
        self,
        feedback_id: int,
        *,
        score: int | UnsetType = UNSET,
        comment: str | UnsetType | None = UNSET,
        tags: Iterable[str] | UnsetType = UNSET,
        status: str | UnsetType = UNSET,
        at: int | None = None,
    ) -> Feedback:
        """An answer is changed; `posted_at` stays, and tags and status move no time at all. Raises KeyError."""
        moment = self.second() if at is None else at
        changes: dict[str, Any] = {}
        if score is not UNSET:
            changes |= {"score": score, "rescored_at": moment}
        if comment is not UNSET:
            changes |= {"comment": comment, "commented_at": moment}
        if tags is not UNSET:
            changes["tags"] = tuple(tags)
        if status is not UNSET:
            changes["status"] = status
        row = self.feedback[feedback_id] = msgspec.structs.replace(self.feedback[feedback_id], **changes)
        for event in _events_of(changes):
            self._on_news(News(event=event, subject=row))
        return row

    def remove(self, feedback_id: int) -> None:
        """An answer is removed, without a trace; raises KeyError."""
        row = self.feedback.pop(feedback_id)
        self._by_date.remove((row.posted_at, row.id))
        self._on_news(News(event="feedback.removed", subject=row))

    # --- lists ----------------------------------------------------------------------------------------------------

    def listed(self, since: int | None, before: int | None) -> list[Feedback]:
        """What is visible of a span of posting times, in the order that the switches say."""
        first = 0 if since is None else bisect_left(self._by_date, (since, 0))
        last = len(self._by_date) if before is None else bisect_left(self._by_date, (before, 0))
        visible = self.now() - self.switches.visibility_lag
        rows = [self.feedback[number] for posted, number in self._by_date[first:last] if posted <= visible]
        return self._ordered(rows)

    def _ordered(self, rows: list[Feedback]) -> list[Feedback]:
        match self.switches.order:
            case "id":
                return sorted(rows, key=lambda row: row.id)
            case "newest":
                return rows[::-1]
            case "shuffled":
                # Some order that is always the same.
                return sorted(rows, key=lambda row: row.id * 2_654_435_769 % 2**32)
            case "random":
                return self.dice.sample(rows, len(rows))

    def is_visible(self, row: Feedback) -> bool:
        """Whether lists and reads show it by now."""
        return row.posted_at <= self.now() - self.switches.visibility_lag


def _events_of(changes: Mapping[str, Any]) -> Iterator[str]:
    if "score" in changes or "comment" in changes:
        yield "feedback.added_or_changed"
    if "tags" in changes:
        yield "feedback.tags_added_or_changed"
    if "status" in changes:
        yield "feedback.status_changed"

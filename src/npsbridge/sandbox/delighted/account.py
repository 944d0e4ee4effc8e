"""A Delighted account: people, surveys, responses, and what the vendor's own users do in it.

State and rules, without HTTP. Reading brings it up to the present first, so a test that moves the clock sees what a
live account would show.
"""

import heapq
from collections.abc import Iterable
from typing import Any, Unpack

from msgspec import UNSET, UnsetType

from npsbridge.core.model import Record
from npsbridge.sandbox.account_state import AccountState, Surroundings
from npsbridge.sandbox.delighted.people import People
from npsbridge.sandbox.delighted.records import (
    Note,
    Person,
    RequestState,
    SurveyRequest,
    SurveyResponse,
    Unreachable,
)
from npsbridge.sandbox.delighted.responses import Responses
from npsbridge.sandbox.delighted.surveys import PLATFORMS, Autopilot, Surveys
from npsbridge.sandbox.delighted.switches import DelightedSwitches

PersonRef = Person | str | None
"""A person, an id, an email, or nobody (answers from a link or a kiosk)."""


class News(Record, frozen=True, kw_only=True):
    """Something a webhook would tell."""

    event_type: str
    subject: SurveyResponse | Unreachable


class PastAnswer(Record, frozen=True, kw_only=True):
    """An answer to be loaded in bulk; its person is created on first sight of the email."""

    email: str | None
    score: int
    created_at: int
    name: str | None = None
    comment: str | None = None
    updated_at: int | None = None
    """None: not touched since."""
    person_properties: dict[str, str] | None = None
    tags: tuple[str, ...] = ()
    survey_type: str = "nps"


class Account(AccountState[DelightedSwitches, News]):
    """The state behind the API."""

    def __init__(self, switches: DelightedSwitches, **surroundings: Unpack[Surroundings[News]]) -> None:
        super().__init__(switches, **surroundings)
        self.people = People(case_sensitive=switches.values_are_case_sensitive)
        self.surveys = Surveys(self.people, switches)
        self.responses = Responses(switches, self.dice)
        self.autopilots = {name: Autopilot(name, self.surveys, at=self.second()) for name in PLATFORMS}
        self._leaving: list[tuple[float, str]] = []

    def adopt(self, switches: DelightedSwitches) -> None:
        """Behave by other switches from now on."""
        super().adopt(switches)
        self.surveys.switches = switches
        self.people.reorganise(case_sensitive=switches.values_are_case_sensitive)
        self.responses.reorganise(switches)

    def catch_up(self) -> None:
        """Let happen what is due: surveys sent, changes visible, people deleted."""
        now = self.now()
        # A sent survey of Autopilot asks for the next one, which may be due as well.
        while done := self.surveys.send_due(now):
            for request in done:
                self._recur(request)
        self.responses.show_due(now)
        while self._leaving and self._leaving[0][0] <= now:
            self._erase(heapq.heappop(self._leaving)[1])

    # --- people ---------------------------------------------------------------------------------------------------

    def find_person(self, person: PersonRef) -> Person | None:
        """Whom a reference means; None for nobody and for somebody unknown."""
        if person is None or isinstance(person, Person):
            return self.people.find(person.id) if person else None
        return self.people.find(person) or self.people.find_by_email(person)

    def get_person(self, person: PersonRef) -> Person:
        """Whom a reference means; raises KeyError if there is no such person."""
        found = self.find_person(person)
        if found is None:
            raise KeyError(f"no person {person!r} in the account")
        return found

    def add_person(
        self,
        email: str | None = None,
        *,
        name: str | None = None,
        phone_number: str | None = None,
        created_at: int | None = None,
        last_sent_at: int | None = None,
    ) -> Person:
        """Somebody is added, now or at `created_at`."""
        return self.people.add(
            email=email,
            name=name,
            phone_number=phone_number,
            created_at=self.second() if created_at is None else created_at,
            last_sent_at=last_sent_at,
        )

    def delete_person(self, person: PersonRef) -> None:
        """Delete a person with all that belongs to them, after the time the account takes for it."""
        heapq.heappush(self._leaving, (self.now() + self.switches.deletion_takes, self.get_person(person).id))
        self.catch_up()

    def unsubscribe(self, person: PersonRef) -> None:
        """Somebody unsubscribes."""
        entry = self.people.unsubscribe(self.get_person(person), self.second())
        self._on_news(News(event_type="unsubscribe.created", subject=entry))

    def bounce(self, person: PersonRef) -> None:
        """A mail to somebody comes back."""
        self.people.bounce(self.get_person(person), self.second())

    # --- responses ------------------------------------------------------------------------------------------------

    def answer(
        self,
        person: PersonRef,
        score: int,
        *,
        comment: str | None = None,
        created_at: int | None = None,
        updated_at: int | None = None,
        person_properties: dict[str, str] | None = None,
        survey_type: str = "nps",
        visible_after: float | None = None,
        announce: bool = True,
        **more: Any,
    ) -> SurveyResponse:
        """Somebody answers; without own properties the response has those of the survey that was sent last."""
        respondent = None if person is None else self.get_person(person)
        answered_at = self.second() if created_at is None else created_at
        row = self.responses.add(
            now=self.now(),
            visible_after=visible_after,
            person_id=respondent.id if respondent else None,
            survey_type=survey_type,
            score=score,
            comment=comment,
            created_at=answered_at,
            updated_at=answered_at if updated_at is None else updated_at,
            person_properties=person_properties or self._asked_with(respondent),
            **more,
        )
        if respondent is not None:
            self._note_answer(respondent, answered_at)
        self._announce("survey_response.created", row, wanted=announce)
        return row

    def edit(
        self,
        response_id: str,
        *,
        score: int | UnsetType = UNSET,
        comment: str | UnsetType | None = UNSET,
        tags: Iterable[str] | UnsetType = UNSET,
        notes: Iterable[Note] | UnsetType = UNSET,
        additional_answers: Iterable[dict[str, Any]] | UnsetType = UNSET,
        person_id: str | UnsetType = UNSET,
        person_properties: dict[str, str] | UnsetType | None = UNSET,
        at: int | None = None,
        visible_after: float | None = None,
        announce: bool = True,
    ) -> SurveyResponse:
        """Somebody changes a response; raises KeyError if there is none of that id."""
        wanted = {
            "score": score,
            "comment": comment,
            "tags": _frozen(tags),
            "notes": _frozen(notes),
            "additional_answers": _frozen(additional_answers),
            "person_id": person_id,
            "person_properties": person_properties,
        }
        row, moved = self.responses.change(
            response_id,
            {name: value for name, value in wanted.items() if value is not UNSET},
            at=self.second() if at is None else at,
            now=self.now(),
            visible_after=visible_after,
        )
        self._announce("survey_response.updated", row, wanted=announce and moved)
        return row

    def load(self, answers: Iterable[PastAnswer]) -> list[str]:
        """Load many past answers at once, without webhooks; returns the ids of the responses in the same order."""
        return self.responses.add_many(self._loaded(answer) for answer in answers)

    def _loaded(self, answer: PastAnswer) -> dict[str, Any]:
        person = self.people.find_by_email(answer.email)
        if person is None and answer.email is not None:
            person = self.people.add(email=answer.email, name=answer.name, created_at=answer.created_at)
        if person is not None:
            self._note_answer(person, answer.created_at)
        return {
            "person_id": person.id if person else None,
            "survey_type": answer.survey_type,
            "score": answer.score,
            "comment": answer.comment,
            "created_at": answer.created_at,
            "updated_at": answer.created_at if answer.updated_at is None else answer.updated_at,
            "person_properties": answer.person_properties,
            "tags": answer.tags,
            "edits": int(answer.updated_at is not None),
        }

    def _asked_with(self, person: Person | None) -> dict[str, str] | None:
        if person is None:
            return None
        sent = [request for request in self.surveys.of_person(person.id) if request.state is RequestState.SENT]
        if not sent:
            return None
        return {**sent[-1].properties, "Delighted Source": "SMS" if sent[-1].channel == "sms" else "Email"}

    def _note_answer(self, person: Person, at: int) -> None:
        if person.last_responded_at is None or person.last_responded_at < at:
            self.people.change(person.id, last_responded_at=at)

    def _announce(self, event_type: str, row: SurveyResponse, *, wanted: bool) -> None:
        if wanted:
            self._on_news(News(event_type=event_type, subject=row))

    def _recur(self, request: SurveyRequest) -> None:
        person = self.people.find(request.person_id)
        if request.by_autopilot and person is not None:
            self.autopilots[request.channel].recur(person, at=request.sent_at or request.scheduled_at)

    def _erase(self, person_id: str) -> None:
        if self.people.find(person_id) is None:
            return
        self.responses.remove_of_person(person_id)
        self.surveys.forget_person(person_id)
        for autopilot in self.autopilots.values():
            autopilot.leave(person_id)
        self.people.remove(person_id)


def _frozen(values: Iterable[Any] | UnsetType) -> tuple[Any, ...] | UnsetType:
    return UNSET if isinstance(values, UnsetType) else tuple(values)

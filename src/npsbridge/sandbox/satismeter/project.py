"""A SatisMeter project: users, surveys, responses, and what the vendor's own users do in it.

State and rules, without HTTP. Reading brings it up to the present first, so a test that moves the clock sees what a
live project would show.
"""

import itertools
from collections.abc import Iterable, Mapping
from typing import Any, Unpack

import msgspec
from msgspec import UNSET, UnsetType

from npsbridge.core.model import Record
from npsbridge.sandbox.account_state import AccountState, Surroundings
from npsbridge.sandbox.satismeter.records import Survey, SurveyResponse, User
from npsbridge.sandbox.satismeter.responses import Responses
from npsbridge.sandbox.satismeter.switches import SatisMeterSwitches

COMPLETED, DISMISSED = "completed", "dismissed"
TYPES = ("nps", "csat", "ces", "pmf", "custom")

News = tuple[str, SurveyResponse]
"""(event, response): something a webhook would tell."""


class PastAnswer(Record, frozen=True, kw_only=True):
    """An answer to be loaded in bulk; its user is created on first sight of the email."""

    email: str | None
    score: float | None
    created_at: float
    """Seconds since 1970, to the millisecond."""
    name: str | None = None
    user_id: str | None = None
    comment: str | None = None
    survey_type: str = "nps"
    more: tuple[dict[str, Any], ...] = ()
    """Further answers, as v3 shows them."""


class Project(AccountState[SatisMeterSwitches, News]):
    """The state behind the API; `project_id` is 24 hex digits."""

    def __init__(
        self, project_id: str, switches: SatisMeterSwitches, **surroundings: Unpack[Surroundings[News]]
    ) -> None:
        super().__init__(switches, **surroundings)
        self.id = project_id
        self._numbers = itertools.count(1)
        self.users: dict[str, User] = {}
        self._users_by_name: dict[str, str] = {}
        self.responses = Responses()
        self.surveys = {kind: Survey(id=self._new_id(), name=f"The {kind} survey", type=kind) for kind in TYPES}
        self.tracks: list[dict[str, Any]] = []
        self.upserts: list[dict[str, Any]] = []
        self.unsubscribed: list[str] = []

    def catch_up(self) -> None:
        """Let appear what is due."""
        self.responses.show_due(self.now())

    # --- users ----------------------------------------------------------------------------------------------------

    def find_user(self, person: str | None) -> User | None:
        """Whom an id of either side, an anonymous id or an email means."""
        if person is None:
            return None
        return self.users.get(person) or self.users.get(self._users_by_name.get(person, ""))

    def add_person(
        self,
        email: str | None = None,
        *,
        name: str | None = None,
        user_id: str | None = None,
        anonymous_id: str | None = None,
        **traits: Any,
    ) -> User:
        """Somebody is added; without a `user_id` they are known by an anonymous id only."""
        told = {name: value for name, value in {"email": email, "name": name, **traits}.items() if value is not None}
        own = self._new_id()
        anonymous = anonymous_id or (None if user_id else f"anonymous-{own[-6:]}")
        return self._keep(
            User(id=own, user_id=user_id, anonymous_id=anonymous, traits=told, created=int(self.now() * 1000))
        )

    def upsert(self, user_id: str, traits: Mapping[str, Any], survey_date: str | None) -> User:
        """What `POST /api/users` does."""
        known = self.find_user(user_id) or self.add_person(user_id=user_id)
        merged = {**known.traits, **traits} if self.switches.trait_writes == "merge" else dict(traits)
        return self._keep(
            msgspec.structs.replace(
                known, traits=merged if traits else known.traits, survey_date=survey_date or known.survey_date
            )
        )

    def set_traits(self, person: str, **traits: Any) -> None:
        """The customer's own programme tells of other traits; raises KeyError if there is no such person."""
        user = self._get_user(person)
        self._keep(msgspec.structs.replace(user, traits={**user.traits, **traits}))

    def delete_person(self, person: str) -> None:
        """Somebody's data is deleted; their responses stay. Raises KeyError if there is no such person."""
        user = self._get_user(person)
        self.users[user.id] = User(id=user.id, created=user.created, is_deleted=True)
        self._users_by_name = {name: own for name, own in self._users_by_name.items() if own != user.id}

    def _keep(self, user: User) -> User:
        self.users[user.id] = user
        names = (user.user_id, user.anonymous_id, user.traits.get("email"))
        self._users_by_name.update({name: user.id for name in names if isinstance(name, str)})
        return user

    def _get_user(self, person: str) -> User:
        found = self.find_user(person)
        if found is None:
            raise KeyError(f"no person {person!r} in the project")
        return found

    # --- responses ------------------------------------------------------------------------------------------------

    def answer(
        self,
        person: str | None,
        score: float | str | None,
        *,
        comment: str | None = None,
        created_at: float | None = None,
        survey_type: str = "nps",
        visible_after: float | None = None,
        announce: bool = True,
        **more: Any,
    ) -> SurveyResponse:
        """Somebody answers; an unknown email becomes a person, None is somebody anonymous.

        With a comment the survey is completed, and a webhook tells of it. Further fields are those of
        `SurveyResponse`.
        """
        user = self._respondent(person)
        created = self._millisecond(created_at)
        response = SurveyResponse(
            id=self._new_id(created),
            survey=self.surveys[survey_type],
            user=user.id,
            created=created,
            score=score,
            comment=comment,
            traits=user.traits,
            is_completed=comment is not None,
            **more,
        )
        return self._write(response, visible_after, event=COMPLETED if comment and announce else None)

    def dismiss(self, person: str | None, score: float | None = None, **more: Any) -> SurveyResponse:
        """Somebody closes a survey, maybe after a rating."""
        user = self._respondent(person)
        created = self._millisecond(more.pop("created_at", None))
        response = SurveyResponse(
            id=self._new_id(created),
            survey=self.surveys[more.pop("survey_type", "nps")],
            user=user.id,
            created=created,
            score=score,
            traits=user.traits,
            is_dismissed=True,
            **more,
        )
        return self._write(response, None, event=DISMISSED)

    def edit(
        self,
        response_id: str,
        *,
        score: float | UnsetType = UNSET,
        comment: str | UnsetType | None = UNSET,
        visible_after: float | None = None,
        announce: bool = True,
    ) -> SurveyResponse:
        """An answer is changed, or its comment comes late; raises KeyError if there is none of that id."""
        old = self.responses.truth[response_id]
        wanted = {name: value for name, value in {"score": score, "comment": comment}.items() if value is not UNSET}
        is_completed = old.is_completed or bool(wanted.get("comment"))
        response = msgspec.structs.replace(old, **wanted, is_completed=is_completed)
        event = COMPLETED if announce and is_completed and not old.is_completed else None
        return self._write(response, visible_after, event=event)

    def load(self, answers: Iterable[PastAnswer]) -> list[str]:
        """Load many past answers at once, without webhooks; returns their ids in the same order."""
        return self.responses.write_many(self._loaded(answer) for answer in answers)

    def _loaded(self, answer: PastAnswer) -> SurveyResponse:
        user = self.find_user(answer.user_id) or self.find_user(answer.email)
        if user is None:
            user = self.add_person(answer.email, name=answer.name, user_id=answer.user_id)
        created = self._millisecond(answer.created_at)
        return SurveyResponse(
            id=self._new_id(created),
            survey=self.surveys[answer.survey_type],
            user=user.id,
            created=created,
            score=answer.score,
            comment=answer.comment,
            more=answer.more,
            traits=user.traits,
            is_completed=answer.comment is not None,
        )

    def _respondent(self, person: str | None) -> User:
        found = self.find_user(person)
        if found is None and person is not None and "@" not in person:
            raise KeyError(f"no person {person!r} in the project")
        return found or self.add_person(person)

    def _write(self, response: SurveyResponse, visible_after: float | None, *, event: str | None) -> SurveyResponse:
        lag = self.switches.visibility_lag if visible_after is None else visible_after
        written = self.responses.write(response, shown_at=self.now() + lag, now=self.now())
        if event is not None:
            self._on_news((event, written))
        return written

    def _millisecond(self, second: float | None) -> int:
        return round((self.now() if second is None else second) * 1000)

    def _new_id(self, created: int | None = None) -> str:
        second = int(self.now()) if created is None else created // 1000
        return f"{max(0, second) & 0xFFFFFFFF:08x}{next(self._numbers):016x}"

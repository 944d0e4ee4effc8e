"""The look-alike of SatisMeter's API and webhooks, on loopback.

It keeps a project in memory, answers the REST calls of all three generations from it, and sends webhooks about what
happens in it. Unconfirmed behaviour is in `switches.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Unpack

import orjson
from aiohttp import web

from npsbridge.sandbox.account_inspection import Listing
from npsbridge.sandbox.account_server import Access, SurveyLookAlike
from npsbridge.sandbox.account_state import Asked
from npsbridge.sandbox.satismeter.api import ApiError, key_given
from npsbridge.sandbox.satismeter.inspection import AnswerAsked, asked_route
from npsbridge.sandbox.satismeter.legacy_api import LegacyApi
from npsbridge.sandbox.satismeter.project import News, PastAnswer, Project
from npsbridge.sandbox.satismeter.records import SurveyResponse, User
from npsbridge.sandbox.satismeter.switches import SatisMeterSwitches
from npsbridge.sandbox.satismeter.v3_api import V3Api
from npsbridge.sandbox.satismeter.views import shown_user, shown_v3, shown_webhook
from npsbridge.sandbox.server import json_answer
from npsbridge.sandbox.webhooks import json_webhook

SANDBOX_PROJECT = "5f00000000000000000000ab"
SANDBOX_KEY = "SandboxApiKeySandboxApiKey000001"
SANDBOX_WRITE_KEY = "SandboxWriteKeySandboxWriteKey01"
SANDBOX_TOKEN = "sandbox-satismeter-hook"  # noqa: S105 - the look-alike's own, made up

_REFUSALS = {
    "retired": HTTPStatus.GONE,
    "unauthorized": HTTPStatus.UNAUTHORIZED,
    "forbidden": HTTPStatus.FORBIDDEN,
}


class SatisMeterServer(SurveyLookAlike[SatisMeterSwitches, str, PastAnswer]):
    """A SatisMeter project with its API.

    Args:
        write_key: The key that inserted responses must hold.
        project_id: The only project there is.
        switches: How it behaves; see `change_switches`.
        access: Keys, address, clock and dice; see `SurveyLookAlike`.

    Attributes:
        project: The state, for what the methods here do not offer.
    """

    account: Project
    kind = "satismeter"
    sandbox_key = SANDBOX_KEY
    sandbox_token = SANDBOX_TOKEN
    vendor_error = ApiError
    answer_asked = AnswerAsked
    has_tags = False

    def __init__(
        self,
        *,
        write_key: str = SANDBOX_WRITE_KEY,
        project_id: str = SANDBOX_PROJECT,
        switches: SatisMeterSwitches = SatisMeterSwitches(),  # noqa: B008 - a frozen record
        **access: Unpack[Access],
    ) -> None:
        super().__init__(**access)
        self.write_key = write_key
        self.account = self.project = Project(
            project_id, switches, now=self.now, dice=self.dice, on_news=self._announce
        )

    @property
    def base_url(self) -> str:
        """What clients are configured with, `/api` included."""
        return f"{self.origin}/api"

    @property
    def project_id(self) -> str:
        """The project's id."""
        return self.project.id

    def own_settings(self) -> dict[str, str]:
        """Which project it is, and its other key."""
        return {"PROJECT_ID": self.project_id, "WRITE_KEY": self.write_key}

    # --- what the vendor's own users do ---------------------------------------------------------------------------

    def add_person(self, email: str | None = None, **fields: Any) -> User:
        """Somebody is added (see `Project.add_person`)."""
        return self.project.add_person(email, **fields)

    def answer(
        self, person: str | None, score: float | str | None, /, *, comment: str | None = None, **more: Any
    ) -> str:
        """Somebody answers (see `Project.answer`); returns the id of the response."""
        return self.project.answer(person, score, comment=comment, **more).id

    def dismiss(self, person: str | None, score: float | None = None, **more: Any) -> str:
        """Somebody closes a survey; returns the id of the response."""
        return self.project.dismiss(person, score, **more).id

    def edit(self, response_id: str, /, **changes: Any) -> None:
        """A response is changed: `score`, `comment` (see `Project.edit`)."""
        self.project.edit(response_id, **changes)

    def remove(self, response_id: str) -> None:
        """A response is deleted; raises KeyError if there is none of that id."""
        self.project.responses.remove(response_id)

    def load(self, answers: Iterable[PastAnswer]) -> list[str]:
        """Load many past answers at once, without webhooks; returns the ids of the responses in the same order."""
        return self.project.load(answers)

    def delete_person(self, person: str) -> None:
        """Somebody is deleted; their responses stay."""
        self.project.delete_person(person)

    # --- ground truth ---------------------------------------------------------------------------------------------

    @property
    def responses(self) -> Mapping[str, SurveyResponse]:
        """Every response as it really is, visible or not yet, by id."""
        return self.project.responses.truth

    @property
    def people(self) -> Mapping[str, User]:
        """Everybody, by SatisMeter's own id."""
        return self.project.users

    @property
    def emails(self) -> Sequence[str]:
        """The emails of the people; some have none."""
        return [user.traits["email"] for user in self.people.values() if "email" in user.traits]

    @property
    def asked(self) -> Asked:
        """What callers of the API have asked for: users and events. Whom it surveys SatisMeter decides in the page."""
        return Asked(people=len(self.project.described), surveys=len(self.project.tracks), throttled=0)

    def properties_of(self, email: str) -> Mapping[str, Any]:
        """The user's traits."""
        user = self.project.find_user(email)
        return user.traits if user else {}

    def shown(self, row: SurveyResponse) -> Mapping[str, Any]:
        """A response as v3 shows it."""
        return shown_v3(self.project, row)

    def figures(self) -> dict[str, Any]:
        """Further values of `state`."""
        project = self.project
        return {"project_id": project.id, "upserts": len(project.upserts), "tracks": len(project.tracks)}

    def listings(self) -> dict[str, Listing]:
        """What can be looked at under `/__sim/`."""
        people = Listing(lambda: list(self.people.values()), lambda user: shown_user(self.project, user))
        return super().listings() | {"people": people}

    def take_answer(self, fields: dict[str, Any]) -> str:
        """Somebody answers by `POST /__sim/answers`, or closes the survey."""
        act = self.dismiss if fields.pop("dismissed") else self.answer
        return act(fields.pop("person"), fields.pop("score"), **fields)

    # --- webhooks -------------------------------------------------------------------------------------------------

    def webhook(self, event: str, response_id: str) -> bytes:
        """The body of a webhook about a response as it is now, to be posted by hand; raises KeyError."""
        return orjson.dumps(shown_webhook(self.project, event, self.responses[response_id]))

    def send_webhook(self, event: str, response_id: str) -> None:
        """Send a webhook about a response as it is now; raises KeyError if there is none of that id."""
        self._announce((event, self.responses[response_id]))

    def _announce(self, news: News) -> None:
        event, response = news
        self.post_webhook(lambda: json_webhook(event, response.id, shown_webhook(self.project, event, response)))

    # --- requests -------------------------------------------------------------------------------------------------

    def api_routes(self) -> Iterable[web.RouteDef]:
        """The API of the vendor, and a look at what it was told."""
        yield from V3Api(self.project).routes()
        yield from LegacyApi(self.project, self.write_key).routes()
        yield asked_route(self.project)

    def admit(self, request: web.Request) -> None:
        """Raise ApiError for whom the vendor would not let in."""
        switches = self.switches
        if switches.standing in _REFUSALS:
            raise ApiError(_REFUSALS[switches.standing])
        is_too_old = _is_v3(request) and switches.key_generation == "old"
        if not self._has_its_key_inside(request) and (is_too_old or key_given(request) != self.api_key):
            raise ApiError(HTTPStatus.UNAUTHORIZED)
        self.limit_rate()

    def _has_its_key_inside(self, request: web.Request) -> bool:
        """Whether the write key in the body is the credential; it is looked at where the body is read."""
        paths = {"/api/responses"} | ({"/api/users"} if self.switches.users_take == "write_key" else set())
        return request.method == "POST" and request.path in paths

    def worded(self, error: ApiError, request: web.Request) -> web.Response:
        """A refusal in the words of its generation."""
        if _is_v3(request) or self.switches.legacy_errors == "json":
            return json_answer({"errors": [{"title": error.title}]}, error.status, error.headers)
        return web.Response(text=error.title, status=error.status, headers=error.headers)


def _is_v3(request: web.Request) -> bool:
    return request.path.startswith("/api/v3/")

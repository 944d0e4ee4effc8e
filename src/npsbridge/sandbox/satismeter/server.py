"""The look-alike of SatisMeter's API and webhooks, on loopback.

It keeps a project in memory, answers the REST calls of all three generations from it, and sends webhooks about what
happens in it. Unconfirmed behaviour is in `switches.py`.
"""

import asyncio
import random
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from math import ceil
from typing import Any

import msgspec
import orjson
from aiohttp import web

from npsbridge.sandbox.delighted.webhooks import Webhook, WebhookSender
from npsbridge.sandbox.rate import RateGate
from npsbridge.sandbox.satismeter.api import ApiError, key_given
from npsbridge.sandbox.satismeter.inspection import project_inspection_routes
from npsbridge.sandbox.satismeter.legacy_api import LegacyApi
from npsbridge.sandbox.satismeter.project import PastAnswer, Project
from npsbridge.sandbox.satismeter.records import SurveyResponse, User
from npsbridge.sandbox.satismeter.switches import SatisMeterSwitches
from npsbridge.sandbox.satismeter.v3_api import V3Api
from npsbridge.sandbox.satismeter.views import shown_webhook
from npsbridge.sandbox.server import Handler, LookAlike, Now, json_answer, system_time

SANDBOX_PROJECT = "5f00000000000000000000ab"
SANDBOX_KEY = "SandboxApiKeySandboxApiKey000001"
SANDBOX_WRITE_KEY = "SandboxWriteKeySandboxWriteKey01"

_REFUSALS = {
    "retired": HTTPStatus.GONE,
    "unauthorized": HTTPStatus.UNAUTHORIZED,
    "forbidden": HTTPStatus.FORBIDDEN,
}


class SatisMeterServer(LookAlike):
    """A SatisMeter project with its API.

    Args:
        api_key: The key that callers must present.
        write_key: The key that inserted responses must hold.
        project_id: The only project there is.
        switches: How the project behaves; see `change_switches`.
        host: Address to listen on.
        port: 0 takes a free one.
        now: Wall clock, seconds since 1970.
        dice: Source of chance.

    Attributes:
        project: The state, for what the methods here do not offer.
        webhook_url: Where webhooks go; None for nowhere.
        webhooks: What was sent there, and what still waits.
    """

    def __init__(
        self,
        *,
        api_key: str = SANDBOX_KEY,
        write_key: str = SANDBOX_WRITE_KEY,
        project_id: str = SANDBOX_PROJECT,
        switches: SatisMeterSwitches = SatisMeterSwitches(),  # noqa: B008 - a frozen record
        host: str = "127.0.0.1",
        port: int = 0,
        now: Now = system_time,
        dice: random.Random | None = None,
    ) -> None:
        super().__init__(host=host, port=port, now=now, dice=dice)
        self.api_key = api_key
        self.write_key = write_key
        self.project = Project(project_id, switches, now=now, on_news=self._announce)
        self.webhook_url: str | None = None
        self.webhooks = WebhookSender(lambda: self.switches.webhooks, self.dice)
        self._rate_gate = RateGate(now)
        self._sending: asyncio.Task[None] | None = None

    @property
    def base_url(self) -> str:
        """What clients are configured with, `/api` included."""
        return f"{self.origin}/api"

    @property
    def project_id(self) -> str:
        """The project's id."""
        return self.project.id

    @property
    def switches(self) -> SatisMeterSwitches:
        """How the project behaves now."""
        return self.project.switches

    def change_switches(self, changes: Mapping[str, Any]) -> None:
        """Change switches by name, such as `{"key_generation": "old"}`.

        Raises:
            ValueError: A switch does not exist or cannot have that value; the text names it.
        """
        plain = msgspec.to_builtins(self.switches)
        for name, value in msgspec.to_builtins(dict(changes)).items():
            both_are_maps = isinstance(value, dict) and isinstance(plain.get(name), dict)
            plain[name] = {**plain[name], **value} if both_are_maps else value
        try:
            self.project.switches = msgspec.convert(plain, SatisMeterSwitches)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from error

    async def start(self) -> None:
        """Listen, and send webhooks."""
        await super().start()
        self._sending = asyncio.create_task(self.webhooks.run(), name="webhooks of the sandbox")

    async def stop(self) -> None:
        """Close everything; the project stays as it is, webhooks on their way are lost."""
        await super().stop()
        sending, self._sending = self._sending, None
        if sending is not None:
            sending.cancel()
            await asyncio.wait([sending])
            if not sending.cancelled():
                sending.result()

    # --- what the vendor's own users do ---------------------------------------------------------------------------

    def add_person(self, email: str | None = None, **fields: Any) -> User:
        """Somebody is added (see `Project.add_person`)."""
        return self.project.add_person(email, **fields)

    def answer(self, person: str | None, score: float | str | None, **more: Any) -> str:
        """Somebody answers (see `Project.answer`); returns the id of the response."""
        return self.project.answer(person, score, **more).id

    def dismiss(self, person: str | None, score: float | None = None, **more: Any) -> str:
        """Somebody closes a survey; returns the id of the response."""
        return self.project.dismiss(person, score, **more).id

    def edit(self, response_id: str, **changes: Any) -> None:
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

    def state(self) -> dict[str, Any]:
        """What `/__sim/state` shows."""
        return {
            "kind": "satismeter",
            "base_url": self.base_url,
            "project_id": self.project_id,
            "now": self.now(),
            "responses": len(self.responses),
            "people": len(self.people),
            "upserts": len(self.project.upserts),
            "tracks": len(self.project.tracks),
            "webhook_url": self.webhook_url,
            "webhooks_waiting": self.webhooks.waiting,
            "requests": len(self.requests) + self.requests.forgotten,
            "switches": msgspec.to_builtins(self.switches),
        }

    # --- webhooks -------------------------------------------------------------------------------------------------

    def webhook(self, event: str, response_id: str) -> bytes:
        """The body of a webhook about a response as it is now, to be posted by hand; raises KeyError."""
        return orjson.dumps(shown_webhook(self.project, event, self.responses[response_id]))

    def send_webhook(self, event: str, response_id: str) -> None:
        """Send a webhook about a response as it is now; raises KeyError if there is none of that id."""
        self._announce(event, self.responses[response_id])

    def _announce(self, event: str, response: SurveyResponse) -> None:
        if self.webhook_url is None:
            return
        body = orjson.dumps(shown_webhook(self.project, event, response))
        headers = {"Content-Type": "application/json"}
        self.webhooks.put(self.webhook_url, Webhook(event_type=event, event_id=response.id, headers=headers, body=body))

    # --- requests -------------------------------------------------------------------------------------------------

    def routes(self) -> Iterable[web.RouteDef]:
        """The API of the vendor, and the project's own part of `/__sim/`."""
        yield from V3Api(self.project).routes()
        yield from LegacyApi(self.project, self.write_key).routes()
        yield from project_inspection_routes(self)

    async def serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request of the API, errors in the words of its generation."""
        try:
            self.project.catch_up()
            self._admit(request)
            return await handler(request)
        except ApiError as error:
            return self._worded(request, error)
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
            return self._worded(request, ApiError(HTTPStatus.NOT_FOUND))

    def _admit(self, request: web.Request) -> None:
        """Raise ApiError for whom the vendor would not let in."""
        switches = self.switches
        if switches.standing in _REFUSALS:
            raise ApiError(_REFUSALS[switches.standing])
        is_insert = request.method == "POST" and request.path == "/api/responses"
        is_too_old = _is_v3(request) and switches.key_generation == "old"
        if not is_insert and (is_too_old or key_given(request) != self.api_key):
            raise ApiError(HTTPStatus.UNAUTHORIZED)
        wait = self._rate_gate.wait_for_next(self.api_key, switches.rate_limit)
        if wait:
            headers = {"Retry-After": str(ceil(wait))} if switches.retry_after_header else {}
            raise ApiError(HTTPStatus.TOO_MANY_REQUESTS, headers=headers)

    def _worded(self, request: web.Request, error: ApiError) -> web.Response:
        if _is_v3(request) or self.switches.legacy_errors == "json":
            return json_answer({"errors": [{"title": error.title}]}, error.status, error.headers)
        return web.Response(text=error.title, status=error.status, headers=error.headers)


def _is_v3(request: web.Request) -> bool:
    return request.path.startswith("/api/v3/")

"""The look-alike of Delighted's REST API and webhooks, on loopback.

Delighted closed on 2026-06-30; this is what remains to build and test against. It keeps an account in memory, answers
the REST calls from it, and sends signed webhooks about what happens in it. Unconfirmed behaviour is in `switches.py`.
"""

import asyncio
import base64
import binascii
import hashlib
import itertools
import random
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from math import ceil
from typing import Any

import msgspec
from aiohttp import web

from npsbridge.sandbox.delighted.account import Account, News, PastAnswer, PersonRef, changed_switches
from npsbridge.sandbox.delighted.autopilot_api import AutopilotApi
from npsbridge.sandbox.delighted.inspection import account_inspection_routes
from npsbridge.sandbox.delighted.parameters import ApiError
from npsbridge.sandbox.delighted.people_api import PeopleApi
from npsbridge.sandbox.delighted.records import Person, SurveyRequest, SurveyResponse
from npsbridge.sandbox.delighted.responses_api import ResponsesApi
from npsbridge.sandbox.delighted.switches import DelightedSwitches
from npsbridge.sandbox.delighted.views import shown_news
from npsbridge.sandbox.delighted.webhooks import Webhook, WebhookSender, signed_webhook
from npsbridge.sandbox.rate import RateGate
from npsbridge.sandbox.server import Handler, LookAlike, Now, json_answer, system_time

SANDBOX_KEY = "sandbox-delighted-key"

_REFUSALS = {"unauthorized": HTTPStatus.UNAUTHORIZED, "forbidden": HTTPStatus.FORBIDDEN}
# Python's own phrases follow later editions of the standard than the vendor's server does.
_PHRASES = {HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable Entity"}
_ALWAYS_WITH_BODY = frozenset({HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.TOO_MANY_REQUESTS})


class DelightedServer(LookAlike):
    """A Delighted account with its API.

    Args:
        api_key: The key that callers must present.
        switches: How the account behaves; see `change_switches`.
        host: Address to listen on.
        port: 0 takes a free one.
        now: Wall clock, seconds since 1970.
        dice: Source of chance.

    Attributes:
        account: The state, for what the methods here do not offer.
        webhook_url: Where webhooks go; None for nowhere.
        webhooks: What was sent there, and what still waits.
    """

    def __init__(
        self,
        *,
        api_key: str = SANDBOX_KEY,
        switches: DelightedSwitches = DelightedSwitches(),  # noqa: B008 - a frozen record
        host: str = "127.0.0.1",
        port: int = 0,
        now: Now = system_time,
        dice: random.Random | None = None,
    ) -> None:
        super().__init__(host=host, port=port, now=now, dice=dice)
        self.api_key = api_key
        self.account = Account(switches, now=now, dice=self.dice, on_news=self._announce)
        self.webhook_url: str | None = None
        self.webhooks = WebhookSender(lambda: self.switches.webhooks, self.dice)
        self._event_numbers = itertools.count(1)
        self._rate_gate = RateGate(now)
        self._sending: asyncio.Task[None] | None = None

    @property
    def base_url(self) -> str:
        """What clients are configured with, `/v1` included."""
        return f"{self.origin}/v1"

    @property
    def switches(self) -> DelightedSwitches:
        """How the account behaves now."""
        return self.account.switches

    def change_switches(self, changes: Mapping[str, Any]) -> None:
        """Change switches by name, such as `{"standing": "retired"}`.

        Raises:
            ValueError: A switch does not exist or cannot have that value; the text names it.
        """
        self.account.adopt(changed_switches(self.switches, changes))

    async def start(self) -> None:
        """Listen, and send webhooks."""
        await super().start()
        self._sending = asyncio.create_task(self.webhooks.run(), name="webhooks of the sandbox")

    async def stop(self) -> None:
        """Close everything; the account stays as it is, webhooks on their way are lost."""
        await super().stop()
        sending, self._sending = self._sending, None
        if sending is not None:
            sending.cancel()
            await asyncio.wait([sending])
            if not sending.cancelled():
                sending.result()

    # --- what the vendor's own users do ---------------------------------------------------------------------------

    def add_person(self, email: str | None = None, **fields: Any) -> Person:
        """Somebody is added; further fields: `name`, `phone_number`, `created_at`, `last_sent_at`."""
        return self.account.add_person(email, **fields)

    def answer(
        self,
        person: PersonRef,
        score: int,
        *,
        comment: str | None = None,
        created_at: int | None = None,
        **more: Any,
    ) -> str:
        """Somebody answers (see `Account.answer`); returns the id of the response."""
        return self.account.answer(person, score, comment=comment, created_at=created_at, **more).id

    def edit(self, response_id: str, **changes: Any) -> None:
        """A response is changed: `score`, `comment`, `tags`, `notes`, … (see `Account.edit`)."""
        self.account.edit(response_id, **changes)

    def load(self, answers: Iterable[PastAnswer]) -> list[str]:
        """Load many past answers at once, without webhooks; returns the ids of the responses in the same order."""
        return self.account.load(answers)

    def delete_person(self, person: PersonRef) -> None:
        """Somebody is deleted with all responses; there is no tombstone."""
        self.account.delete_person(person)

    def unsubscribe(self, person: PersonRef) -> None:
        """Somebody unsubscribes from emails."""
        self.account.unsubscribe(person)

    def bounce(self, person: PersonRef) -> None:
        """A mail to somebody comes back."""
        self.account.bounce(person)

    # --- ground truth ---------------------------------------------------------------------------------------------

    @property
    def responses(self) -> Mapping[str, SurveyResponse]:
        """Every response as it really is, visible or not yet, by id."""
        self.account.catch_up()
        return self.account.responses.truth

    @property
    def people(self) -> Mapping[str, Person]:
        """Everybody, by id."""
        self.account.catch_up()
        return self.account.people.all

    @property
    def survey_requests(self) -> list[SurveyRequest]:
        """What was asked and what became of it, in the order it was asked."""
        self.account.catch_up()
        return list(self.account.surveys.requests.values())

    def state(self) -> dict[str, Any]:
        """What `/__sim/state` shows."""
        return {
            "kind": "delighted",
            "base_url": self.base_url,
            "now": self.now(),
            "responses": len(self.responses),
            "people": len(self.people),
            "survey_requests": len(self.survey_requests),
            "webhook_url": self.webhook_url,
            "webhooks_waiting": self.webhooks.waiting,
            "requests": len(self.requests) + self.requests.forgotten,
            "switches": msgspec.to_builtins(self.switches),
        }

    # --- webhooks -------------------------------------------------------------------------------------------------

    def signed_webhook(self, event_type: str, response_id: str) -> tuple[dict[str, str], bytes]:
        """Headers and body of a webhook about a response as it is now, to be posted by hand.

        Raises:
            KeyError: There is no such response.
        """
        webhook = self._webhook(News(event_type=event_type, subject=self.responses[response_id]))
        return webhook.headers, webhook.body

    def send_webhook(self, event_type: str, response_id: str) -> None:
        """Send a webhook about a response as it is now.

        Raises:
            KeyError: There is no such response.
        """
        self._announce(News(event_type=event_type, subject=self.responses[response_id]))

    def _announce(self, news: News) -> None:
        if self.webhook_url is not None:
            self.webhooks.put(self.webhook_url, self._webhook(news))

    def _webhook(self, news: News) -> Webhook:
        event_id = hashlib.sha256(f"{self.api_key}/{next(self._event_numbers)}".encode()).hexdigest()
        return signed_webhook(news.event_type, event_id, shown_news(self.account, news), self.api_key)

    # --- requests -------------------------------------------------------------------------------------------------

    def routes(self) -> Iterable[web.RouteDef]:
        """The API of the vendor, and the account's own part of `/__sim/`."""
        for api in (PeopleApi(self.account), ResponsesApi(self.account), AutopilotApi(self.account)):
            yield from api.routes()
        yield from account_inspection_routes(self)

    async def serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request of the API, errors in the vendor's words."""
        try:
            self.account.catch_up()
            self._admit(request)
            return await handler(request)
        except ApiError as error:
            return self._worded(error)
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
            return self._worded(ApiError(HTTPStatus.NOT_FOUND))

    def _admit(self, request: web.Request) -> None:
        """Raise ApiError for whom the vendor would not let in."""
        switches = self.switches
        if switches.standing == "retired":
            raise ApiError(HTTPStatus.GONE)
        if len(request.raw_path) > switches.url_limit:
            raise ApiError(HTTPStatus.REQUEST_URI_TOO_LONG)
        if _key_given(request) != self.api_key:
            raise ApiError(HTTPStatus.UNAUTHORIZED)
        if switches.standing in _REFUSALS:
            raise ApiError(_REFUSALS[switches.standing])
        self._limit_rate(switches)
        if not _wants_json(request):
            raise ApiError(HTTPStatus.NOT_ACCEPTABLE)

    def _limit_rate(self, switches: DelightedSwitches) -> None:
        wait = self._rate_gate.wait_for_next(self.api_key, switches.rate_limit)
        if wait:
            headers = {"Retry-After": str(ceil(wait))} if switches.retry_after_header else {}
            raise ApiError(HTTPStatus.TOO_MANY_REQUESTS, headers=headers)

    def _worded(self, error: ApiError) -> web.Response:
        status = error.status
        if self.switches.error_bodies == "empty" and status not in _ALWAYS_WITH_BODY:
            return web.Response(status=status, headers=error.headers)
        body: dict[str, Any] = {"status": status, "message": _PHRASES.get(status, status.phrase)}
        if error.errors is not None:
            body["errors"] = error.errors
        return json_answer(body, status, error.headers)


def _key_given(request: web.Request) -> str | None:
    """The user name of Basic authentication, with or without the colon behind it.

    Ruby, Node, PHP and curl send the colon; the Python client and RudderStack send the bare key (their sources).
    """
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return None


def _wants_json(request: web.Request) -> bool:
    """By the suffix of the path, or else by `Accept` (delighted.com/docs/api)."""
    suffix = request.match_info.get("suffix") or ""
    return suffix == ".json" or (not suffix and "application/json" in request.headers.get("Accept", ""))

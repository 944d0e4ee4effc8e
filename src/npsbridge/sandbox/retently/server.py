"""The look-alike of Retently's REST API v2 and webhooks, on loopback.

It keeps an account in memory, answers the calls from it, and posts webhooks about what happens in it. Unconfirmed
behaviour is in `switches.py`.
"""

import asyncio
import itertools
import random
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from math import ceil
from typing import Any

import msgspec
from aiohttp import web

from npsbridge.sandbox.faults import html
from npsbridge.sandbox.rate import RateGate
from npsbridge.sandbox.retently.account import Account, News
from npsbridge.sandbox.retently.errors import BAD_KEY, ApiError
from npsbridge.sandbox.retently.inspection import account_inspection_routes
from npsbridge.sandbox.retently.reading_api import PREFIX, ReadingApi
from npsbridge.sandbox.retently.records import Customer, Feedback, PastFeedback, SentSurvey, SurveyRequest
from npsbridge.sandbox.retently.switches import RetentlySwitches
from npsbridge.sandbox.retently.views import shown_customer, shown_feedback, shown_sent_survey
from npsbridge.sandbox.retently.webhooks import RECOMMENDED, WebhookSender, rendered
from npsbridge.sandbox.retently.writing_api import WritingApi
from npsbridge.sandbox.server import Handler, LookAlike, Now, json_answer, system_time

SANDBOX_KEY = "sandbox-retently-key"
REFRESH_TOKEN = "sandbox-retently-refresh"  # noqa: S105 - the look-alike's own, made up

_REFUSALS = {
    "retired": (HTTPStatus.GONE, None),
    "unauthorized": (HTTPStatus.UNAUTHORIZED, BAD_KEY),
    "forbidden": (HTTPStatus.FORBIDDEN, None),
}


class RetentlyServer(LookAlike):
    """A Retently account with its API.

    Args:
        api_key: The key that callers must present.
        switches: How the account behaves; see `change_switches`.
        host: Address to listen on.
        port: 0 takes a free one.
        now: Wall clock, seconds since 1970.
        dice: Source of chance.

    Attributes:
        account: The state, and what people do in it.
        webhook_url: Where webhooks go; None for nowhere.
        webhook_template: The body of webhooks, with placeholders.
        webhook_headers: Headers of webhooks, as the account's users may add them.
        webhooks: What was posted there.
    """

    def __init__(
        self,
        *,
        api_key: str = SANDBOX_KEY,
        switches: RetentlySwitches = RetentlySwitches(),  # noqa: B008 - a frozen record
        host: str = "127.0.0.1",
        port: int = 0,
        now: Now = system_time,
        dice: random.Random | None = None,
    ) -> None:
        super().__init__(host=host, port=port, now=now, dice=dice)
        self.api_key = api_key
        self.account = Account(switches, now=now, dice=self.dice, on_news=self._announce)
        self.webhook_url: str | None = None
        self.webhook_template: Any = RECOMMENDED
        self.webhook_headers: dict[str, str] = {}
        self.webhooks = WebhookSender(lambda: self.switches.webhooks)
        self._tokens: set[str] = set()
        self._token_numbers = itertools.count(1)
        self._rate_gate = RateGate(now)
        self._sending: asyncio.Task[None] | None = None

    @property
    def base_url(self) -> str:
        """What clients are configured with, `/api/v2` included."""
        return self.origin + PREFIX

    @property
    def switches(self) -> RetentlySwitches:
        """How the account behaves now."""
        return self.account.switches

    def change_switches(self, changes: Mapping[str, Any]) -> None:
        """Change switches by name, such as `{"sort": "ignored"}`.

        Raises:
            ValueError: A switch does not exist or cannot have that value; the text names it.
        """
        plain = msgspec.to_builtins(self.switches)
        for name, value in msgspec.to_builtins(dict(changes)).items():
            both_are_maps = isinstance(value, dict) and isinstance(plain.get(name), dict)
            plain[name] = {**plain[name], **value} if both_are_maps else value
        try:
            self.account.switches = msgspec.convert(plain, RetentlySwitches)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from error

    async def start(self) -> None:
        """Listen, and post webhooks."""
        await super().start()
        self._sending = asyncio.create_task(self.webhooks.run(), name="webhooks of the sandbox's Retently")

    async def stop(self) -> None:
        """Close everything; the account stays as it is, webhooks on their way are lost."""
        await super().stop()
        sending, self._sending = self._sending, None
        if sending is not None:
            sending.cancel()
            await asyncio.wait([sending])
            if not sending.cancelled():
                sending.result()

    # --- what people do in the account ----------------------------------------------------------------------------

    def answer(self, email: str | None, score: float | None, **fields: Any) -> str:
        """Somebody answers (see `Account.answer`), a customer from then on; returns the id of the answer."""
        if email is not None and self.account.find_customer(email) is None:
            self.account.upsert(email)
        return self.account.answer(email, score, **fields).id

    def edit(self, feedback_id: str, **changes: Any) -> None:
        """An answer is changed: `comment`, `score`, `tags`, … (see `Account.edit`)."""
        self.account.edit(feedback_id, **changes)

    def delete(self, feedback_id: str) -> None:
        """An answer is removed; there is no tombstone."""
        self.account.delete(feedback_id)

    def load(self, answers: Iterable[PastFeedback]) -> list[str]:
        """Load many past answers at once, without webhooks; returns their ids in the same order."""
        return self.account.load(answers)

    def send(self, email: str | None, *, opened_ms: int | None = None, **fields: Any) -> str:
        """A survey goes out (see `Account.send`), and is opened if so said; returns its number in the outbox."""
        row = self.account.send(email, **fields)
        return (self.account.mark(row.id, opened_ms=opened_ms) if opened_ms is not None else row).id

    def open(self, survey_id: str) -> None:
        """Somebody opens a survey now."""
        self.account.mark(survey_id, opened_ms=self.account.now_ms())

    # --- ground truth ---------------------------------------------------------------------------------------------

    @property
    def responses(self) -> Mapping[str, Feedback]:
        """Every answer as it really is, visible or not yet, by id."""
        return self.account.feedback

    @property
    def survey_requests(self) -> list[SurveyRequest]:
        """What was asked, and why nothing was sent if so, in the order it was asked."""
        return self.account.requests

    def state(self) -> dict[str, Any]:
        """What `/__sim/state` shows."""
        return {
            "kind": "retently",
            "base_url": self.base_url,
            "now": self.now(),
            "responses": len(self.responses),
            "customers": len(self.account.customers),
            "sent_surveys": len(self.account.outbox),
            "survey_requests": len(self.survey_requests),
            "webhook_url": self.webhook_url,
            "webhooks_waiting": self.webhooks.waiting,
            "requests": len(self.requests) + self.requests.forgotten,
            "switches": msgspec.to_builtins(self.switches),
        }

    # --- webhooks -------------------------------------------------------------------------------------------------

    def webhook_body(self, feedback_id: str) -> bytes:
        """The body of a webhook about an answer as it is now, to be posted by hand.

        Raises:
            KeyError: There is no such answer.
        """
        return msgspec.json.encode(self._rendered(News(event="feedback", subject=self.responses[feedback_id])))

    def _announce(self, news: News) -> None:
        if self.webhook_url is not None:
            self.webhooks.put(self.webhook_url, self._rendered(news), self.webhook_headers)

    def _rendered(self, news: News) -> Any:
        return rendered(self.webhook_template, {"event": news.event, **self._shown(news.subject)})

    def _shown(self, subject: Feedback | SentSurvey | Customer) -> dict[str, Any]:
        match subject:
            case Feedback():
                return shown_feedback(self.account, subject)
            case SentSurvey():
                return shown_sent_survey(self.account, subject)
            case Customer():
                return shown_customer(subject)

    # --- requests -------------------------------------------------------------------------------------------------

    def routes(self) -> Iterable[web.RouteDef]:
        """The API of the vendor, and the account's own part of `/__sim/`."""
        # The first pattern that fits answers: words of the API go before ids.
        yield from WritingApi(self.account).routes()
        yield from ReadingApi(self.account).routes()
        yield web.post("/api/oauth/token", self._refresh)
        yield from account_inspection_routes(self)

    async def serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request of the API, errors in the vendor's words."""
        try:
            self.account.catch_up()
            if request.path.startswith(PREFIX):
                self._admit(request)
            return await handler(request)
        except ApiError as error:
            return self._worded(error)
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
            return self._worded(ApiError(HTTPStatus.NOT_FOUND))

    def _admit(self, request: web.Request) -> None:
        """Raise ApiError for whom the vendor would not let in."""
        switches = self.switches
        if switches.standing in _REFUSALS:
            status, message = _REFUSALS[switches.standing]
            raise ApiError(status, message)
        if not self._knows(request):
            raise ApiError(HTTPStatus.UNAUTHORIZED, BAD_KEY)
        wait = self._rate_gate.wait_for_next(self.api_key, switches.rate_limit)
        if wait:
            headers = {"Retry-After": str(ceil(wait))} if switches.retry_after_header else {}
            raise ApiError(HTTPStatus.TOO_MANY_REQUESTS, headers=headers)

    def _knows(self, request: web.Request) -> bool:
        """By header in two ways, by query, or by a token from the OAuth endpoint."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        given = (
            scheme.removeprefix("api_key=") if scheme.startswith("api_key=") else None,
            request.headers.get("X-Api-Key"),
            request.query.get("api_key"),
        )
        return self.api_key in given or (scheme.lower() == "bearer" and token in self._tokens)

    async def _refresh(self, request: web.Request) -> web.Response:
        """A new access token for the refresh token."""
        form = await request.post()
        if form.get("grant_type") != "refresh_token" or form.get("refresh_token") != REFRESH_TOKEN:
            raise ApiError(HTTPStatus.UNAUTHORIZED, "invalid_grant")
        token = f"sandbox-retently-access-{next(self._token_numbers)}"
        self._tokens.add(token)
        return json_answer({"access_token": token, "token_type": "Bearer", "expires_in": 3600})

    def _worded(self, error: ApiError) -> web.Response:
        form = self.switches.refusal_body if error.status == HTTPStatus.TOO_MANY_REQUESTS else "envelope"
        match form:
            case "envelope":
                return json_answer(error.body, error.status, error.headers)
            case "html":
                page = html(error.status)
                headers = {**page.headers, **error.headers}
                return web.Response(status=error.status, headers=headers, body=page.body.encode())
            case "empty":
                return web.Response(status=error.status, headers=error.headers)

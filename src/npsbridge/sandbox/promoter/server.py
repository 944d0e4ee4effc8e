"""The look-alike of Promoter.io's REST API, v1 and v2, and of its webhooks, on loopback.

Composed from the API reference (developers.promoter.io/reference), the help centre and the fixtures of published
clients; what they leave open is in `switches.py`.
"""

import asyncio
import itertools
import random
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from math import ceil
from typing import Any

import msgspec
import orjson
from aiohttp import web

from npsbridge.sandbox.delighted.webhooks import Webhook, WebhookSender
from npsbridge.sandbox.promoter.account import Account, Contact, Feedback, News, PastFeedback, SurveyRequest
from npsbridge.sandbox.promoter.inspection import account_inspection_routes
from npsbridge.sandbox.promoter.listing import ApiError
from npsbridge.sandbox.promoter.routes import Api
from npsbridge.sandbox.promoter.switches import PromoterSwitches
from npsbridge.sandbox.promoter.views import hook_body, shown_feedback
from npsbridge.sandbox.rate import RateGate
from npsbridge.sandbox.server import Handler, LookAlike, Now, json_answer, system_time

SANDBOX_KEY = "sandbox-promoter-key"

_STANDINGS = {
    "retired": (HTTPStatus.GONE, "Gone."),
    "unauthorized": (HTTPStatus.UNAUTHORIZED, "Invalid token."),
    "forbidden": (HTTPStatus.FORBIDDEN, "You do not have permission to perform this action."),
}
_DJANGO_NOT_FOUND = "<!DOCTYPE html><html><head><title>Not Found</title></head><body><h1>Not Found</h1></body></html>"


class PromoterServer(LookAlike):
    """A Promoter.io account with its API.

    Args:
        api_key: The key that callers must present.
        switches: How the account behaves; see `change_switches`.
        host: Address to listen on.
        port: 0 takes a free one.
        now: Wall clock, seconds since 1970.
        dice: Source of chance.

    Attributes:
        account: The state, for what the methods here do not offer.
        webhook_url: Where webhooks go, all of them; None for nowhere.
        webhooks: What was sent there, and what still waits.
    """

    def __init__(
        self,
        *,
        api_key: str = SANDBOX_KEY,
        switches: PromoterSwitches = PromoterSwitches(),  # noqa: B008 - a frozen record
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
        """What clients are configured with."""
        return f"{self.origin}/api"

    @property
    def switches(self) -> PromoterSwitches:
        """How the account behaves now."""
        return self.account.switches

    def change_switches(self, changes: Mapping[str, Any]) -> None:
        """Change switches by name, such as `{"has_v2": False}`.

        Raises:
            ValueError: A switch does not exist or cannot have that value; the text names it.
        """
        self.account.switches = self.switches.changed(changes)

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

    def answer(self, email: str | None, score: int | None, **fields: Any) -> int:
        """Somebody answers (see `Account.answer`); returns the id of the feedback."""
        return self.account.answer(email, score, **fields).id

    def edit(self, feedback_id: int, **changes: Any) -> None:
        """An answer is changed: `score`, `comment`, `tags`, `status` (see `Account.edit`)."""
        self.account.edit(feedback_id, **changes)

    def remove(self, feedback_id: int) -> None:
        """An answer is removed."""
        self.account.remove(feedback_id)

    def load(self, answers: Iterable[PastFeedback]) -> list[int]:
        """Load many past answers at once, without webhooks; returns their ids in the same order."""
        return self.account.load(answers)

    def unsubscribe(self, email: str) -> None:
        """Somebody unsubscribes from surveys."""
        self.account.unsubscribe(email)

    # --- ground truth ---------------------------------------------------------------------------------------------

    @property
    def feedback(self) -> Mapping[int, Feedback]:
        """Every answer as it really is, visible or not yet, by id."""
        return self.account.feedback

    @property
    def contacts(self) -> Mapping[str, Contact]:
        """Everybody, by lower-cased email."""
        return self.account.contacts

    @property
    def survey_requests(self) -> list[SurveyRequest]:
        """What was asked, in that order, and whether it was sent."""
        return self.account.survey_requests

    def shown(self, row: Feedback) -> Mapping[str, Any]:
        """An answer as v2 shows it."""
        return shown_feedback(self.account, row, 2, self._link_origin())

    def state(self) -> dict[str, Any]:
        """What `/__sim/state` shows."""
        return {
            "kind": "promoter",
            "base_url": self.base_url,
            "now": self.now(),
            "responses": len(self.feedback),
            "people": len(self.contacts),
            "survey_requests": len(self.survey_requests),
            "webhook_url": self.webhook_url,
            "webhooks_waiting": self.webhooks.waiting,
            "requests": len(self.requests) + self.requests.forgotten,
            "switches": msgspec.to_builtins(self.switches),
        }

    # --- webhooks -------------------------------------------------------------------------------------------------

    def _announce(self, news: News) -> None:
        if self.webhook_url is None or self.dice.random() < self.switches.hooks_dropped:
            return
        number = next(self._event_numbers)
        body = hook_body(self.account, news, self._link_origin(), self.webhook_url, number)
        if body is not None:
            headers = {"Content-Type": "application/json"}
            webhook = Webhook(event_type=news.event, event_id=str(number), headers=headers, body=orjson.dumps(body))
            self.webhooks.put(self.webhook_url, webhook)

    # --- requests -------------------------------------------------------------------------------------------------

    def routes(self) -> Iterable[web.RouteDef]:
        """The API of the vendor, and the account's own part of `/__sim/`."""
        yield from Api(self.account, self._link_origin).routes()
        yield from account_inspection_routes(self)

    def _link_origin(self) -> str:
        return self.switches.next_origin or self.origin

    async def serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request of the API, errors in the words of Django and its REST framework."""
        if not request.path.endswith("/"):
            return self._slash_missing(request)
        try:
            if request.path.startswith("/api/v2/") and not self.switches.has_v2:
                raise web.HTTPNotFound  # noqa: TRY301 - as the router would
            self._admit(request)
            return await handler(request)
        except ApiError as error:
            return json_answer(error.body, error.status, error.headers)
        except web.HTTPNotFound:
            return web.Response(text=_DJANGO_NOT_FOUND, status=HTTPStatus.NOT_FOUND, content_type="text/html")
        except web.HTTPMethodNotAllowed:
            detail = f'Method "{request.method}" not allowed.'
            return json_answer({"detail": detail}, HTTPStatus.METHOD_NOT_ALLOWED)

    def _slash_missing(self, request: web.Request) -> web.Response:
        """Django redirects to the address with the slash; what was posted cannot go with it."""
        if request.method != "GET":
            return web.Response(status=HTTPStatus.INTERNAL_SERVER_ERROR, text="a slash is missing")
        query = f"?{request.query_string}" if request.query_string else ""
        return web.Response(status=HTTPStatus.MOVED_PERMANENTLY, headers={"Location": f"{request.path}/{query}"})

    def _admit(self, request: web.Request) -> None:
        """Raise ApiError for whom the vendor would not let in."""
        if self.switches.standing in _STANDINGS:
            status, detail = _STANDINGS[self.switches.standing]
            raise ApiError(status, {"detail": detail})
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Token" or key != self.api_key:
            raise ApiError(HTTPStatus.UNAUTHORIZED, {"detail": "Invalid token."})
        wait = self._rate_gate.wait_for_next(self.api_key, self.switches.rate_limit)
        if wait:
            detail = f"Request was throttled. Expected available in {wait:.1f} seconds."
            headers = {"Retry-After": str(ceil(wait))} if self.switches.retry_after_header else {}
            raise ApiError(HTTPStatus.TOO_MANY_REQUESTS, {"detail": detail}, headers)

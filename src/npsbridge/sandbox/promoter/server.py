"""The look-alike of Promoter.io's REST API, v1 and v2, and of its webhooks, on loopback.

Composed from the API reference (developers.promoter.io/reference), the help centre and the fixtures of published
clients; what they leave open is in `switches.py`.
"""

import itertools
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Unpack

from aiohttp import web

from npsbridge.sandbox.account_inspection import Listing
from npsbridge.sandbox.account_server import Access, SurveyLookAlike
from npsbridge.sandbox.account_state import Asked
from npsbridge.sandbox.promoter.account import CAMPAIGNS, Account, Contact, Feedback, News, PastFeedback, SurveyRequest
from npsbridge.sandbox.promoter.inspection import AnswerAsked, PromoterEditAsked, removal_route
from npsbridge.sandbox.promoter.listing import ApiError
from npsbridge.sandbox.promoter.routes import Api
from npsbridge.sandbox.promoter.switches import PromoterSwitches
from npsbridge.sandbox.promoter.views import hook_body, shown_feedback
from npsbridge.sandbox.server import Handler, json_answer
from npsbridge.sandbox.webhooks import json_webhook

SANDBOX_KEY = "sandbox-promoter-key"
SANDBOX_TOKEN = "sandbox-promoter-hook"  # noqa: S105 - the look-alike's own, made up

_STANDINGS = {
    "retired": (HTTPStatus.GONE, "Gone."),
    "unauthorized": (HTTPStatus.UNAUTHORIZED, "Invalid token."),
    "forbidden": (HTTPStatus.FORBIDDEN, "You do not have permission to perform this action."),
}
_DJANGO_NOT_FOUND = "<!DOCTYPE html><html><head><title>Not Found</title></head><body><h1>Not Found</h1></body></html>"


class PromoterServer(SurveyLookAlike[PromoterSwitches, int, PastFeedback]):
    """A Promoter.io account with its API.

    Args:
        switches: How it behaves; see `change_switches`.
        access: Keys, address, clock and dice; see `SurveyLookAlike`.

    Attributes:
        account: The state, for what the methods here do not offer.
    """

    account: Account
    kind = "promoter"
    sandbox_key = SANDBOX_KEY
    sandbox_token = SANDBOX_TOKEN
    vendor_error = ApiError
    answer_asked = AnswerAsked
    edit_asked = PromoterEditAsked

    def __init__(
        self,
        *,
        switches: PromoterSwitches = PromoterSwitches(),  # noqa: B008 - a frozen record
        **access: Unpack[Access],
    ) -> None:
        super().__init__(**access)
        self.account = Account(switches, now=self.now, dice=self.dice, on_news=self._announce)
        self._event_numbers = itertools.count(1)

    @property
    def base_url(self) -> str:
        """What clients are configured with."""
        return f"{self.origin}/api"

    def own_settings(self) -> dict[str, str]:
        """The campaign that surveys are asked for."""
        return {"CAMPAIGN_ID": str(min(CAMPAIGNS))}

    # --- what the vendor's own users do ---------------------------------------------------------------------------

    def answer(self, email: str | None, score: int | None, /, *, comment: str | None = None, **more: Any) -> int:
        """Somebody answers (see `Account.answer`); returns the id of the feedback."""
        return self.account.answer(email, score, comment=comment, **more).id

    def edit(self, feedback_id: int, /, **changes: Any) -> None:
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
    def responses(self) -> Mapping[int, Feedback]:
        """The same."""
        return self.account.feedback

    @property
    def contacts(self) -> Mapping[str, Contact]:
        """Everybody, by lower-cased email."""
        return self.account.contacts

    @property
    def people(self) -> Mapping[str, Contact]:
        """The same."""
        return self.account.contacts

    @property
    def survey_requests(self) -> list[SurveyRequest]:
        """What was asked, in that order, and whether it was sent."""
        return self.account.survey_requests

    @property
    def asked(self) -> Asked:
        """What callers of the API have asked for."""
        throttled = sum(request.is_throttled for request in self.survey_requests)
        return Asked(people=len(self.account.described), surveys=len(self.survey_requests), throttled=throttled)

    def properties_of(self, email: str) -> Mapping[str, Any]:
        """The contact's attributes."""
        contact = self.contacts.get(email.lower())
        return contact.attributes if contact else {}

    def shown(self, row: Feedback) -> Mapping[str, Any]:
        """An answer as v2 shows it."""
        return shown_feedback(self.account, row, 2, self._link_origin())

    def figures(self) -> dict[str, Any]:
        """Further values of `state`."""
        return {"survey_requests": len(self.survey_requests), "campaigns": CAMPAIGNS}

    def listings(self) -> dict[str, Listing]:
        """What can be looked at under `/__sim/`; answers and people by the vendor's own words too."""
        listings = super().listings()
        own = {"feedback": listings["responses"], "contacts": listings["people"]}
        return listings | own | {"survey_requests": Listing(lambda: self.survey_requests)}

    # --- webhooks -------------------------------------------------------------------------------------------------

    def _announce(self, news: News) -> None:
        if self.webhook_url is None or self.dice.random() < self.switches.hooks_dropped:
            return
        number = next(self._event_numbers)
        body = hook_body(self.account, news, self._link_origin(), self.webhook_url, number)
        if body is not None:
            self.post_webhook(lambda: json_webhook(news.event, str(number), body))

    # --- requests -------------------------------------------------------------------------------------------------

    def api_routes(self) -> Iterable[web.RouteDef]:
        """The API of the vendor, and how an answer is removed."""
        yield from Api(self.account, self._link_origin).routes()
        yield removal_route(self)

    def _link_origin(self) -> str:
        return self.switches.next_origin or self.origin

    async def serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request of the API, errors in the words of Django and its REST framework."""
        if not request.path.endswith("/"):
            return self._slash_missing(request)
        try:
            if request.path.startswith("/api/v2/") and not self.switches.has_v2:
                raise web.HTTPNotFound  # noqa: TRY301 - as the router would
            self.admit(request)
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

    def admit(self, request: web.Request) -> None:
        """Raise ApiError for whom the vendor would not let in."""
        if self.switches.standing in _STANDINGS:
            status, detail = _STANDINGS[self.switches.standing]
            raise ApiError(status, {"detail": detail})
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Token" or key != self.api_key:
            raise ApiError(HTTPStatus.UNAUTHORIZED, {"detail": "Invalid token."})
        self.limit_rate()

    def too_early(self, wait: float, headers: Mapping[str, str]) -> ApiError:
        """The refusal of who has to wait; its body says how long."""
        detail = f"Request was throttled. Expected available in {wait:.1f} seconds."
        return ApiError(HTTPStatus.TOO_MANY_REQUESTS, {"detail": detail}, headers)

"""The look-alike of Retently's REST API v2 and webhooks, on loopback.

It keeps an account in memory, answers the calls from it, and posts webhooks about what happens in it. Unconfirmed
behaviour is in `switches.py`.
"""

import itertools
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Unpack

import msgspec
from aiohttp import web

from npsbridge.sandbox.account_inspection import Listing
from npsbridge.sandbox.account_server import Access, SurveyLookAlike
from npsbridge.sandbox.account_state import Asked
from npsbridge.sandbox.faults import html
from npsbridge.sandbox.retently.account import THROTTLED, Account, News
from npsbridge.sandbox.retently.errors import BAD_KEY, ApiError
from npsbridge.sandbox.retently.inspection import AnswerAsked, RetentlyEditAsked
from npsbridge.sandbox.retently.reading_api import PREFIX, ReadingApi
from npsbridge.sandbox.retently.records import Customer, Feedback, PastFeedback, SentSurvey, SurveyRequest
from npsbridge.sandbox.retently.switches import RetentlySwitches
from npsbridge.sandbox.retently.views import shown_customer, shown_feedback, shown_sent_survey
from npsbridge.sandbox.retently.webhooks import RECOMMENDED, rendered
from npsbridge.sandbox.retently.writing_api import WritingApi
from npsbridge.sandbox.server import json_answer
from npsbridge.sandbox.webhooks import json_webhook

SANDBOX_KEY = "sandbox-retently-key"
SANDBOX_TOKEN = "sandbox-retently-hook"  # noqa: S105 - the same
REFRESH_TOKEN = "sandbox-retently-refresh"  # noqa: S105 - the look-alike's own, made up

_REFUSALS = {
    "retired": (HTTPStatus.GONE, None),
    "unauthorized": (HTTPStatus.UNAUTHORIZED, BAD_KEY),
    "forbidden": (HTTPStatus.FORBIDDEN, None),
}


class RetentlyServer(SurveyLookAlike[RetentlySwitches, str, PastFeedback]):
    """A Retently account with its API.

    Args:
        switches: How it behaves; see `change_switches`.
        access: Keys, address, clock and dice; see `SurveyLookAlike`.

    Attributes:
        account: The state, and what people do in it.
        webhook_template: The body of webhooks, with placeholders.
        webhook_headers: Headers of webhooks, as the account's users may add them.
    """

    account: Account
    kind = "retently"
    sandbox_key = SANDBOX_KEY
    sandbox_token = SANDBOX_TOKEN
    vendor_error = ApiError
    answer_asked = AnswerAsked
    edit_asked = RetentlyEditAsked

    def __init__(
        self,
        *,
        switches: RetentlySwitches = RetentlySwitches(),  # noqa: B008 - a frozen record
        **access: Unpack[Access],
    ) -> None:
        super().__init__(**access)
        self.account = Account(switches, now=self.now, dice=self.dice, on_news=self._announce)
        self.webhook_template: Any = RECOMMENDED
        self.webhook_headers: dict[str, str] = {}
        self._tokens: set[str] = set()
        self._token_numbers = itertools.count(1)

    @property
    def base_url(self) -> str:
        """What clients are configured with, `/api/v2` included."""
        return self.origin + PREFIX

    # --- what people do in the account ----------------------------------------------------------------------------

    def answer(self, email: str | None, score: float | None, /, *, comment: str | None = None, **more: Any) -> str:
        """Somebody answers (see `Account.answer`), a customer from then on; returns the id of the answer."""
        if email is not None and self.account.find_customer(email) is None:
            self.account.upsert(email)
        return self.account.answer(email, score, comment=comment, **more).id

    def edit(self, feedback_id: str, /, **changes: Any) -> None:
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
    def people(self) -> Mapping[str, Customer]:
        """Every customer, by id."""
        return self.account.customers

    @property
    def survey_requests(self) -> list[SurveyRequest]:
        """What was asked, and why nothing was sent if so, in the order it was asked."""
        return self.account.requests

    @property
    def asked(self) -> Asked:
        """What callers of the API have asked for."""
        throttled = sum(request.refused_because == THROTTLED for request in self.survey_requests)
        return Asked(people=len(self.account.described), surveys=len(self.survey_requests), throttled=throttled)

    def properties_of(self, email: str) -> Mapping[str, Any]:
        """The customer's properties."""
        customer = self.account.find_customer(email)
        return customer.properties if customer else {}

    def shown(self, row: Feedback) -> Mapping[str, Any]:
        """An answer as the API shows it."""
        return shown_feedback(self.account, row)

    def figures(self) -> dict[str, Any]:
        """Further values of `state`."""
        return {
            "customers": len(self.account.customers),
            "sent_surveys": len(self.account.outbox),
            "survey_requests": len(self.survey_requests),
            "campaigns": {campaign.id: campaign.name for campaign in self.account.campaigns.values()},
        }

    def listings(self) -> dict[str, Listing]:
        """What can be looked at under `/__sim/`; people by the vendor's own word too."""
        account = self.account
        people = Listing(lambda: list(self.people.values()), shown_customer)
        return super().listings() | {
            "people": people,
            "customers": people,
            "outbox": Listing(lambda: list(account.outbox.values()), lambda row: shown_sent_survey(account, row)),
            "survey_requests": Listing(lambda: self.survey_requests),
        }

    # --- webhooks -------------------------------------------------------------------------------------------------

    def webhook_body(self, feedback_id: str) -> bytes:
        """The body of a webhook about an answer as it is now, to be posted by hand.

        Raises:
            KeyError: There is no such answer.
        """
        return msgspec.json.encode(self._rendered(News(event="feedback", subject=self.responses[feedback_id])))

    def _announce(self, news: News) -> None:
        self.post_webhook(lambda: json_webhook(news.event, news.subject.id, self._rendered(news), self.webhook_headers))

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

    def api_routes(self) -> Iterable[web.RouteDef]:
        """The API of the vendor."""
        # The first pattern that fits answers: words of the API go before ids.
        yield from WritingApi(self.account).routes()
        yield from ReadingApi(self.account).routes()
        yield web.post("/api/oauth/token", self._refresh)

    def admit(self, request: web.Request) -> None:
        """Raise ApiError for whom the vendor would not let in; new tokens are had without a key."""
        if not request.path.startswith(PREFIX):
            return
        if self.switches.standing in _REFUSALS:
            status, message = _REFUSALS[self.switches.standing]
            raise ApiError(status, message)
        if not self._knows(request):
            raise ApiError(HTTPStatus.UNAUTHORIZED, BAD_KEY)
        self.limit_rate()

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

    def worded(self, error: ApiError, _: web.Request) -> web.Response:
        """A refusal in the vendor's envelope; being too early may be told by a proxy before it."""
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

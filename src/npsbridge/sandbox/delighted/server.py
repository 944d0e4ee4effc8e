"""The look-alike of Delighted's REST API and webhooks, on loopback.

Delighted closed on 2026-06-30; this is what remains to build and test against. It keeps an account in memory, answers
the REST calls from it, and sends signed webhooks about what happens in it. Unconfirmed behaviour is in `switches.py`.
"""

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Unpack

from aiohttp import web

from npsbridge.sandbox.account_inspection import Listing
from npsbridge.sandbox.account_server import Access, SurveyLookAlike
from npsbridge.sandbox.account_state import Asked
from npsbridge.sandbox.credentials import basic_user
from npsbridge.sandbox.delighted.account import Account, News, PastAnswer, PersonRef
from npsbridge.sandbox.delighted.autopilot_api import AutopilotApi
from npsbridge.sandbox.delighted.inspection import AnswerAsked, DelightedEditAsked, webhook_route
from npsbridge.sandbox.delighted.parameters import ApiError
from npsbridge.sandbox.delighted.people_api import PeopleApi
from npsbridge.sandbox.delighted.records import Person, RequestState, SurveyRequest, SurveyResponse
from npsbridge.sandbox.delighted.responses_api import ResponsesApi
from npsbridge.sandbox.delighted.switches import DelightedSwitches
from npsbridge.sandbox.delighted.views import EVERYTHING, shown_news, shown_person, shown_response
from npsbridge.sandbox.delighted.webhooks import signed_webhook
from npsbridge.sandbox.server import json_answer
from npsbridge.sandbox.webhooks import Webhook

SANDBOX_KEY = "sandbox-delighted-key"

_REFUSALS = {"unauthorized": HTTPStatus.UNAUTHORIZED, "forbidden": HTTPStatus.FORBIDDEN}
# Python's own phrases follow later editions of the standard than the vendor's server does.
_PHRASES = {HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable Entity"}
_ALWAYS_WITH_BODY = frozenset({HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.TOO_MANY_REQUESTS})


class DelightedServer(SurveyLookAlike[DelightedSwitches, str, PastAnswer]):
    """A Delighted account with its API.

    Args:
        switches: How it behaves; see `change_switches`.
        access: Keys, address, clock and dice; see `SurveyLookAlike`.

    Attributes:
        account: The state, for what the methods here do not offer.
    """

    account: Account
    kind = "delighted"
    sandbox_key = SANDBOX_KEY
    vendor_error = ApiError
    answer_asked = AnswerAsked
    edit_asked = DelightedEditAsked

    def __init__(
        self,
        *,
        switches: DelightedSwitches = DelightedSwitches(),  # noqa: B008 - a frozen record
        **access: Unpack[Access],
    ) -> None:
        super().__init__(**access)
        self.account = Account(switches, now=self.now, dice=self.dice, on_news=self._announce)
        self._event_numbers = itertools.count(1)

    @property
    def base_url(self) -> str:
        """What clients are configured with, `/v1` included."""
        return f"{self.origin}/v1"

    # --- what the vendor's own users do ---------------------------------------------------------------------------

    def add_person(self, email: str | None = None, **fields: Any) -> Person:
        """Somebody is added; further fields: `name`, `phone_number`, `created_at`, `last_sent_at`."""
        return self.account.add_person(email, **fields)

    def answer(self, person: PersonRef, score: int, /, *, comment: str | None = None, **more: Any) -> str:
        """Somebody answers (see `Account.answer`), a person from then on; returns the id of the response."""
        if isinstance(person, str) and "@" in person and self.account.find_person(person) is None:
            self.account.add_person(person)
        return self.account.answer(person, score, comment=comment, **more).id

    def edit(self, response_id: str, /, **changes: Any) -> None:
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

    @property
    def asked(self) -> Asked:
        """What callers of the API have asked for; what Autopilot asks for by itself is left out."""
        states = Counter(request.state for request in self.survey_requests if not request.by_autopilot)
        return Asked(
            people=len(self.account.described), surveys=states.total(), throttled=states[RequestState.THROTTLED]
        )

    def properties_of(self, email: str) -> Mapping[str, str]:
        """What somebody was surveyed with the last time they answered."""
        person = self.account.find_person(email)
        rows = [row for row in self.responses.values() if person is not None and row.person_id == person.id]
        newest = max(rows, key=lambda row: row.created_at, default=None)
        return (newest.person_properties if newest else None) or {}

    def answer_again(self, email: str, score: int) -> str:
        """Somebody who was surveyed before is surveyed with the same properties, and answers."""
        return self.answer(email, score, person_properties=dict(self.properties_of(email)) or None)

    def shown(self, row: SurveyResponse) -> Mapping[str, Any]:
        """A response with all that the API can show of it."""
        return shown_response(self.account, row, EVERYTHING)

    def figures(self) -> dict[str, Any]:
        """Further values of `state`."""
        requests = self.survey_requests
        states = Counter(request.state for request in requests)
        return {"survey_requests": len(requests), **{f"surveys_{state}": states[state] for state in RequestState}}

    def listings(self) -> dict[str, Listing]:
        """What can be looked at under `/__sim/`."""
        return super().listings() | {
            "people": Listing(lambda: list(self.people.values()), lambda row: shown_person(self.account, row)),
            "survey_requests": Listing(lambda: self.survey_requests),
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
        self.post_webhook(lambda: self._webhook(news))

    def _webhook(self, news: News) -> Webhook:
        event_id = hashlib.sha256(f"{self.api_key}/{next(self._event_numbers)}".encode()).hexdigest()
        return signed_webhook(news.event_type, event_id, shown_news(self.account, news), self.api_key)

    # --- requests -------------------------------------------------------------------------------------------------

    def api_routes(self) -> Iterable[web.RouteDef]:
        """The API of the vendor, and a webhook sent by hand."""
        for api in (PeopleApi(self.account), ResponsesApi(self.account), AutopilotApi(self.account)):
            yield from api.routes()
        yield webhook_route(self)

    def admit(self, request: web.Request) -> None:
        """Raise ApiError for whom the vendor would not let in."""
        switches = self.switches
        if switches.standing == "retired":
            raise ApiError(HTTPStatus.GONE)
        if len(request.raw_path) > switches.url_limit:
            raise ApiError(HTTPStatus.REQUEST_URI_TOO_LONG)
        if basic_user(request) != self.api_key:
            raise ApiError(HTTPStatus.UNAUTHORIZED)
        if switches.standing in _REFUSALS:
            raise ApiError(_REFUSALS[switches.standing])
        self.limit_rate()
        if not _wants_json(request):
            raise ApiError(HTTPStatus.NOT_ACCEPTABLE)

    def worded(self, error: ApiError, _: web.Request) -> web.Response:
        """A refusal as JSON, or without any words."""
        status = error.status
        if self.switches.error_bodies == "empty" and status not in _ALWAYS_WITH_BODY:
            return web.Response(status=status, headers=error.headers)
        body: dict[str, Any] = {"status": status, "message": _PHRASES.get(status, status.phrase)}
        if error.errors is not None:
            body["errors"] = error.errors
        return json_answer(body, status, error.headers)


def _wants_json(request: web.Request) -> bool:
    """By the suffix of the path, or else by `Accept` (delighted.com/docs/api)."""
    suffix = request.match_info.get("suffix") or ""
    return suffix == ".json" or (not suffix and "application/json" in request.headers.get("Accept", ""))

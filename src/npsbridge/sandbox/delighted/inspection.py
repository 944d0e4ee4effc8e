"""The account's own part of `/__sim/`: look at it, and act in it from another process, as the vendor's users would.

No part of Delighted's API.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from aiohttp import web
from msgspec import UNSET, UnsetType

from npsbridge.core.model import Record
from npsbridge.sandbox.delighted.account import Account
from npsbridge.sandbox.delighted.records import Person, SurveyRequest, SurveyResponse
from npsbridge.sandbox.delighted.views import EVERYTHING, shown_person, shown_response
from npsbridge.sandbox.delighted.webhooks import WebhookSender
from npsbridge.sandbox.inspection import INSPECTION, latest, read_json, refusal, shown


class AnswerAsked(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /__sim/answers`: somebody answers."""

    person: str | None
    """An id or an email; an unknown email becomes a person."""
    score: int
    comment: str | None = None
    created_at: int | None = None
    person_properties: dict[str, str] | None = None


class EditAsked(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /__sim/edits`: a response is changed; what is not named stays."""

    response_id: str
    score: int | UnsetType = UNSET
    comment: str | UnsetType | None = UNSET
    tags: list[str] | UnsetType = UNSET


class WebhookUrl(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /__sim/webhook_url`: where webhooks go from now on; null for nowhere."""

    url: str | None


class WebhookAsked(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /__sim/webhooks`: send one now about a response."""

    response_id: str
    event_type: str = "survey_response.updated"


class Inspected(Protocol):
    """What of the server is needed here."""

    account: Account
    webhook_url: str | None
    webhooks: WebhookSender

    @property
    def responses(self) -> Mapping[str, SurveyResponse]:
        """As they really are."""

    @property
    def people(self) -> Mapping[str, Person]:
        """Everybody."""

    @property
    def survey_requests(self) -> list[SurveyRequest]:
        """In the order they were asked."""

    def state(self) -> dict[str, Any]:
        """JSON values."""

    def send_webhook(self, event_type: str, response_id: str) -> None:
        """Raises KeyError if there is no such response."""


def account_inspection_routes(server: Inspected) -> list[web.RouteDef]:
    """The routes beside those that every look-alike has."""
    look, act = _Looking(server), _Acting(server)
    return [
        web.get(f"{INSPECTION}responses", look.responses),
        web.get(f"{INSPECTION}people", look.people),
        web.get(f"{INSPECTION}survey_requests", look.survey_requests),
        web.get(f"{INSPECTION}webhooks", look.webhooks),
        web.post(f"{INSPECTION}answers", act.answer),
        web.post(f"{INSPECTION}edits", act.edit),
        web.post(f"{INSPECTION}webhook_url", act.choose_webhook_url),
        web.post(f"{INSPECTION}webhooks", act.send_webhook),
    ]


class _Looking:
    def __init__(self, server: Inspected) -> None:
        self._server = server

    async def responses(self, request: web.Request) -> web.Response:
        rows = latest(list(self._server.responses.values()), request)
        return shown([shown_response(self._server.account, row, EVERYTHING) for row in rows])

    async def people(self, request: web.Request) -> web.Response:
        people = latest(list(self._server.people.values()), request)
        return shown([shown_person(self._server.account, person) for person in people])

    async def survey_requests(self, request: web.Request) -> web.Response:
        return shown(latest(self._server.survey_requests, request))

    async def webhooks(self, request: web.Request) -> web.Response:
        return shown(latest(list(self._server.webhooks.attempts), request))


class _Acting:
    def __init__(self, server: Inspected) -> None:
        self._server = server

    async def answer(self, request: web.Request) -> web.Response:
        asked = await read_json(request, AnswerAsked)
        row = self._server.account.answer(
            self._respondent(asked.person),
            asked.score,
            comment=asked.comment,
            created_at=asked.created_at,
            person_properties=asked.person_properties,
        )
        return shown(shown_response(self._server.account, row, EVERYTHING), status=201)

    def _respondent(self, person: str | None) -> Person | None:
        account = self._server.account
        if person is None:
            return None
        found = account.find_person(person)
        if found is None and "@" not in person:
            raise refusal(f"person: {person!r} is neither an id in the account nor an email")
        return found or account.add_person(person)

    async def edit(self, request: web.Request) -> web.Response:
        asked = await read_json(request, EditAsked)
        account = self._server.account
        try:
            row = account.edit(asked.response_id, score=asked.score, comment=asked.comment, tags=asked.tags)
        except KeyError as error:
            raise _no_response(asked.response_id) from error
        return shown(shown_response(account, row, EVERYTHING))

    async def choose_webhook_url(self, request: web.Request) -> web.Response:
        self._server.webhook_url = (await read_json(request, WebhookUrl)).url
        return shown(self._server.state())

    async def send_webhook(self, request: web.Request) -> web.Response:
        asked = await read_json(request, WebhookAsked)
        if self._server.webhook_url is None:
            raise refusal("webhook_url: choose it first with POST /__sim/webhook_url")
        try:
            self._server.send_webhook(asked.event_type, asked.response_id)
        except KeyError as error:
            raise _no_response(asked.response_id) from error
        return shown({"sent": True}, status=202)


def _no_response(response_id: str) -> web.HTTPBadRequest:
    return refusal(f"response_id: there is no response {response_id!r}")

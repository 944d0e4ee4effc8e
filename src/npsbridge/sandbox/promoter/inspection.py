"""The account's own part of `/__sim/`: look at it, and act in it from another process. No part of the vendor's API."""

from collections.abc import Mapping
from typing import Any, Protocol

from aiohttp import web
from msgspec import UNSET, UnsetType

from npsbridge.core.model import Record
from npsbridge.sandbox.delighted.webhooks import WebhookSender
from npsbridge.sandbox.inspection import INSPECTION, latest, read_json, refusal, shown
from npsbridge.sandbox.promoter.account import Account, Feedback


class AnswerAsked(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /__sim/answers`: somebody answers."""

    email: str | None
    score: int | None
    comment: str | None = None
    posted_at: int | None = None
    attributes: dict[str, Any] | None = None


class EditAsked(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /__sim/edits`: an answer is changed; what is not named stays."""

    feedback_id: int
    score: int | UnsetType = UNSET
    comment: str | UnsetType | None = UNSET
    tags: list[str] | UnsetType = UNSET


class RemovalAsked(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /__sim/removals`: an answer is removed."""

    feedback_id: int


class WebhookUrl(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /__sim/webhook_url`: where webhooks go from now on; null for nowhere."""

    url: str | None


class Inspected(Protocol):
    """What of the server is needed here."""

    account: Account
    webhook_url: str | None
    webhooks: WebhookSender

    def state(self) -> dict[str, Any]:
        """JSON values."""

    def shown(self, row: Feedback) -> Mapping[str, Any]:
        """As v2 shows it."""


def account_inspection_routes(server: Inspected) -> list[web.RouteDef]:
    """The routes beside those that every look-alike has."""
    own = _Inspection(server)
    return [
        web.get(f"{INSPECTION}feedback", own.feedback),
        web.get(f"{INSPECTION}contacts", own.contacts),
        web.get(f"{INSPECTION}survey_requests", own.survey_requests),
        web.get(f"{INSPECTION}webhooks", own.webhooks),
        web.post(f"{INSPECTION}answers", own.answer),
        web.post(f"{INSPECTION}edits", own.edit),
        web.post(f"{INSPECTION}removals", own.remove),
        web.post(f"{INSPECTION}webhook_url", own.choose_webhook_url),
    ]


class _Inspection:
    def __init__(self, server: Inspected) -> None:
        self._server = server

    async def feedback(self, request: web.Request) -> web.Response:
        return shown([self._server.shown(row) for row in latest(list(self._server.account.feedback.values()), request)])

    async def contacts(self, request: web.Request) -> web.Response:
        return shown(latest(list(self._server.account.contacts.values()), request))

    async def survey_requests(self, request: web.Request) -> web.Response:
        return shown(latest(self._server.account.survey_requests, request))

    async def webhooks(self, request: web.Request) -> web.Response:
        return shown(latest(list(self._server.webhooks.attempts), request))

    async def answer(self, request: web.Request) -> web.Response:
        asked = await read_json(request, AnswerAsked)
        row = self._server.account.answer(
            asked.email,
            asked.score,
            comment=asked.comment,
            posted_at=asked.posted_at,
            attributes=asked.attributes,
        )
        return shown(self._server.shown(row), status=201)

    async def edit(self, request: web.Request) -> web.Response:
        asked = await read_json(request, EditAsked)
        try:
            row = self._server.account.edit(
                asked.feedback_id, score=asked.score, comment=asked.comment, tags=asked.tags
            )
        except KeyError as error:
            raise _no_feedback(asked.feedback_id) from error
        return shown(self._server.shown(row))

    async def remove(self, request: web.Request) -> web.Response:
        asked = await read_json(request, RemovalAsked)
        try:
            self._server.account.remove(asked.feedback_id)
        except KeyError as error:
            raise _no_feedback(asked.feedback_id) from error
        return shown(self._server.state())

    async def choose_webhook_url(self, request: web.Request) -> web.Response:
        self._server.webhook_url = (await read_json(request, WebhookUrl)).url
        return shown(self._server.state())


def _no_feedback(feedback_id: int) -> web.HTTPBadRequest:
    return refusal(f"feedback_id: there is no feedback {feedback_id}")

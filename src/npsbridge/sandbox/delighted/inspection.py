"""What `/__sim/` takes for Delighted's account; no part of Delighted's API."""

from typing import Any, Protocol

from aiohttp import web
from msgspec import UNSET, UnsetType

from npsbridge.core.model import Record
from npsbridge.sandbox.account_inspection import EditAsked, no_response
from npsbridge.sandbox.inspection import INSPECTION, read_json, refusal, shown


class AnswerAsked(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /__sim/answers`: somebody answers."""

    person: str | None
    """An id or an email; an unknown email becomes a person."""
    score: int
    comment: str | None = None
    created_at: int | None = None
    person_properties: dict[str, str] | None = None


class DelightedEditAsked(EditAsked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /__sim/edits`: a response is changed; what is not named stays."""

    score: int | UnsetType = UNSET
    tags: list[str] | UnsetType = UNSET


class WebhookAsked(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /__sim/webhooks`: send one now about a response."""

    response_id: str
    event_type: str = "survey_response.updated"


class Announcing(Protocol):
    """What of the server is needed here."""

    webhook_url: str | None

    def send_webhook(self, event_type: str, response_id: str) -> Any:
        """Raises KeyError if there is no such response."""


def webhook_route(server: Announcing) -> web.RouteDef:
    """Where a webhook is asked for by hand."""

    async def send_webhook(request: web.Request) -> web.Response:
        asked = await read_json(request, WebhookAsked)
        if server.webhook_url is None:
            raise refusal("webhook_url: choose it first with POST /__sim/webhook_url")
        try:
            server.send_webhook(asked.event_type, asked.response_id)
        except KeyError as error:
            raise no_response(asked.response_id) from error
        return shown({"sent": True}, status=202)

    return web.post(f"{INSPECTION}webhooks", send_webhook)

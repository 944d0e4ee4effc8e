"""What `/__sim/` takes for Promoter.io's account; no part of the vendor's API."""

from typing import Any, Protocol

import msgspec
from aiohttp import web
from msgspec import UNSET, UnsetType

from npsbridge.core.model import Record
from npsbridge.sandbox.account_inspection import EditAsked, no_response
from npsbridge.sandbox.inspection import INSPECTION, read_json, shown


class AnswerAsked(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /__sim/answers`: somebody answers."""

    person: str | None = msgspec.field(name="email")
    score: int | None
    comment: str | None = None
    posted_at: int | None = None
    attributes: dict[str, Any] | None = None


class PromoterEditAsked(EditAsked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /__sim/edits`: an answer is changed; what is not named stays."""

    response_id: int = msgspec.field(name="feedback_id")
    score: int | UnsetType = UNSET
    tags: list[str] | UnsetType = UNSET


class RemovalAsked(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /__sim/removals`: an answer is removed."""

    feedback_id: int


class Removing(Protocol):
    """What of the server is needed here."""

    def remove(self, feedback_id: int) -> None:
        """Raises KeyError if there is no such answer."""

    def state(self) -> dict[str, Any]:
        """JSON values."""


def removal_route(server: Removing) -> web.RouteDef:
    """Where an answer is removed."""

    async def remove(request: web.Request) -> web.Response:
        asked = await read_json(request, RemovalAsked)
        try:
            server.remove(asked.feedback_id)
        except KeyError as error:
            raise no_response(asked.feedback_id) from error
        return shown(server.state())

    return web.post(f"{INSPECTION}removals", remove)

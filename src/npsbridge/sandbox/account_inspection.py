"""What `/__sim/` offers of every survey platform: look at the account, and act in it as the vendor's users would.

It knows no vendor: which things there are, what they look like and which fields an answer has is asked of the server.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import msgspec
from aiohttp import web
from msgspec import UNSET, UnsetType

from npsbridge.core.model import Record
from npsbridge.sandbox.inspection import INSPECTION, latest, read_json, refusal, shown


class EditAsked(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /__sim/edits`: a response is changed; what is not named stays."""

    response_id: str | int
    score: float | UnsetType = UNSET
    comment: str | UnsetType | None = UNSET


class WebhookUrl(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /__sim/webhook_url`: where webhooks go from now on; null for nowhere."""

    url: str | None


class Listing(NamedTuple):
    """Things to be looked at, and what one of them looks like."""

    rows: Callable[[], Sequence[Any]]
    shown: Callable[[Any], object] = lambda row: row


class Inspected(Protocol):
    """What of an account is needed here."""

    webhook_url: str | None

    @property
    def answer_asked(self) -> type[Record]:
        """The body of `POST /__sim/answers`; its fields are the arguments of `take_answer`."""

    @property
    def edit_asked(self) -> type[EditAsked]:
        """The body of `POST /__sim/edits`."""

    @property
    def responses(self) -> Mapping[Any, Any]:
        """As they really are, by id."""

    def listings(self) -> Mapping[str, Listing]:
        """By the last part of their address."""

    def shown(self, row: Any) -> object:
        """A response as the vendor shows it."""

    def state(self) -> dict[str, Any]:
        """JSON values."""

    def take_answer(self, fields: dict[str, Any]) -> Any:
        """Somebody answers; the id of the response. Raises KeyError that names who is unknown."""

    def edit(self, response_id: Any, /, **changes: Any) -> None:
        """Raises KeyError if there is no such response."""


def account_inspection_routes(server: Inspected) -> list[web.RouteDef]:
    """The routes beside those that every look-alike has."""
    account = _Account(server)
    looks = [web.get(f"{INSPECTION}{name}", partial(_listed, listing)) for name, listing in server.listings().items()]
    return [
        *looks,
        web.post(f"{INSPECTION}answers", account.answer),
        web.post(f"{INSPECTION}edits", account.edit),
        web.post(f"{INSPECTION}webhook_url", account.choose_webhook_url),
    ]


async def _listed(listing: Listing, request: web.Request) -> web.Response:
    return shown([listing.shown(row) for row in latest(listing.rows(), request)])


class _Account:
    def __init__(self, server: Inspected) -> None:
        self._server = server

    async def answer(self, request: web.Request) -> web.Response:
        asked = msgspec.structs.asdict(await read_json(request, self._server.answer_asked))
        try:
            response_id = self._server.take_answer(asked)
        except KeyError as error:
            raise refusal(f"person: {error.args[0]}") from error
        return shown(self._shown(response_id), status=201)

    async def edit(self, request: web.Request) -> web.Response:
        asked = msgspec.structs.asdict(await read_json(request, self._server.edit_asked))
        response_id = asked.pop("response_id")
        if response_id not in self._server.responses:
            raise no_response(response_id)
        self._server.edit(response_id, **{name: value for name, value in asked.items() if value is not UNSET})
        return shown(self._shown(response_id))

    async def choose_webhook_url(self, request: web.Request) -> web.Response:
        self._server.webhook_url = (await read_json(request, WebhookUrl)).url
        return shown(self._server.state())

    def _shown(self, response_id: Any) -> object:
        return self._server.shown(self._server.responses[response_id])


def no_response(response_id: object) -> web.HTTPBadRequest:
    """The refusal of a request about a response that is not there."""
    return refusal(f"response_id: there is no response {response_id!r}")

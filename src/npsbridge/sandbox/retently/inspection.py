"""The account's own part of `/__sim/`: look at it, and act in it from another process, as people would.

No part of Retently's API.
"""

from typing import Any, Protocol

from aiohttp import web
from msgspec import UNSET, UnsetType, structs

from npsbridge.core.model import Record
from npsbridge.sandbox.inspection import INSPECTION, latest, read_json, refusal, shown
from npsbridge.sandbox.retently.account import Account
from npsbridge.sandbox.retently.views import shown_customer, shown_feedback, shown_sent_survey


class AnswerAsked(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /__sim/answers`: somebody answers."""

    email: str | None
    score: float | None
    comment: str | None = None
    created_ms: int | None = None
    metric: str = "nps"


class EditAsked(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /__sim/edits`: an answer is changed; what is not named stays."""

    response_id: str
    score: float | UnsetType = UNSET
    comment: str | UnsetType | None = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET


class WebhookUrl(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /__sim/webhook_url`: where webhooks go from now on; null for nowhere."""

    url: str | None


class Inspected(Protocol):
    """What of the server is needed here."""

    account: Account
    webhook_url: str | None

    def state(self) -> dict[str, Any]:
        """JSON values."""

    def answer(self, email: str | None, score: float | None, **fields: Any) -> str:
        """The id of the answer."""


def account_inspection_routes(server: Inspected) -> list[web.RouteDef]:
    """The routes beside those that every look-alike has."""
    account = server.account

    async def responses(request: web.Request) -> web.Response:
        rows = latest(list(account.feedback.values()), request)
        return shown([shown_feedback(account, row) for row in rows])

    async def customers(request: web.Request) -> web.Response:
        return shown([shown_customer(row) for row in latest(list(account.customers.values()), request)])

    async def outbox(request: web.Request) -> web.Response:
        return shown([shown_sent_survey(account, row) for row in latest(list(account.outbox.values()), request)])

    async def survey_requests(request: web.Request) -> web.Response:
        return shown(latest(account.requests, request))

    async def answer(request: web.Request) -> web.Response:
        asked = structs.asdict(await read_json(request, AnswerAsked))
        row = account.feedback[server.answer(asked.pop("email"), asked.pop("score"), **asked)]
        return shown(shown_feedback(account, row), status=201)

    async def edit(request: web.Request) -> web.Response:
        asked = structs.asdict(await read_json(request, EditAsked))
        response_id = asked.pop("response_id")
        if response_id not in account.feedback:
            raise refusal(f"response_id: there is no response {response_id!r}")
        changes = {name: value for name, value in asked.items() if value is not UNSET}
        return shown(shown_feedback(account, account.edit(response_id, **changes)))

    async def choose_webhook_url(request: web.Request) -> web.Response:
        server.webhook_url = (await read_json(request, WebhookUrl)).url
        return shown(server.state())

    return [
        web.get(f"{INSPECTION}responses", responses),
        web.get(f"{INSPECTION}customers", customers),
        web.get(f"{INSPECTION}outbox", outbox),
        web.get(f"{INSPECTION}survey_requests", survey_requests),
        web.post(f"{INSPECTION}answers", answer),
        web.post(f"{INSPECTION}edits", edit),
        web.post(f"{INSPECTION}webhook_url", choose_webhook_url),
    ]

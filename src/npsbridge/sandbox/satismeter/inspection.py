"""The project's own part of `/__sim/`: look at it, and act in it from another process, as its users would."""

from typing import Any, Protocol

from aiohttp import web
from msgspec import UNSET, UnsetType

from npsbridge.core.model import Record
from npsbridge.sandbox.inspection import INSPECTION, latest, read_json, refusal, shown
from npsbridge.sandbox.satismeter.project import Project
from npsbridge.sandbox.satismeter.views import shown_user, shown_v3


class AnswerAsked(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /__sim/answers`: somebody answers, or closes the survey."""

    person: str | None
    """An id of either side or an email; an unknown email becomes a person."""
    score: float | None = None
    comment: str | None = None
    created_at: float | None = None
    survey_type: str = "nps"
    dismissed: bool = False


class EditAsked(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /__sim/edits`: a response is changed; what is not named stays."""

    response_id: str
    score: float | UnsetType = UNSET
    comment: str | UnsetType | None = UNSET


class WebhookUrl(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /__sim/webhook_url`: where webhooks go from now on; null for nowhere."""

    url: str | None


class Inspected(Protocol):
    """What of the server is needed here."""

    project: Project
    webhook_url: str | None

    def state(self) -> dict[str, Any]:
        """JSON values."""


def project_inspection_routes(server: Inspected) -> list[web.RouteDef]:
    """The routes beside those that every look-alike has."""
    project = server.project

    async def responses(request: web.Request) -> web.Response:
        rows = latest(list(project.responses.truth.values()), request)
        return shown([shown_v3(project, row) for row in rows])

    async def people(request: web.Request) -> web.Response:
        return shown([shown_user(project, user) for user in latest(list(project.users.values()), request)])

    async def asked(request: web.Request) -> web.Response:
        return shown({"upserts": latest(project.upserts, request), "tracks": latest(project.tracks, request)})

    async def answer(request: web.Request) -> web.Response:
        wanted = await read_json(request, AnswerAsked)
        try:
            row = _answer(project, wanted)
        except KeyError as error:
            raise refusal(f"person or survey_type: there is no {error}") from error
        return shown(shown_v3(project, row), status=201)

    async def edit(request: web.Request) -> web.Response:
        wanted = await read_json(request, EditAsked)
        try:
            row = project.edit(wanted.response_id, score=wanted.score, comment=wanted.comment)
        except KeyError as error:
            raise refusal(f"response_id: there is no response {wanted.response_id!r}") from error
        return shown(shown_v3(project, row))

    async def choose_webhook_url(request: web.Request) -> web.Response:
        server.webhook_url = (await read_json(request, WebhookUrl)).url
        return shown(server.state())

    return [
        web.get(f"{INSPECTION}responses", responses),
        web.get(f"{INSPECTION}people", people),
        web.get(f"{INSPECTION}asked", asked),
        web.post(f"{INSPECTION}answers", answer),
        web.post(f"{INSPECTION}edits", edit),
        web.post(f"{INSPECTION}webhook_url", choose_webhook_url),
    ]


def _answer(project: Project, asked: AnswerAsked) -> Any:
    if asked.dismissed:
        return project.dismiss(asked.person, asked.score, created_at=asked.created_at, survey_type=asked.survey_type)
    return project.answer(
        asked.person,
        asked.score,
        comment=asked.comment,
        created_at=asked.created_at,
        survey_type=asked.survey_type,
    )

"""What `/__sim/` takes and shows of SatisMeter's project beside the usual; no part of the vendor's API."""

from typing import Literal

from aiohttp import web

from npsbridge.core.model import Record
from npsbridge.sandbox.inspection import INSPECTION, latest, shown
from npsbridge.sandbox.satismeter.project import Project


class AnswerAsked(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /__sim/answers`: somebody answers, or closes the survey."""

    person: str | None
    """An id of either side or an email; an unknown email becomes a person."""
    score: float | None = None
    comment: str | None = None
    created_at: float | None = None
    survey_type: Literal["nps", "csat", "ces", "pmf", "custom"] = "nps"
    dismissed: bool = False


def asked_route(project: Project) -> web.RouteDef:
    """A look at what the API was told of users and their doings."""

    async def asked(request: web.Request) -> web.Response:
        return shown({"upserts": latest(project.upserts, request), "tracks": latest(project.tracks, request)})

    return web.get(f"{INSPECTION}asked", asked)

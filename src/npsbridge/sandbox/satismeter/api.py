"""What the routes of all generations share: errors, credentials, the bounds of a stretch of time."""

from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

from npsbridge.core import reading
from npsbridge.core.times import milliseconds
from npsbridge.errors import BadRecord
from npsbridge.sandbox.credentials import basic_user, scheme_and_credentials
from npsbridge.sandbox.satismeter.project import Project
from npsbridge.sandbox.satismeter.records import SurveyResponse
from npsbridge.sandbox.vendor_error import VendorError

DEFAULT_DAYS = 30
DAY = 86_400_000


class ApiError(VendorError):
    """An answer that refuses."""

    def __init__(self, status: HTTPStatus, title: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, headers)
        self.title = title or status.phrase


def key_given(request: web.Request) -> str | None:
    """The key of `Bearer`, of `Basic` as the user name, or of the old header `AuthKey`."""
    scheme, credentials = scheme_and_credentials(request)
    if scheme == "bearer":
        return credentials
    return basic_user(request) if scheme == "basic" else request.headers.get("AuthKey")


def listed(request: web.Request, project: Project) -> list[SurveyResponse]:
    """The responses between `startDate` and `endDate`, oldest first; without them, the last 30 days."""
    now = int(project.now() * 1000)
    since = _instant(request, "startDate", now - DEFAULT_DAYS * DAY)
    until = _instant(request, "endDate", now)
    inset = 1 if project.switches.bounds == "exclusive" else 0
    return project.responses.between(since + inset, until - inset, is_shuffled=project.switches.tie_order == "shuffled")


def _instant(request: web.Request, name: str, otherwise: int) -> int:
    given = request.query.get(name)
    if given is None:
        return otherwise
    try:
        return milliseconds(reading.instant(int(given) if given.isdigit() else given, f"/{name}"))
    except BadRecord as error:
        raise ApiError(HTTPStatus.BAD_REQUEST, f"Invalid {name}") from error

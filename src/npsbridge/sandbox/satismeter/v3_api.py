"""`/api/v3`: the project, its campaigns, and pages of responses (as bruin-data/ingestr and others read it)."""

import base64
from collections.abc import Sequence
from http import HTTPStatus

import msgspec
from aiohttp import web

from npsbridge.sandbox.satismeter.api import ApiError, listed
from npsbridge.sandbox.satismeter.project import Project
from npsbridge.sandbox.satismeter.records import SurveyResponse
from npsbridge.sandbox.satismeter.views import shown_survey, shown_v3
from npsbridge.sandbox.server import json_answer

DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE = 20, 100


class V3Api:
    """The routes of v3; only reading."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def routes(self) -> list[web.RouteDef]:
        """All of them."""
        project = "/api/v3/projects/{project}"
        return [
            web.get(project, self.get_project),
            web.get(f"{project}/campaigns", self.list_campaigns),
            web.get(f"{project}/campaigns/{{campaign}}", self.get_campaign),
            web.get(f"{project}/responses", self.list_responses),
            web.get(f"{project}/campaigns/{{campaign}}/responses", self.list_responses),
        ]

    async def get_project(self, request: web.Request) -> web.Response:
        """The project."""
        self._check_project(request)
        shown = {"id": self._project.id, "name": "Sandbox"}
        return json_answer({"data": shown} if self._project.switches.wraps_project else shown)

    async def list_campaigns(self, request: web.Request) -> web.Response:
        """Every survey, on one page."""
        self._check_project(request)
        return json_answer({"data": [shown_survey(survey) for survey in self._project.surveys.values()]})

    async def get_campaign(self, request: web.Request) -> web.Response:
        """One survey."""
        self._check_project(request)
        wanted = request.match_info["campaign"]
        found = next((survey for survey in self._project.surveys.values() if survey.id == wanted), None)
        if found is None:
            raise ApiError(HTTPStatus.NOT_FOUND)
        return json_answer({"data": shown_survey(found)})

    async def list_responses(self, request: web.Request) -> web.Response:
        """A page of responses."""
        self._check_project(request)
        size = self._page_size(request)
        rows = self._rows(request)
        rest = self._rest(rows, request.query.get("pageCursor"))
        page = rest[: min(size, self._project.switches.longest_page or size)]
        return json_answer(
            {
                "data": [shown_v3(self._project, row) for row in page],
                "page": self._paging(page, rest, rows) | {"size": self._size(size, page)},
            }
        )

    def _check_project(self, request: web.Request) -> None:
        if request.match_info["project"] != self._project.id:
            raise ApiError(HTTPStatus.NOT_FOUND)

    def _rows(self, request: web.Request) -> list[SurveyResponse]:
        campaign, switches = request.match_info.get("campaign"), self._project.switches
        rows = [
            row
            for row in listed(request, self._project)
            if campaign in (None, row.survey.id)
            and not row.is_pending
            and (switches.lists_dismissed or not row.is_dismissed or row.score is not None)
        ]
        return rows if switches.order == "oldest" else rows[::-1]

    def _page_size(self, request: web.Request) -> int:
        given = request.query.get("pageSize", str(DEFAULT_PAGE_SIZE))
        if not given.lstrip("-").isdecimal():
            raise ApiError(HTTPStatus.BAD_REQUEST, "Invalid pageSize")
        if 1 <= int(given) <= LARGEST_PAGE_SIZE:
            return int(given)
        is_clamped = self._project.switches.page_size_out_of_range == "clamp"
        return max(1, min(int(given), LARGEST_PAGE_SIZE)) if is_clamped else DEFAULT_PAGE_SIZE

    def _rest(self, rows: Sequence[SurveyResponse], cursor: str | None) -> Sequence[SurveyResponse]:
        """What follows the row, or the number of rows, that a cursor stands for."""
        if cursor is None:
            return rows
        place = _read_cursor(cursor)
        if len(place) == 1:
            return rows[int(place[0]) :]
        created, last = int(place[0]), str(place[1])
        at = next((number for number, row in enumerate(rows) if row.id == last), None)
        if at is not None:
            return rows[at + 1 :]
        is_oldest = self._project.switches.order == "oldest"
        return [row for row in rows if (row.created > created if is_oldest else row.created < created)]

    def _paging(
        self, page: Sequence[SurveyResponse], rest: Sequence[SurveyResponse], rows: Sequence[SurveyResponse]
    ) -> dict[str, object]:
        if len(page) == len(rest):
            absent = self._project.switches.last_cursor == "absent"
            return {"hasNextPage": False} | ({} if absent else {"nextPageCursor": None})
        read = len(rows) - len(rest) + len(page)
        place = [read] if self._project.switches.cursor == "offset" else [page[-1].created, page[-1].id]
        return {"hasNextPage": True, "nextPageCursor": base64.b64encode(msgspec.json.encode(place)).decode()}

    def _size(self, asked: int, page: Sequence[SurveyResponse]) -> int:
        return asked if self._project.switches.size_says == "asked" else len(page)


def _read_cursor(cursor: str) -> list[int | str]:
    try:
        return msgspec.json.decode(base64.b64decode(cursor), type=list[int | str])
    except (ValueError, msgspec.DecodeError) as error:
        raise ApiError(HTTPStatus.BAD_REQUEST, "Invalid pageCursor") from error

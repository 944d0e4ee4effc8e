"""The old API: users and events, inserted responses, the old export, and v2's list of who unsubscribed.

Sources: the help centre's articles "Create or update user", "Track event", "List users", "Delete user", "Insert a
response", "Unsubscribes"; singer-io/tap-satismeter for the export. What is asked here is kept for inspection.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from npsbridge.sandbox.satismeter.api import ApiError, listed
from npsbridge.sandbox.satismeter.project import Project
from npsbridge.sandbox.satismeter.records import SurveyResponse, User
from npsbridge.sandbox.satismeter.views import shown_export, shown_user
from npsbridge.sandbox.server import json_answer


class LegacyApi:
    """The routes beside v3."""

    def __init__(self, project: Project, write_key: str) -> None:
        self._project = project
        self._write_key = write_key

    def routes(self) -> list[web.RouteDef]:
        """All of them."""
        unsubscribes = "/api/v2/project-unsubscribes/{project}"
        return [
            web.get("/api/responses{slash:/?}", self.export),
            web.post("/api/responses", self.insert_response),
            web.get("/api/users", self.list_users),
            web.post("/api/users", self.post_user),
            web.delete("/api/users/{id}", self.delete_user),
            web.get(unsubscribes, self.get_unsubscribes),
            web.patch(unsubscribes, self.replace_unsubscribes),
        ]

    async def export(self, request: web.Request) -> web.Response:
        """Responses of a stretch of time, all at once."""
        self._check_project(request.query.get("project"))
        rows = listed(request, self._project)
        return json_answer({"responses": [shown_export(self._project, row) for row in rows]})

    # --- users ----------------------------------------------------------------------------------------------------

    async def post_user(self, request: web.Request) -> web.Response:
        """Create or update a user, or tell of an event."""
        body = await _body(request)
        self._check_user_credentials(body)
        if request.query.get("type") == "track" or body.get("type") == "track":
            self._project.tracks.append(body)
            return web.Response(status=HTTPStatus.NO_CONTENT)
        user_id = body.get("userId")
        if not isinstance(user_id, str) or not user_id:
            raise ApiError(HTTPStatus.BAD_REQUEST, "userId is required")
        traits, survey_date = body.get("traits"), body.get("surveyDate")
        user = self._project.upsert(user_id, traits if isinstance(traits, dict) else {}, survey_date)
        self._project.upserts.append(body)
        self._project.described[user.id] += 1
        status = self._project.switches.upsert_status
        if HTTPStatus(status) is HTTPStatus.NO_CONTENT:
            return web.Response(status=status)
        return json_answer(shown_user(self._project, user), status)

    async def list_users(self, request: web.Request) -> web.Response:
        """Everybody, or one by `userId`."""
        self._check_project(request.query.get("project"))
        wanted = request.query.get("userId")
        users = [user for user in self._project.users.values() if not user.is_deleted]
        found = [shown_user(self._project, user) for user in users if wanted in (None, user.user_id)]
        return json_answer({"users": found})

    async def delete_user(self, request: web.Request) -> web.Response:
        """Delete a user by SatisMeter's own id; the responses stay."""
        user = self._project.users.get(request.match_info["id"])
        if user is None or user.is_deleted:
            raise ApiError(HTTPStatus.NOT_FOUND)
        self._project.delete_person(user.id)
        return web.Response(status=HTTPStatus.NO_CONTENT)

    # --- responses ------------------------------------------------------------------------------------------------

    async def insert_response(self, request: web.Request) -> web.Response:
        """Insert a response; the write key in the body is the only credential."""
        body = await _body(request)
        if body.get("writeKey") != self._write_key:
            raise ApiError(HTTPStatus.UNAUTHORIZED)
        survey = next((one for one in self._project.surveys.values() if one.id == body.get("campaign")), None)
        if survey is None:
            raise ApiError(HTTPStatus.BAD_REQUEST, "Unknown campaign")
        user = self._inserting_user(body)
        if self._answered_lately(user, survey.id):
            raise ApiError(HTTPStatus.BAD_REQUEST, "Duplicate response")
        score, comment = _given(body)
        row = self._project.answer(
            user.id, score, comment=comment, survey_type=survey.type, method=str(body.get("method") or "In-App")
        )
        return json_answer({"id": row.id})

    def _inserting_user(self, body: Mapping[str, Any]) -> User:
        traits = body.get("traits")
        traits = traits if isinstance(traits, dict) else {}
        if isinstance(user_id := body.get("userId"), str) and user_id:
            return self._project.upsert(user_id, traits, None)
        if isinstance(anonymous_id := body.get("anonymousId"), str) and anonymous_id:
            return self._project.find_user(anonymous_id) or self._project.add_person(
                anonymous_id=anonymous_id, **traits
            )
        raise ApiError(HTTPStatus.BAD_REQUEST, "userId or anonymousId is required")

    def _answered_lately(self, user: User, survey_id: str) -> bool:
        since = int((self._project.now() - self._project.switches.resurveyed_after) * 1000)

        def is_recent(row: SurveyResponse) -> bool:
            return row.user == user.id and row.survey.id == survey_id and row.created > since

        return any(is_recent(row) for row in self._project.responses.truth.values())

    # --- unsubscribes ---------------------------------------------------------------------------------------------

    async def get_unsubscribes(self, request: web.Request) -> web.Response:
        """The emails that are not surveyed."""
        self._check_project(request.match_info["project"])
        return self._shown_unsubscribes()

    async def replace_unsubscribes(self, request: web.Request) -> web.Response:
        """Replace the whole list."""
        self._check_project(request.match_info["project"])
        body = await _body(request)
        try:
            emails = msgspec.convert(body["data"]["attributes"]["emails"], list[str])
        except (KeyError, TypeError, msgspec.ValidationError) as error:
            raise ApiError(HTTPStatus.BAD_REQUEST, "data.attributes.emails is required") from error
        self._project.unsubscribed = emails
        return self._shown_unsubscribes()

    def _shown_unsubscribes(self) -> web.Response:
        attributes = {"emails": self._project.unsubscribed}
        return json_answer({"data": {"id": self._project.id, "type": "project-unsubscribes", "attributes": attributes}})

    def _check_user_credentials(self, body: Mapping[str, Any]) -> None:
        if self._project.switches.users_take == "api_key":
            self._check_project(body.get("project"))
        elif body.get("writeKey") != self._write_key:
            raise ApiError(HTTPStatus.UNAUTHORIZED)

    def _check_project(self, given: object) -> None:
        """The old API answers 401 where v3 answers 404."""
        if given != self._project.id:
            raise ApiError(HTTPStatus.UNAUTHORIZED)


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        return msgspec.json.decode(await request.read(), type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise ApiError(HTTPStatus.BAD_REQUEST, "Invalid JSON") from error


def _given(body: Mapping[str, Any]) -> tuple[float | None, str | None]:
    """Score and comment, from `answers` or as older pages put them."""
    answers = body.get("answers")
    values = [one.get("value") for one in answers if isinstance(one, dict)] if isinstance(answers, list) else []
    score = next((value for value in [*values, body.get("rating")] if isinstance(value, int | float)), None)
    comment = next((value for value in [*values, body.get("feedback")] if isinstance(value, str)), None)
    return score, comment

"""`/v1/survey_responses` and `/v1/metrics`: the REST calls about answers.

It reads parameters and shows results; the rules are the account's.
Sources: delighted.com/docs/api/{listing-survey-responses,adding-survey-responses,getting-metrics}.
"""

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from msgspec import UNSET

import npsbridge.sandbox.delighted.parameters as read
from npsbridge.sandbox.delighted.account import Account
from npsbridge.sandbox.delighted.links import numbered_link
from npsbridge.sandbox.delighted.metrics import AVERAGED_SECONDS, metrics
from npsbridge.sandbox.delighted.records import Note, Person, SurveyResponse
from npsbridge.sandbox.delighted.table import Filters, Order
from npsbridge.sandbox.delighted.views import shown_response
from npsbridge.sandbox.server import json_answer

_SCORES = range(11)


class ResponsesApi:
    """The routes about survey responses."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def routes(self) -> list[web.RouteDef]:
        """All of them, with and without `.json`."""
        suffix = r"{suffix:(\.[a-z]+)?}"
        one = rf"/v1/survey_responses/{{id:[^/.]+}}{suffix}"
        return [
            web.get(f"/v1/survey_responses{suffix}", self.list_responses),
            web.post(f"/v1/survey_responses{suffix}", self.add_response),
            web.get(one, self.get_response),
            web.put(one, self.change_response),
            web.get(f"/v1/metrics{suffix}", self.get_metrics),
        ]

    async def list_responses(self, request: web.Request) -> web.Response:
        """A page of responses."""
        query = read.query_of(request)
        filters = self._filters(query)
        paging = read.paging_of(query, self._account.switches)
        page = (
            []
            if filters is None
            else self._account.responses.visible.page(
                filters, self._order(query, filters), skip=paging.skip, count=paging.per_page
            )
        )
        expand = query.get("expand[]", [])
        answer = json_answer([shown_response(self._account, row, expand) for row in page])
        return numbered_link(answer, request, paging, len(page), self._account)

    async def get_response(self, request: web.Request) -> web.Response:
        """One response."""
        row = self._visible(request)
        return json_answer(shown_response(self._account, row, read.query_of(request).get("expand[]", [])))

    async def add_response(self, request: web.Request) -> web.Response:
        """Import an answer; never idempotent."""
        body = await read.body_of(request)
        created_at = read.integer(body, "created_at")
        is_backdated = created_at is not None and self._account.switches.backdated_updated_at == "created_at"
        row = self._account.answer(
            self._respondent(body),
            _score(body),
            comment=read.text(body, "comment"),
            created_at=created_at,
            updated_at=created_at if is_backdated else self._account.second(),
            person_properties=read.properties(body, "person_properties", self._account.switches),
            announce=self._account.switches.api_writes_fire_webhooks,
        )
        return json_answer(shown_response(self._account, row), self._account.switches.created_status)

    async def change_response(self, request: web.Request) -> web.Response:
        """Change an answer; clients put the whole object as they got it, so what cannot be changed is ignored."""
        body = await read.body_of(request)
        row = self._account.edit(
            self._visible(request).id,
            **self._changes(body),
            announce=self._account.switches.api_writes_fire_webhooks,
        )
        expand = body.get("expand") or read.query_of(request).get("expand[]", [])
        return json_answer(shown_response(self._account, row, expand if isinstance(expand, list) else []))

    async def get_metrics(self, request: web.Request) -> web.Response:
        """Counts and NPS of a range, or of the 30 days that end with the latest response."""
        query = read.query_of(request)
        _refuse_trend(query)
        since, until = read.integer(query, "since"), read.integer(query, "until")
        table = self._account.responses.visible
        if since is None and until is None:
            newest = table.page(Filters(), Order.CREATED_DESC, skip=0, count=1)
            since = newest[0].created_at - AVERAGED_SECONDS if newest else None
        return json_answer(metrics(table.created_between(since, until)))

    def _filters(self, query: Mapping[str, Any]) -> Filters | None:
        """What is asked for; None if it is somebody unknown."""
        _refuse_trend(query)
        person_id = read.text(query, "person_id")
        person = self._account.people.find(person_id)
        if email := read.text(query, "person_email"):
            person = self._account.people.find_by_email(email)
        if person is None and (email or person_id):
            return None
        return Filters(
            since=read.integer(query, "since"),
            until=read.integer(query, "until"),
            updated_since=read.integer(query, "updated_since"),
            updated_until=read.integer(query, "updated_until"),
            person_id=person.id if person else None,
        )

    def _order(self, query: Mapping[str, Any], filters: Filters) -> Order:
        given = read.text(query, "order")
        if given is None:
            sorts_by_update = self._account.switches.updated_since_sorts_by_update and filters.by_update
            return Order.UPDATED if sorts_by_update else Order.CREATED
        try:
            return Order(given)
        except ValueError as error:
            raise read.invalid(order="is not included in the list") from error

    def _visible(self, request: web.Request) -> SurveyResponse:
        row = self._account.responses.visible.rows.get(request.match_info["id"])
        if row is None:
            raise read.not_found()
        return row

    def _respondent(self, body: Mapping[str, Any]) -> Person:
        person_id = body.get("person")
        if isinstance(person_id, dict):
            person_id = person_id.get("id")
        if person_id is None or person_id == "":
            raise read.invalid(person="can't be blank")
        person = self._account.people.find(str(person_id))
        if person is None:
            raise read.invalid(person="is invalid")
        return person

    def _changes(self, body: Mapping[str, Any]) -> dict[str, Any]:
        changes: dict[str, Any] = {"score": _score(body) if "score" in body else UNSET}
        if "comment" in body:
            changes["comment"] = read.text(body, "comment")
        if body.get("person") is not None:
            changes["person_id"] = self._respondent(body).id
        if "person_properties" in body:
            changes["person_properties"] = read.properties(body, "person_properties", self._account.switches)
        if self._account.switches.put_takes_notes_and_tags:
            changes |= _notes_and_tags(body)
        return changes


def _score(body: Mapping[str, Any]) -> int:
    score = read.integer(body, "score")
    if score is None:
        raise read.invalid(score="can't be blank")
    if score not in _SCORES:
        raise read.invalid(score="is not included in the list")
    return score


def _notes_and_tags(body: Mapping[str, Any]) -> dict[str, Any]:
    """Tags as they are given; notes only where they are given as objects."""
    changes: dict[str, Any] = {}
    if isinstance(tags := body.get("tags"), list):
        changes["tags"] = [str(tag) for tag in tags]
    notes = body.get("notes")
    if isinstance(notes, list) and all(isinstance(note, dict) for note in notes):
        changes["notes"] = [_note(note) for note in notes]
    return changes


def _note(note: Mapping[str, Any]) -> Note:
    return Note(
        id=str(note.get("id", "")),
        text=str(note.get("text", "")),
        user_email=str(note.get("user_email", "")),
        created_at=read.integer(note, "created_at") or 0,
    )


def _refuse_trend(query: Mapping[str, Any]) -> None:
    """Trends are made in the vendor's dashboard, which the look-alike has not: none exists."""
    if read.text(query, "trend") is not None:
        raise read.not_found()

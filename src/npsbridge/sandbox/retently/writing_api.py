"""The part of the API that is written to: customers, opt-outs, surveys, tags and topics.

What is asked for is recorded in the account; whether a survey goes out is decided there. Sources: retently.com/api and
the public sources of Pipedream's, Composio's and other clients.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web

from npsbridge.sandbox.retently.account import Account
from npsbridge.sandbox.retently.errors import ApiError
from npsbridge.sandbox.retently.listing import done
from npsbridge.sandbox.retently.reading_api import PREFIX
from npsbridge.sandbox.retently.records import Feedback
from npsbridge.sandbox.server import json_answer


class WritingApi:
    """The routes that change something."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def routes(self) -> list[web.RouteDef]:
        """All of them, in both generations."""
        return [
            web.post(f"{PREFIX}/customers", self.save_customers),
            web.post(f"{PREFIX}/nps/customers", self.save_customers),
            web.delete(f"{PREFIX}/customers", self.delete_customers),
            web.post(f"{PREFIX}/customers/unsubscribe", self.unsubscribe),
            web.post(f"{PREFIX}/survey", self.send_survey),
            web.post(f"{PREFIX}/response/tags", self.tag),
            web.post(f"{PREFIX}/response/topics", self.note_topics),
        ]

    async def save_customers(self, request: web.Request) -> web.Response:
        """Create or update, row by row; the answer is a map by email."""
        body = await _body(request)
        return json_answer(done({str(row.get("email")): self._save(row) for row in _subscribers(body)}))

    def _save(self, row: Mapping[str, Any]) -> dict[str, Any]:
        email = row.get("email")
        if not isinstance(email, str) or not _is_email(email):
            return {"status": "failed", "reason": "invalid email"}
        known = self._account.find_customer(email)
        if known is not None and self._account.switches.known_customer == "exists":
            return {"status": "failed", "reason": "exists"}
        customer = self._account.upsert(email, **_fields(row))
        self._account.described[customer.id] += 1
        return {"status": "updated" if known else "created", "id": customer.id}

    async def delete_customers(self, request: web.Request) -> web.Response:
        """Delete by email; the body says whom."""
        emails = [str(row.get("email")) for row in _subscribers(await _body(request))]
        return json_answer(
            done([{"email": email, "deleted": self._account.delete_customer(email)} for email in emails])
        )

    async def unsubscribe(self, request: web.Request) -> web.Response:
        """Opt out; an unknown email may spoil the batch."""
        emails = [str(row.get("email")) for row in _subscribers(await _body(request))]
        unknown = [email for email in emails if self._account.find_customer(email) is None]
        if unknown and self._account.switches.unknown_unsubscribe == "refused":
            raise ApiError(HTTPStatus.BAD_REQUEST, "Some of the emails are unknown.")
        return json_answer(done([{"email": email, "unsubscribed": self._account.opt_out(email)} for email in emails]))

    async def send_survey(self, request: web.Request) -> web.Response:
        """Save the customers and ask for a survey of each; 200 does not mean that a mail goes out."""
        body = await _body(request)
        campaign = self._account.campaigns.get(str(body.get("campaign")))
        is_off = campaign is None or not campaign.is_active
        if "campaign" not in body or (is_off and self._account.switches.inactive_campaign == "refused"):
            raise ApiError(HTTPStatus.BAD_REQUEST, "The campaign is missing or inactive.")
        rows = _subscribers(body)
        if self._account.switches.bad_row == "refused" and not all(_is_email(row.get("email")) for row in rows):
            raise ApiError(HTTPStatus.BAD_REQUEST, "Some of the emails are invalid.")
        delay_days = float(body.get("delay") or 0)
        return json_answer(self._survey_answer([self._ask(row, str(body["campaign"]), delay_days) for row in rows]))

    def _ask(self, row: Mapping[str, Any], campaign_id: str, delay_days: float) -> dict[str, Any]:
        """Ask for the survey of one person; returns what a result by row says of it."""
        email, saved = str(row.get("email")), self._save(row)
        if not _is_email(email):
            return {"email": email, **saved}
        asked = self._account.ask_survey(email, campaign_id, delay_days=delay_days)
        if asked.refused_because is not None:
            return {"email": email, "status": "failed", "reason": asked.refused_because}
        return {"email": email, **saved}

    def _survey_answer(self, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
        told = {"success": True, "status": "queued"}
        match self._account.switches.survey_rows:
            case "map":
                rest = {row["email"]: {name: row[name] for name in row if name != "email"} for row in results}
                return done(rest, **told)
            case "list":
                return done(results, **told)
            case "none":
                inside = self._account.switches.survey_answer == "data"
                return done(told) if inside else done(None, **told)

    async def tag(self, request: web.Request) -> web.Response:
        """Add tags to an answer, or replace them."""
        body = await _body(request)
        row = self._answer_of(body)
        before = row.tags if body.get("op") == "append" else ()
        self._account.edit(row.id, announce=False, tags=tuple(dict.fromkeys((*before, *_texts(body.get("tags"))))))
        return json_answer({"code": 200, "message": "Success."})

    async def note_topics(self, request: web.Request) -> web.Response:
        """Add topics to an answer, or replace them."""
        body = await _body(request)
        row = self._answer_of(body)
        topics = tuple(topic for topic in body.get("topics") or () if isinstance(topic, dict))
        self._account.edit(
            row.id, announce=False, topics=(*(row.topics if body.get("op") == "append" else ()), *topics)
        )
        return json_answer({"code": 200, "message": "Success."})

    def _answer_of(self, body: Mapping[str, Any]) -> Feedback:
        row = self._account.visible(str(body.get("id")))
        if row is None:
            raise ApiError(HTTPStatus.NOT_FOUND)
        return row


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise ApiError(HTTPStatus.BAD_REQUEST, "The body is no JSON.") from error
    if not isinstance(body, dict):
        raise ApiError(HTTPStatus.BAD_REQUEST, "The body is no object.")
    return body


def _subscribers(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = body.get("subscribers")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise ApiError(HTTPStatus.BAD_REQUEST, "subscribers must be a list of customers.")
    return rows


def _fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a row of the input says, in the account's words; what it does not say stays as it was."""
    fields = {name: row[name] for name in ("first_name", "last_name", "company") if name in row}
    if "tags" in row:
        fields["tags"] = tuple(_texts(row["tags"]))
    properties = [item for item in row.get("properties") or () if isinstance(item, dict) and item.get("label")]
    return {**fields, "properties": {str(item["label"]): item.get("value") for item in properties}}


def _is_email(value: object) -> bool:
    return isinstance(value, str) and "@" in value


def _texts(values: object) -> list[str]:
    return [str(value) for value in values] if isinstance(values, list) else []

"""`/v1/autopilot/{email,sms}`: Autopilot's configuration and its members.

It reads parameters and shows results; the rules are in `surveys.py`.
Sources: delighted.com/docs/api/{getting-autopilot-configuration,listing-people-in-autopilot,
adding-people-to-autopilot,removing-people-from-autopilot}.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

import npsbridge.sandbox.delighted.parameters as read
from npsbridge.sandbox.delighted.account import Account
from npsbridge.sandbox.delighted.links import cursor_of, with_cursor
from npsbridge.sandbox.delighted.records import Membership, Person
from npsbridge.sandbox.delighted.surveys import Autopilot
from npsbridge.sandbox.delighted.views import shown_member, shown_membership
from npsbridge.sandbox.server import json_answer

_IDENTIFIERS = ("person_id", "person_email", "person_phone_number")


class AutopilotApi:
    """The routes about Autopilot."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def routes(self) -> list[web.RouteDef]:
        """All of them, with and without `.json`."""
        suffix = r"{suffix:(\.[a-z]+)?}"
        base = "/v1/autopilot/{platform:email|sms}"
        return [
            web.get(f"{base}{suffix}", self.get_configuration),
            web.get(f"{base}/memberships{suffix}", self.list_members),
            web.post(f"{base}/memberships{suffix}", self.add_member),
            web.delete(f"{base}/memberships{suffix}", self.remove_member),
        ]

    async def get_configuration(self, request: web.Request) -> web.Response:
        """How often Autopilot surveys."""
        return json_answer(msgspec.to_builtins(self._autopilot(request).plan))

    async def list_members(self, request: web.Request) -> web.Response:
        """Members in the order of joining; the next page is in the `Link` header."""
        query = read.query_of(request)
        autopilot = self._autopilot(request)
        members, cursor = self._members(autopilot, query)
        platform = autopilot.plan.platform_id
        shown = [shown_membership(self._account, platform, member) for member in members]
        return with_cursor(json_answer(shown), request, cursor)

    async def add_member(self, request: web.Request) -> web.Response:
        """Add somebody, or replace a member's properties."""
        body = await read.body_of(request)
        person = self._person_to_add(body)
        properties = read.properties(body, "properties", self._account.switches) or {}
        self._autopilot(request).join(person, properties, at=self._account.second())
        answer = {"person": shown_member(person), "properties": properties}
        return json_answer(answer, self._account.switches.created_status)

    async def remove_member(self, request: web.Request) -> web.Response:
        """Remove a member; the identifier is in the body, or in the query as the Node client sends it."""
        given = {**read.query_of(request), **await read.body_of(request)}
        person = self._known(given)
        autopilot = self._autopilot(request)
        if person is None or autopilot.find(person.id) is None:
            raise read.not_found()
        autopilot.leave(person.id)
        return json_answer({"person": shown_member(person)})

    def _autopilot(self, request: web.Request) -> Autopilot:
        return self._account.autopilots[request.match_info["platform"]]

    def _members(self, autopilot: Autopilot, query: Mapping[str, Any]) -> tuple[list[Membership], int | None]:
        if not any(read.text(query, name) for name in _IDENTIFIERS):
            count = read.paging_of(query, self._account.switches).per_page
            return autopilot.page(after=cursor_of(query), count=count)
        person = self._known(query)
        member = autopilot.find(person.id) if person else None
        return ([member] if member else []), None

    def _known(self, given: Mapping[str, Any]) -> Person | None:
        """Whom exactly one identifier means; raises ApiError if there is none or more than one."""
        names = [name for name in _IDENTIFIERS if read.text(given, name)]
        if len(names) != 1:
            raise read.invalid(person="needs exactly one of person_id, person_email, person_phone_number")
        people = self._account.people
        match names[0]:
            case "person_id":
                return people.find(read.text(given, "person_id"))
            case "person_email":
                return people.find_by_email(read.email(given, "person_email"))
            case _:
                return people.find_by_phone(read.phone_number(given, "person_phone_number"))

    def _person_to_add(self, body: Mapping[str, Any]) -> Person:
        """A known person under the given name, or a new one; raises ApiError for an unknown id."""
        known = self._known(body)
        name = read.person_name(body, "person_name")
        if known is not None:
            return self._account.people.change(known.id, name=name) if name else known
        if read.text(body, "person_id"):
            raise read.not_found()
        return self._account.people.add(
            created_at=self._account.second(),
            name=name,
            email=read.email(body, "person_email"),
            phone_number=read.phone_number(body, "person_phone_number"),
        )

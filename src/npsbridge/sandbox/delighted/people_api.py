"""`/v1/people`, `/v1/unsubscribes`, `/v1/bounces`: the REST calls about people and the surveys sent to them.

It reads parameters and shows results; the rules are the account's.
Sources: delighted.com/docs/api/{sending-to-people,listing-people,deleting-people,unsubscribing-people,
listing-unsubscribed-people,listing-bounced-people}.
"""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from aiohttp import web

import npsbridge.sandbox.delighted.parameters as read
from npsbridge.core.model import Record
from npsbridge.sandbox.delighted.account import Account
from npsbridge.sandbox.delighted.links import cursor_of, numbered_link, with_cursor
from npsbridge.sandbox.delighted.records import Person, RequestState, Unreachable
from npsbridge.sandbox.delighted.views import shown_bounce, shown_person, shown_unsubscribe
from npsbridge.sandbox.server import json_answer

_DONE = {"ok": True}
_NEEDED = {"email": "email", "sms": "phone_number"}
"""What a channel cannot send without."""


class Sending(Record, frozen=True, kw_only=True):
    """A `POST /people`, understood."""

    email: str | None
    phone_number: str | None
    changes: dict[str, Any]
    """What becomes of the person's fields."""
    send: bool
    channel: str
    delay: int
    properties: dict[str, str]


class PeopleApi:
    """The routes about people."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def routes(self) -> list[web.RouteDef]:
        """All of them, with and without `.json`."""
        suffix = r"{suffix:(\.[a-z]+)?}"
        return [
            web.get(f"/v1/people{suffix}", self.list_people),
            web.post(f"/v1/people{suffix}", self.send_to_person),
            web.delete(r"/v1/people/{identifier:[^/]+?}{suffix:(\.json)?}", self.delete_person),
            web.delete(f"/v1/people/{{email}}/survey_requests/pending{suffix}", self.cancel_pending),
            web.get(f"/v1/unsubscribes{suffix}", self.list_unsubscribes),
            web.post(f"/v1/unsubscribes{suffix}", self.unsubscribe),
            web.get(f"/v1/bounces{suffix}", self.list_bounces),
        ]

    async def send_to_person(self, request: web.Request) -> web.Response:
        """Create or update a person and, unless `send` is false, ask for a survey."""
        sending = _understood(await read.body_of(request), self._account)
        known = _addressee(sending, self._account)
        person = self._upsert(known, sending)
        self._account.described[person.id] += 1
        scheduled_at = self._ask_survey(person, sending) if sending.send else None
        answer: dict[str, Any] = {"id": person.id, "email": person.email, "name": person.name}
        if person.phone_number is not None:
            answer["phone_number"] = person.phone_number
        if scheduled_at is not None or self._account.switches.unscheduled_is == "null":
            answer["survey_scheduled_at"] = scheduled_at
        answer["properties"] = sending.properties
        return json_answer(answer, HTTPStatus.OK if known else self._account.switches.created_status)

    def _upsert(self, known: Person | None, sending: Sending) -> Person:
        if known is None:
            fields = {"email": sending.email, **sending.changes}
            return self._account.people.add(created_at=self._account.second(), **fields)
        email = sending.changes.get("email") or known.email or sending.email
        return self._account.people.change(known.id, **{**sending.changes, "email": email})

    def _ask_survey(self, person: Person, sending: Sending) -> int | None:
        now = self._account.second()
        request = self._account.surveys.ask(
            person,
            at=now,
            scheduled_at=now + sending.delay,
            channel=sending.channel,
            properties=sending.properties,
        )
        self._account.catch_up()
        return request.scheduled_at if request.state is RequestState.PENDING else None

    async def list_people(self, request: web.Request) -> web.Response:
        """People by creation, oldest first; the next page is in the `Link` header."""
        query = read.query_of(request)
        if query.get("email") or query.get("phone_number"):
            return json_answer([shown_person(self._account, person) for person in self._looked_up(query)])
        page, cursor = self._account.people.page(
            since=read.integer(query, "since"),
            until=read.integer(query, "until"),
            after=cursor_of(query),
            count=read.paging_of(query, self._account.switches).per_page,
        )
        shown = [shown_person(self._account, person) for person in page if self._is_listed(person)]
        return with_cursor(json_answer(shown), request, cursor)

    def _looked_up(self, query: Mapping[str, Any]) -> list[Person]:
        if query.get("email") and query.get("phone_number"):
            raise read.invalid(email="cannot be combined with phone_number")
        people = self._account.people
        found = people.find_by_email(query.get("email")) or people.find_by_phone(query.get("phone_number"))
        return [found] if found else []

    def _is_listed(self, person: Person) -> bool:
        hidden = self._account.switches.people_list_hides_unreachable
        return not (hidden and self._account.people.is_unreachable(person.id))

    async def delete_person(self, request: web.Request) -> web.Response:
        """Delete somebody with all that belongs to them; accepted now, done later."""
        person = self._account.people.find_by_identifier(request.match_info["identifier"])
        if person is None:
            raise read.not_found()
        self._account.delete_person(person)
        return json_answer(_DONE, HTTPStatus.ACCEPTED)

    async def cancel_pending(self, request: web.Request) -> web.Response:
        """Cancel the surveys that were asked for and are not sent yet."""
        self._account.surveys.cancel_pending(self._person_by_email(request.match_info["email"]).id)
        return json_answer(_DONE)

    async def unsubscribe(self, request: web.Request) -> web.Response:
        """Stop email surveys to somebody."""
        body = await read.body_of(request)
        email = read.email(body, "person_email")
        if email is None:
            raise read.invalid(person_email="can't be blank")
        self._account.unsubscribe(self._person_by_email(email))
        return json_answer(_DONE)

    async def list_unsubscribes(self, request: web.Request) -> web.Response:
        """Unsubscriptions, oldest first."""
        return self._listed(request, self._account.people.unsubscribes, shown_unsubscribe)

    async def list_bounces(self, request: web.Request) -> web.Response:
        """Bounces, oldest first."""
        return self._listed(request, self._account.people.bounces, shown_bounce)

    def _listed(
        self, request: web.Request, entries: Sequence[Unreachable], shown: Callable[[Unreachable], dict[str, Any]]
    ) -> web.Response:
        query = read.query_of(request)
        since, until = read.integer(query, "since"), read.integer(query, "until")
        paging = read.paging_of(query, self._account.switches)
        found = [
            entry for entry in entries if (since is None or entry.at >= since) and (until is None or entry.at <= until)
        ]
        page = found[paging.skip : paging.skip + paging.per_page]
        return numbered_link(json_answer([shown(entry) for entry in page]), request, paging, len(page), self._account)

    def _person_by_email(self, email: str) -> Person:
        person = self._account.people.find_by_email(email)
        if person is None:
            raise read.not_found()
        return person


def _understood(body: Mapping[str, Any], account: Account) -> Sending:
    """Read a `POST /people`; raises ApiError that names every parameter that is wrong."""
    problems: dict[str, list[str]] = {}

    def checked(reading: Callable[[], Any]) -> Any:
        try:
            return reading()
        except read.ApiError as error:
            problems.update(error.errors or {})
            return None

    email = checked(lambda: read.email(body, "email"))
    phone_number = checked(lambda: read.phone_number(body, "phone_number"))
    changes = {
        "name": checked(lambda: read.person_name(body, "name")),
        "email": checked(lambda: read.email(body, "email_update")),
        "phone_number": checked(lambda: read.phone_number(body, "phone_number_update")) or phone_number,
        "last_sent_at": checked(lambda: read.integer(body, "last_sent_at")),
    }
    sending = Sending(
        email=email,
        phone_number=phone_number,
        changes={name: value for name, value in changes.items() if value is not None},
        send=checked(lambda: read.boolean(body, "send", default=True)) is not False,
        channel=checked(lambda: read.text(body, "channel")) or "email",
        delay=checked(lambda: read.integer(body, "delay")) or 0,
        properties=checked(lambda: read.properties(body, "properties", account.switches)) or {},
    )
    problems = {**_contradictions(sending), **problems}
    if problems:
        raise read.ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, errors=problems)
    return sending


def _contradictions(sending: Sending) -> dict[str, list[str]]:
    """What is wrong with a sending as a whole."""
    if sending.channel not in _NEEDED:
        return {"channel": ["is not included in the list"]}
    if sending.delay < 0:
        return {"delay": ["must be greater than or equal to 0"]}
    given = {"email": sending.email, "phone_number": sending.phone_number}
    if sending.send and given[_NEEDED[sending.channel]] is None:
        return {_NEEDED[sending.channel]: ["can't be blank"]}
    return {} if any(given.values()) else {"email": ["can't be blank"]}


def _addressee(sending: Sending, account: Account) -> Person | None:
    """The known person that is meant; raises ApiError if a new identifier belongs to somebody else."""
    people = account.people
    known = people.find_by_email(sending.email) or people.find_by_phone(sending.phone_number)
    owners = {
        "email_update": people.find_by_email(sending.changes.get("email")),
        "phone_number": people.find_by_phone(sending.changes.get("phone_number")),
    }
    for name, owner in owners.items():
        if owner is not None and owner != known:
            raise read.invalid(**{name: "has already been taken"})
    return known

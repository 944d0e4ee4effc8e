"""The routes of the API: feedback in both versions, contacts, surveys, and what little else clients ask for."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from npsbridge.sandbox.promoter.account import CAMPAIGNS, Account, Feedback
from npsbridge.sandbox.promoter.listing import ApiError, matching, not_found, page_of, refusal
from npsbridge.sandbox.promoter.views import shown_contact, shown_feedback
from npsbridge.sandbox.server import json_answer


class Api:
    """What the routes do.

    Args:
        account: What they do it to.
        origin: Scheme and host that links begin with; asked anew each time.
    """

    def __init__(self, account: Account, origin: Callable[[], str]) -> None:
        self._account = account
        self._origin = origin

    def routes(self) -> list[web.RouteDef]:
        """All of them end with a slash, as Django's do."""
        return [
            web.get("/api/feedback/", self.list_v1),
            web.get("/api/feedback/{id}/", self.find_v1),
            web.get("/api/v2/feedback/", self.list_v2),
            web.get("/api/v2/feedback/{id}/", self.find_v2),
            web.put("/api/v2/feedback/{id}/", self.put_v2),
            web.get("/api/contacts/", self.contacts),
            web.post("/api/contacts/", self.put_contact),
            web.post("/api/contacts/remove/", self.remove_contact),
            web.post("/api/contacts/survey/", self.survey_v1),
            web.post("/api/v2/survey/", self.survey_v2),
            web.get("/api/contacts/{id}/", self.contact),
            web.get("/api/campaigns/", self.campaigns),
            web.get("/api/metrics/", self.metrics),
        ]

    # --- feedback -------------------------------------------------------------------------------------------------

    async def list_v1(self, request: web.Request) -> web.Response:
        """`GET /feedback/`."""
        return self._listed(request, 1)

    async def list_v2(self, request: web.Request) -> web.Response:
        """`GET /v2/feedback/`."""
        return self._listed(request, 2)

    async def find_v1(self, request: web.Request) -> web.Response:
        """`GET /feedback/{id}/`."""
        return json_answer(self._shown(self._feedback(request), 1))

    async def find_v2(self, request: web.Request) -> web.Response:
        """`GET /v2/feedback/{id}/`, which there may not be."""
        match self._account.switches.v2_by_id:
            case "missing":
                raise web.HTTPNotFound
            case "put_only":
                raise ApiError(HTTPStatus.METHOD_NOT_ALLOWED, {"detail": 'Method "GET" not allowed.'})
            case "found":
                return json_answer(self._shown(self._feedback(request), 2))

    async def put_v2(self, request: web.Request) -> web.Response:
        """`PUT /v2/feedback/{id}/`: open or close it."""
        status = (await _body(request)).get("status")
        if status not in ("OPEN", "CLOSED"):
            raise refusal(status=[f'"{status}" is not a valid choice.'])
        return json_answer(self._shown(self._account.edit(self._feedback(request).id, status=status), 2))

    def _listed(self, request: web.Request, version: int) -> web.Response:
        rows = matching(self._account, request.query)
        return self._paged(request, rows, lambda row: self._shown(row, version))

    def _paged(self, request: web.Request, rows: list[Any], shown: Callable[[Any], object]) -> web.Response:
        url = f"{self._origin()}{request.path}"
        part, envelope = page_of(rows, dict(request.query), size=self._account.switches.page_size, url=url)
        return json_answer({**envelope, "results": [shown(row) for row in part]})

    def _shown(self, row: Feedback, version: int) -> dict[str, Any]:
        return shown_feedback(self._account, row, version, self._origin())

    def _feedback(self, request: web.Request) -> Feedback:
        asked = request.match_info["id"]
        row = self._account.feedback.get(int(asked)) if asked.isdecimal() else None
        if row is None or not self._account.is_visible(row):
            raise not_found()
        return row

    # --- contacts and surveys -------------------------------------------------------------------------------------

    async def contacts(self, request: web.Request) -> web.Response:
        """`GET /contacts/`, all or those of an email."""
        email, rows = request.query.get("email"), list(self._account.contacts.values())
        found = [contact for contact in rows if email is None or contact.email.lower() == email.lower()]
        return self._paged(request, found, lambda contact: shown_contact(self._account, contact))

    async def contact(self, request: web.Request) -> web.Response:
        """`GET /contacts/{id}/`."""
        for contact in self._account.contacts.values():
            if str(contact.id) == request.match_info["id"]:
                return json_answer(shown_contact(self._account, contact))
        raise not_found()

    async def put_contact(self, request: web.Request) -> web.Response:
        """`POST /contacts/`: create or update, and with `send` survey at once."""
        body = await _body(request)
        contact = self._put(body, must_be_text=True)
        if body.get("send") and body.get("campaign") is not None:
            self._ask(1, contact["email"], body.get("campaign"), contact["attributes"])
        return json_answer(contact, status=201)

    async def remove_contact(self, request: web.Request) -> web.Response:
        """`POST /contacts/remove/`: answered with an empty list, as a published fixture has it."""
        self._account.contacts.pop(_email(await _body(request)).lower(), None)
        return json_answer({"count": 0, "next": None, "previous": None, "results": []})

    async def survey_v1(self, request: web.Request) -> web.Response:
        """`POST /contacts/survey/`, flat."""
        body = await _body(request)
        contact = self._put(body, must_be_text=True)
        self._ask(1, contact["email"], body.get("campaign"), contact["attributes"])
        return json_answer(body, status=self._account.switches.survey_status)

    async def survey_v2(self, request: web.Request) -> web.Response:
        """`POST /v2/survey/`; the answer says `campaign` where the question says `campaign_id`, and no survey id."""
        body = await _body(request)
        if not isinstance(body.get("contact"), dict):
            raise refusal(contact=["This field is required."])
        try:
            contact = self._put(body["contact"], must_be_text=False)
        except ApiError as error:
            raise refusal(contact=error.body) from error
        attributes = _storable(body.get("attributes"))
        self._ask(2, contact["email"], body.get("campaign_id"), attributes)
        answer = {"campaign": body["campaign_id"], "contact": body["contact"], "attributes": attributes}
        return json_answer(answer, status=self._account.switches.survey_status)

    def _put(self, body: Mapping[str, Any], *, must_be_text: bool) -> dict[str, Any]:
        attributes = body.get("attributes")
        if must_be_text and any(not isinstance(value, str) for value in (attributes or {}).values()):
            raise refusal(attributes=["Values must be strings."])
        contact = self._account.put_contact(
            _email(body),
            None if attributes is None else _storable(attributes),
            first_name=body.get("first_name"),
            last_name=body.get("last_name"),
            contact_list=None if body.get("contact_list") is None else tuple(body["contact_list"]),
        )
        self._account.described[contact.email.lower()] += 1
        return shown_contact(self._account, contact)

    def _ask(self, version: int, email: str, campaign: object, attributes: Mapping[str, Any]) -> None:
        if not isinstance(campaign, int) or campaign not in CAMPAIGNS:
            raise refusal(campaign=["This field is required."])
        if not self._account.ask_for_survey(version, email, campaign, attributes):
            raise refusal(non_field_errors=["Contact is not eligible for survey."])

    # --- the rest -------------------------------------------------------------------------------------------------

    async def campaigns(self, request: web.Request) -> web.Response:
        """`GET /campaigns/`."""
        return self._paged(request, list(CAMPAIGNS.items()), lambda one: {"id": one[0], "name": one[1]})

    async def metrics(self, request: web.Request) -> web.Response:
        """`GET /metrics/`: the numbers are texts."""
        everything = list(self._account.feedback.values())
        whole = _nps(everything)

        def shown(one: tuple[int, str]) -> dict[str, str]:
            own = [row for row in everything if row.campaign == one[0]]
            return {"campaign_name": one[1], "nps": _nps(own), "organization_nps": whole}

        return self._paged(request, list(CAMPAIGNS.items()), shown)


def _nps(rows: list[Feedback]) -> str:
    camps = [row.score_type for row in rows if row.score_type]
    return f"{100 * (camps.count('promoter') - camps.count('detractor')) / max(1, len(camps)):.1f}"


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        return msgspec.json.decode(await request.read(), type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise refusal(detail=f"JSON parse error - {error}") from error


def _email(body: Mapping[str, Any]) -> str:
    email = body.get("email")
    if not isinstance(email, str) or not email.strip():
        raise refusal(email=["This field may not be blank."])
    if "@" not in email:
        raise refusal(email=["Enter a valid email address."])
    return email.strip()


def _storable(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    """Values that are objects or lists are not stored (developers.promoter.io/reference)."""
    return {name: value for name, value in (attributes or {}).items() if not isinstance(value, dict | list)}

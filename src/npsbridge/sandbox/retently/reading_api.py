"""The part of the API that is read: feedback, outbox, customers, campaigns and the rest, in both generations of paths.

It reads parameters and shows results; the rules are the account's. Sources: retently.com/api; the manifest of
airbytehq/airbyte `source-retently`; PostHog's source for Retently.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aiohttp import web

from npsbridge.sandbox.retently.account import Account, Timeline
from npsbridge.sandbox.retently.errors import ApiError
from npsbridge.sandbox.retently.listing import cut, done, envelope, select, understood
from npsbridge.sandbox.retently.records import Feedback
from npsbridge.sandbox.retently.views import (
    shown_campaign,
    shown_customer,
    shown_feedback,
    shown_score,
    shown_sent_survey,
)
from npsbridge.sandbox.server import json_answer

PREFIX = "/api/v2"


@dataclass(frozen=True, kw_only=True)
class Table:
    """A list that has pages."""

    key: str
    line: Timeline
    sort: str
    """The order where none is asked for."""
    rows: Mapping[str, Any]
    shown: Callable[[Any], dict[str, Any]]
    filters: Mapping[str, str]
    """Parameter to field."""


class ReadingApi:
    """The routes that change nothing."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def routes(self) -> list[web.RouteDef]:
        """All of them; what has two paths answers the same on both."""
        paths = {
            "/ping": self.ping,
            "/feedback": self.list_feedback,
            "/nps/customers/response": self.list_feedback,
            "/feedback/{id}": self.one_feedback,
            "/outbox": self.list_outbox,
            "/nps/outbox": self.list_outbox,
            "/customers": self.list_customers,
            "/nps/customers": self.list_customers,
            "/customers/{id}": self.one_customer,
            "/nps/customers/{id}": self.one_customer,
            "/campaigns": self.list_campaigns,
            "/templates": self.list_templates,
            "/companies": self.list_companies,
            "/reports": self.list_reports,
            "/{metric:nps|star|csat|ces}/score": self.score,
        }
        return [web.get(PREFIX + path, handler) for path, handler in paths.items()]

    async def ping(self, _: web.Request) -> web.Response:
        """Whether the key is good."""
        if not self._account.switches.has_ping:
            raise ApiError(HTTPStatus.NOT_FOUND)
        return json_answer(done(None))

    async def list_feedback(self, request: web.Request) -> web.Response:
        """Answers."""
        table = Table(
            key="responses",
            line=self._account.feedback_line,
            sort="-createdDate",
            rows=self._account.feedback,
            shown=lambda row: shown_feedback(self._account, row),
            filters={"email": "email", "customerId": "customer_id", "campaignId": "campaign_id"},
        )
        return self._list(request, table)

    async def one_feedback(self, request: web.Request) -> web.Response:
        """One answer, or those of a campaign: the path is the same."""
        wanted = request.match_info["id"]
        if wanted in self._account.campaigns:
            found = [row for row in self._account.feedback.values() if row.campaign_id == wanted]
        else:
            found = [self._visible(wanted)]
        shown = [shown_feedback(self._account, row) for row in found]
        if self._account.switches.one_response == "object" and len(shown) == 1:
            return json_answer(done(shown[0]))
        query = understood(request.query, sort="-createdDate")
        sheet = cut([row.id for row in found], query, self._account.switches)
        return json_answer(envelope("responses", shown, sheet, self._account.switches))

    def _visible(self, feedback_id: str) -> Feedback:
        row = self._account.visible(feedback_id)
        if row is None:
            is_malformed = len(feedback_id) != 24  # noqa: PLR2004 - the length of the vendor's ids
            raise ApiError(HTTPStatus.BAD_REQUEST if is_malformed else HTTPStatus.NOT_FOUND)
        return row

    async def list_outbox(self, request: web.Request) -> web.Response:
        """Sent surveys."""
        if not self._account.switches.has_outbox:
            raise ApiError(HTTPStatus.FORBIDDEN)
        table = Table(
            key="surveys",
            line=self._account.outbox_line,
            sort="-surveyCreatedDate",
            rows=self._account.outbox,
            shown=lambda row: shown_sent_survey(self._account, row),
            filters={"email": "email", "campaignId": "campaign_id", "channel": "channel"},
        )
        return self._list(request, table)

    async def list_customers(self, request: web.Request) -> web.Response:
        """Customers."""
        line = Timeline()
        for customer in self._account.customers.values():
            line.add(customer.created_ms, customer.id)
        table = Table(
            key="subscribers",
            line=line,
            sort="-createdDate",
            rows=self._account.customers,
            shown=shown_customer,
            filters={"email": "email"},
        )
        return self._list(request, table)

    async def one_customer(self, request: web.Request) -> web.Response:
        """One customer."""
        customer = self._account.customers.get(request.match_info["id"])
        if customer is None:
            raise ApiError(HTTPStatus.NOT_FOUND)
        shown = shown_customer(customer)
        is_list = self._account.switches.one_customer == "list"
        return json_answer(done({"subscribers": [shown]} if is_list else shown))

    async def list_campaigns(self, _: web.Request) -> web.Response:
        """Campaigns, all on one page."""
        campaigns = [shown_campaign(campaign) for campaign in self._account.campaigns.values()]
        return json_answer({"message": "Success.", "code": 200, "campaigns": campaigns})

    async def list_templates(self, _: web.Request) -> web.Response:
        """Templates, all on one page; there is one."""
        key = self._account.switches.templates_at
        template = {"id": "a" * 24, "name": "NPS", "metric": "nps", "channel": "email"}
        return json_answer({"message": "Success.", "code": 200, key: [template]})

    async def list_companies(self, request: web.Request) -> web.Response:
        """Companies, as customers name them."""
        names = sorted({customer.company for customer in self._account.customers.values() if customer.company})
        query = understood(request.query, sort="-createdDate")
        sheet = cut(names, query, self._account.switches)
        rows: list[dict[str, Any]] = [
            {"id": name, "companyName": name, "domain": None, "tags": [], "cxMetrics": {}} for name in sheet.ids
        ]
        return json_answer(envelope("companies", rows, sheet, self._account.switches))

    async def list_reports(self, _: web.Request) -> web.Response:
        """A report for each campaign, as a bare list."""
        reports = []
        for campaign in self._account.campaigns.values():
            rows = [row for row in self._account.feedback.values() if row.campaign_id == campaign.id]
            last = shown_score(rows, campaign.metric)
            reports.append({**shown_campaign(campaign), "campaignId": campaign.id, "last": last, "trend": []})
        return json_answer(done(reports))

    async def score(self, request: web.Request) -> web.Response:
        """The latest score of one metric."""
        return json_answer(done(shown_score(self._account.feedback.values(), request.match_info["metric"])))

    def _list(self, request: web.Request, table: Table) -> web.Response:
        switches = self._account.switches
        query = understood(request.query, sort=table.sort)
        ids = select(table.line, query, switches, self._account.dice)
        wanted = {field: request.query[name] for name, field in table.filters.items() if name in request.query}
        if wanted:
            ids = [row_id for row_id in ids if _matches(table.rows[row_id], wanted)]
        sheet = cut(ids, query, switches)
        if sheet.is_past_the_end and switches.past_the_end == "not_found":
            raise ApiError(HTTPStatus.NOT_FOUND)
        rows = [table.shown(table.rows[row_id]) for row_id in sheet.ids]
        return json_answer(envelope(table.key, rows, sheet, switches))


def _matches(row: object, wanted: Mapping[str, str]) -> bool:
    """Every field is what was asked for; case does not matter, as with emails."""
    return all(str(getattr(row, field)).lower() == value.lower() for field, value in wanted.items())

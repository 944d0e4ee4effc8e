"""Retently, as the suite needs it."""

import json
from collections.abc import Mapping

from contract.platforms.account import Answered, Raw
from contract.platforms.vendors.lookalike import LookAlikeAccount
from npsbridge.sandbox.retently import RetentlyServer
from npsbridge.sandbox.server import Now


class RetentlyAccount(LookAlikeAccount):
    platform = "retently"
    lists = "/feedback"
    page_size = 5
    limit = 150

    def __init__(self, now: Now) -> None:
        self.server: RetentlyServer = RetentlyServer(now=now)
        # The daemon asks for 100 rows a page.
        self.server.change_switches({"rate_limit": None, "short_by": 100 - self.page_size, **self.switches})

    def answer(self, given: Answered) -> str:
        at = int(given.at * 1000)
        return self.server.answer(given.email, given.score, comment=given.comment, created_ms=at)

    def remove(self, number: str) -> None:
        self.server.delete(number)

    def webhook(self, number: str) -> tuple[Mapping[str, str], bytes]:
        return {"Content-Type": "application/json"}, self.server.webhook_body(number)

    def record(self, raw: Raw) -> object:
        return {
            "id": raw.number,
            "customerId": raw.person,
            "email": raw.email,
            "firstName": None,
            "createdDate": raw.at,
            "score": raw.score,
            "comment": raw.text,
            "metricsType": raw.survey_type or "nps",
            **raw.more,
        }

    def page(self, records: list[object]) -> str:
        paging = {"page": 1, "pages": 1, "limit": 100, "total": len(records)}
        return json.dumps({"message": "Success.", "code": 200, "data": {"responses": records, **paging}})

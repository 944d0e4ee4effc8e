"""Promoter.io, as the suite needs it."""

import json
from collections.abc import Mapping
from typing import Any

from contract.platforms.account import Answered, Raw
from contract.platforms.vendors.lookalike import LookAlikeAccount
from npsbridge.sandbox.promoter import PromoterServer
from npsbridge.sandbox.promoter.account import News
from npsbridge.sandbox.promoter.views import hook_body
from npsbridge.sandbox.server import Now


class PromoterAccount(LookAlikeAccount):
    platform = "promoter"
    lists = "/feedback/"
    page_size = 5
    limit = 30
    knows_survey_types = False

    def __init__(self, now: Now) -> None:
        self.server: PromoterServer = PromoterServer(now=now)
        self.server.change_switches({"page_size": self.page_size, **self.switches})

    def answer(self, given: Answered) -> str:
        at = int(given.at)
        return str(self.server.answer(given.email, given.score, comment=given.comment, posted_at=at))

    def edit(self, number: str, **changes: Any) -> None:
        self.server.edit(int(number), **changes)

    def remove(self, number: str) -> None:
        self.server.remove(int(number))

    def webhook(self, number: str) -> tuple[Mapping[str, str], bytes]:
        account = self.server.account
        news = News(event="feedback.added_or_changed", subject=account.feedback[int(number)])
        body = hook_body(account, news, self.server.origin, f"{self.server.origin}/hook", 1)
        return {"Content-Type": "application/json"}, json.dumps(body).encode()

    def record(self, raw: Raw) -> object:
        return {
            "id": raw.number,
            "score": raw.score,
            "comment": raw.text,
            "posted_date": raw.at,
            "contact": {"id": raw.person, "email": raw.email, "first_name": "", "last_name": "", "attributes": {}},
            "tags": [],
            **raw.more,
        }

    def page(self, records: list[object]) -> str:
        return json.dumps({"count": len(records), "next": None, "previous": None, "results": records})

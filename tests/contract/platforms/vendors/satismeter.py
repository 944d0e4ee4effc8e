"""SatisMeter, as the suite needs it."""

import json
from collections.abc import Mapping

from contract.platforms.account import Answered, Raw
from contract.platforms.vendors.lookalike import LookAlikeAccount
from npsbridge.sandbox.satismeter import SatisMeterServer
from npsbridge.sandbox.server import Now


class SatisMeterAccount(LookAlikeAccount):
    platform = "satismeter"
    lists = "/responses"
    page_size = 5
    limit = 60

    def __init__(self, now: Now) -> None:
        self.server: SatisMeterServer = SatisMeterServer(now=now)
        self.server.change_switches({"longest_page": self.page_size, **self.switches})

    def answer(self, given: Answered) -> str:
        return self.server.answer(given.email, given.score, comment=given.comment, created_at=given.at)

    def remove(self, number: str) -> None:
        self.server.remove(number)

    def webhook(self, number: str) -> tuple[Mapping[str, str], bytes]:
        return {"Content-Type": "application/json"}, self.server.webhook("completed", number)

    def record(self, raw: Raw) -> object:
        kind = raw.survey_type or "nps"
        return {
            "id": raw.number,
            "project": self.server.project_id,
            "campaign": "5f00000000000000000000aa",
            "created": raw.at,
            "method": "In-app",
            "user": {"id": raw.person, "userId": None, "anonymousId": None, "traits": {"email": raw.email}},
            "answers": [
                {"id": "q-1", "label": "How likely?", "value": raw.score, "type": "scale", "metric": kind},
                {"id": "q-2", "label": "Why?", "value": raw.text, "type": "long-text", "metric": None},
            ],
            **raw.more,
        }

    def page(self, records: list[object]) -> str:
        return json.dumps({"data": records, "page": {"hasNextPage": False, "nextPageCursor": None}})

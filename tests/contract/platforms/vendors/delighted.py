"""Delighted, as the suite needs it."""

import json
from collections.abc import Mapping

from contract.platforms.account import Answered, Raw
from contract.platforms.vendors.lookalike import LookAlikeAccount
from npsbridge.sandbox.delighted import DelightedServer
from npsbridge.sandbox.server import Now


class DelightedAccount(LookAlikeAccount):
    platform = "delighted"
    lists = "/survey_responses.json"
    limit = 600

    def __init__(self, now: Now) -> None:
        self.server: DelightedServer = DelightedServer(now=now)
        self.server.change_switches(self.switches)

    def answer(self, given: Answered) -> str:
        at = int(given.at)
        return self.server.answer(given.email, given.score, comment=given.comment, created_at=at)

    def remove(self, number: str) -> None:
        """Only a person can be removed, with all they answered."""
        self.server.delete_person(self.server.responses[number].person_id)

    def webhook(self, number: str) -> tuple[Mapping[str, str], bytes]:
        return self.server.signed_webhook("survey_response.updated", number)

    def record(self, raw: Raw) -> object:
        return {
            "id": raw.number,
            "person": {"id": raw.person, "email": raw.email, "name": None},
            "survey_type": raw.survey_type or "nps",
            "score": raw.score,
            "comment": raw.text,
            "permalink": None,
            "created_at": raw.at,
            "updated_at": None,
            "person_properties": None,
            "tags": [],
            **raw.more,
        }

    def page(self, records: list[object]) -> str:
        return json.dumps(records)

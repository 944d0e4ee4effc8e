"""The reference platform's vendor, which lives here alone, and the whole suite over it."""

import itertools
import json
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from aiohttp import web

from contract.platforms.account import Account, Answered, Raw
from contract.platforms.memory.memory import SIGNATURE, signature
from contract.platforms.suite import PlatformContract
from npsbridge.sandbox import RateLimit
from npsbridge.sandbox.rate import RateGate
from npsbridge.sandbox.server import Handler, LookAlike, Now, json_answer

KEY, SECRET = "memory-key", "memory-secret"
PAGE = 5

Place = tuple[int, str]
"""When a row was last changed, and its id."""


class MemoryServer(LookAlike):
    """`GET /api/answers`, in the order of the last change."""

    def __init__(self, now: Now) -> None:
        super().__init__(now=now)
        self.rows: dict[str, dict[str, Any]] = {}
        self.limit: RateLimit | None = None
        self._gate = RateGate(now)

    def routes(self) -> Iterable[web.RouteDef]:
        return [web.get("/api/answers", self._list)]

    async def serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return json_answer({"error": "the key is wrong"}, 401)
        if self._gate.wait_for_next(KEY, self.limit):
            return json_answer({"error": "too many requests"}, 429)
        return await handler(request)

    async def _list(self, request: web.Request) -> web.Response:
        asked = request.query
        places: list[Place] = sorted((row["changed"], row["id"]) for row in self.rows.values())
        if asked.get("order") == "newest":
            places.reverse()
        if "after" in asked:
            changed, _, number = asked["after"].partition(":")
            places = [place for place in places if place > (int(changed), number)]
        places = [place for place in places if place[0] >= int(asked.get("since", "0"))]
        shown = places[: min(PAGE, int(asked.get("limit", PAGE)))]
        following = f"{shown[-1][0]}:{shown[-1][1]}" if len(places) > len(shown) else None
        return json_answer({"answers": [self.rows[number] for _, number in shown], "next": following})


class MemoryAccount(Account):
    platform = "memory"
    entry_point: ClassVar[str | None] = "contract.platforms.memory.memory:platform"
    lists = "/answers"
    page_size = PAGE
    limit = 60
    token: ClassVar[str | None] = None

    def __init__(self, now: Now) -> None:
        self.server: MemoryServer = MemoryServer(now)
        self._numbers = itertools.count(100_001)

    def settings(self) -> dict[str, str]:
        return {"API_KEY": KEY, "BASE_URL": f"{self.server.origin}/api", "WEBHOOK_SECRET": SECRET}

    def answer(self, given: Answered) -> str:
        number, at = str(next(self._numbers)), int(given.at * 1000)
        times = {"given": at, "changed": at}
        said = {"score": given.score, "comment": given.comment, "kind": "nps"}
        self.server.rows[number] = {"id": number, **times, **said, "email": given.email, "person": None}
        return number

    def edit(self, number: str, **changes: Any) -> None:
        self.server.rows[number] |= {**changes, "changed": int(self.server.now() * 1000)}

    def remove(self, number: str) -> None:
        del self.server.rows[number]

    def webhook(self, number: str) -> tuple[Mapping[str, str], bytes]:
        body = json.dumps(self.server.rows[number]).encode()
        return {SIGNATURE: signature(SECRET, body)}, body

    def record(self, raw: Raw) -> object:
        times = {"given": raw.at, "changed": raw.at}
        said = {"score": raw.score, "comment": raw.text, "kind": raw.survey_type}
        return {"id": raw.number, **times, **said, "email": raw.email, "person": raw.person, **raw.more}

    def page(self, records: list[object]) -> str:
        return json.dumps({"answers": records, "next": None})

    def limit_rate(self, requests: int) -> None:
        self.server.limit = RateLimit(requests=requests)


class TestMemory(PlatformContract):
    account = MemoryAccount

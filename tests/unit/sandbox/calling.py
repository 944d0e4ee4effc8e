"""How the tests talk to a look-alike: as any client would, over the wire."""

from base64 import b64encode
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

import aiohttp
import orjson

from npsbridge.clock import Clock

NEW_YEAR = 1_767_225_600
"""2026-01-01T00:00:00Z, a Thursday."""


class Hands:
    """A clock that goes only when it is told to."""

    def __init__(self, at: float = NEW_YEAR) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += seconds


class OneClock(Clock):
    """Wall and monotonic time from the same hands, until somebody sets the wall clock.

    Attributes:
        error: Seconds that the wall clock is ahead.
    """

    def __init__(self, hands: Hands) -> None:
        super().__init__(lambda: hands() + self.error)
        self._hands = hands
        self.error = 0.0

    def monotonic(self) -> float:
        return self._hands()


class Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.raw)

    @property
    def ids(self) -> list[str]:
        return [item["id"] for item in self.json]


class Caller:
    """Calls paths below a base URL; redirects are not followed."""

    def __init__(self, base_url: str, headers: Mapping[str, str] | None = None) -> None:
        self.base_url = base_url
        self._session = aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=None))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._session.close()

    async def call(self, method: str, path: str, **options: Any) -> Reply:
        options.setdefault("allow_redirects", False)
        url = path if path.startswith("http") else self.base_url + path
        async with self._session.request(method, url, **options) as answer:
            return Reply(answer.status, answer.headers, await answer.read())

    async def get(self, path: str, **options: Any) -> Reply:
        return await self.call("GET", path, **options)

    async def post(self, path: str, json: object = None, **options: Any) -> Reply:
        return await self.call("POST", path, json=json, **options)

    async def put(self, path: str, json: object) -> Reply:
        return await self.call("PUT", path, json=json)

    async def delete(self, path: str, **options: Any) -> Reply:
        return await self.call("DELETE", path, **options)


def basic(user: str, *, colon: bool = True) -> dict[str, str]:
    """Headers as most clients send them, or without the colon as the Python client of Delighted does."""
    return {"Authorization": f"Basic {b64encode((user + ':' * colon).encode()).decode()}"}

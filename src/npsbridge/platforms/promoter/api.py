"""The requests to Promoter.io's feedback API, v1 and v2, and what its answers mean."""

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from npsbridge.clock import Clock
from npsbridge.core import reading
from npsbridge.errors import BadRecord, PersonMustAct, TryLater, UnreadablePage
from npsbridge.net.answers import LONGEST_WAIT, expect_ok, retry_after, said_at
from npsbridge.net.client import EXCERPT, HttpClient, Reply
from npsbridge.platforms.base import Wiring
from npsbridge.platforms.promoter.place import row
from npsbridge.platforms.promoter.settings import PromoterSettings, authorized
from npsbridge.platforms.promoter.walk import Listing, Window

PATHS = {1: "/feedback/", 2: "/v2/feedback/"}
"""Always with the slash at the end: the vendor redirects what comes without."""
NEVER = (
    Window(first=date(1970, 1, 1), last=date(1970, 1, 2)),
    Window(first=date(2970, 1, 1), last=date(2970, 1, 2)),
)
"""Days without answers, before and after all others."""
THROTTLED_FOR = 60.0
"""Seconds to wait when a 429 does not say; limits are per minute."""

_NOT_FOUND = 404
_NOT_THERE = frozenset({_NOT_FOUND, 405, 410})
"""For one feedback: removed, or this version has no such route. That the service has ended is told by the list."""
_SECONDS = re.compile(r"([0-9]+(?:\.[0-9]+)?) *second")


class _Envelope(msgspec.Struct):
    """The list of Django REST framework."""

    count: int
    results: list[msgspec.Raw]
    next: str | None = None


class FeedbackApi:
    """One account's feedback. Every request goes to the configured base URL, whatever an answer says."""

    def __init__(self, wiring: Wiring[PromoterSettings]) -> None:
        self._http: HttpClient = wiring.http
        self._clock: Clock = wiring.clock
        self._base_url = wiring.settings.base_url
        self._headers = authorized(wiring.settings)
        self._setting = wiring.setting("API_KEY")
        self._ahead = timedelta()
        self._proofs: dict[tuple[int, Window], Listing | None] = {}

    def now(self) -> datetime:
        """The vendor's time, as far as its answers have told it."""
        return self._clock.now() + self._ahead

    async def prove(self) -> tuple[int, bool]:
        """Find out which version the account has (2, else 1) and whether its date filters do anything.

        Misspelt and unknown filters are ignored in silence (the Ruby gem documents one), so that nothing but an empty
        answer for days without answers proves them.
        """
        past, future = NEVER
        before = await self._proof(2, past, may_be_missing=True)
        version = 1 if before is None else 2
        before = before or await self._proof(version, past)
        after = await self._proof(version, future)
        self._proofs.clear()
        return version, not any(page.count or page.rows for page in (before, after) if page)

    async def _proof(self, version: int, window: Window, *, may_be_missing: bool = False) -> Listing | None:
        """What was answered stays known while others fail: a server that fails now and then must not keep us out.

        It is forgotten when somebody has to act, for that may change every answer.
        """
        if (version, window) not in self._proofs:
            try:
                self._proofs[version, window] = await self.list(version, window.query, may_be_missing=may_be_missing)
            except PersonMustAct:
                self._proofs.clear()
                raise
        return self._proofs[version, window]

    async def list(self, version: int, query: Mapping[str, str], *, may_be_missing: bool = False) -> Listing | None:
        """One page; None for a 404, where that may be.

        Raises:
            VendorError: see `expect_ok`; UnreadablePage for anything that is not the list.
        """
        path = PATHS[version]
        reply = await self._get(path, "list_feedback", query)
        if may_be_missing and reply.status == _NOT_FOUND:
            return None
        location = f"{path}?{urlencode(query)}"
        self._check(reply, location)
        return _listing(reply, location)

    async def find(self, version: int, feedback_id: str) -> bytes | None:
        """One feedback as it is now; None when it is not there.

        Raises:
            VendorError: see `expect_ok`; UnreadablePage for anything that is not that feedback.
        """
        path = f"{PATHS[version]}{feedback_id}/"
        reply = await self._get(path, "find_feedback", {})
        if reply.status in _NOT_THERE:
            return None
        self._check(reply, path)
        if row(reply.body).id != feedback_id:
            raise UnreadablePage("the answer is not the feedback asked for", location=path, body=reply.body[:EXCERPT])
        return reply.body

    async def _get(self, path: str, operation: str, query: Mapping[str, str]) -> Reply:
        url = f"{self._base_url}{path}"
        reply = await self._http.request("GET", url, operation=operation, params=query, headers=self._headers)
        if told := said_at(reply):
            self._ahead = told - self._clock.now()
        return reply

    def _check(self, reply: Reply, location: str) -> None:
        if reply.status == 429:  # noqa: PLR2004 - HTTP's own number
            raise TryLater("HTTP 429", after=_pause(reply, self._clock.now()))
        expect_ok(reply, location=location, setting=self._setting, now=self._clock.now)


def _pause(reply: Reply, now: datetime) -> float:
    """By the header; else by the words of the body; else as long as a window of the limit."""
    asked = retry_after(reply, now=now)
    if asked is not None:
        return asked
    words = _SECONDS.search(_detail(reply.body))
    return min(float(words[1]), LONGEST_WAIT) if words else THROTTLED_FOR


def _detail(body: bytes) -> str:
    """What Django REST framework says of an error: that a request is `Expected available in 42.0 seconds.`, say."""
    try:
        answer = reading.decode(body, dict[str, Any])
    except BadRecord:
        return ""
    return str(answer.get("detail", ""))


def _listing(reply: Reply, location: str) -> Listing:
    """An error's `detail` under a 200, a web page, anything else than the list is an outage, never an empty list."""
    try:
        envelope = reading.decode(reply.body, _Envelope)
        following = None if envelope.next is None else dict(parse_qsl(urlsplit(envelope.next).query))
    except (BadRecord, ValueError) as error:
        reason = f"the answer is not a list of feedback: {error}"
        raise UnreadablePage(reason, location=location, body=reply.body[:EXCERPT]) from error
    rows = [row(bytes(record)) for record in envelope.results]
    return Listing(rows=rows, count=envelope.count, next=following)

"""Asking SatisMeter for the responses of a stretch of time, in pages, newest first.

v3 is the way to read. A key from before v3 is refused there with 401 and may still be good for the old export: then,
and only then, that is used until it refuses the key as well. Every run of the daemon begins with v3.
"""

import base64
from collections.abc import AsyncGenerator, Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from npsbridge.clock import Clock
from npsbridge.core import reading
from npsbridge.core.times import iso_utc, milliseconds
from npsbridge.errors import BadRecord, PersonMustAct, TryLater, UnreadablePage
from npsbridge.net.answers import expect_ok, passing, said_at
from npsbridge.net.client import EXCERPT, HttpClient, Reply
from npsbridge.platforms.base import Wiring
from npsbridge.platforms.satismeter.place import Leaf, Row, Span, placed
from npsbridge.platforms.satismeter.settings import SatisMeterSettings

PAGE_SIZE = 100
"""The most `pageSize` allows (bruin-data/ingestr, satismeter.go)."""
SLACK = 1000
"""Milliseconds asked for beyond both ends: nobody says whether they are included, or cut to whole seconds."""
DAY = 86_400_000
MONTH = 30 * DAY
"""The longest stretch of the old export that is known to come whole (singer-io/tap-satismeter reads by months)."""
EMPTY_PAGES = 20
"""So many without a row, one after the other, are taken for a list that does not end."""
UNAUTHORIZED, NOT_FOUND = 401, 404


class TooMuch(UnreadablePage):
    """An answer too large to be taken in one piece."""


class _Paging(msgspec.Struct, rename="camel"):
    has_next_page: bool | None = None
    next_page_cursor: str | None = None


class _Answer(msgspec.Struct):
    data: list[msgspec.Raw]
    page: _Paging


class _Survey(msgspec.Struct):
    id: Any = None
    name: Any = None


class _Surveys(msgspec.Struct):
    data: list[_Survey]


class _Export(msgspec.Struct):
    responses: list[msgspec.Raw]


class _ExportHead(msgspec.Struct):
    pending: bool | None = None
    rating: msgspec.Raw = msgspec.Raw(b"null")


class ResponseLists:
    """One project's responses, by whichever route its key opens.

    Attributes:
        is_legacy: The old export is in use.
        server_time: The server's own time when it answered last, milliseconds; 0 when it does not say.
    """

    def __init__(self, wiring: Wiring[SatisMeterSettings]) -> None:
        settings = wiring.settings
        self._http: HttpClient = wiring.http
        self._clock: Clock = wiring.clock
        self._key_setting = wiring.setting("API_KEY")
        self._project_setting = wiring.setting("PROJECT_ID")
        self._base_url = settings.base_url
        self._project = settings.project_id or ""
        self._key = settings.api_key.get_secret_value() if settings.api_key else ""
        self.is_legacy = False
        self.server_time = 0

    async def pages(self, span: Span, *, first: Leaf | None = None) -> AsyncGenerator[Leaf, None]:
        """Every page of a stretch; `first` is its first one, when that is known already.

        Raises:
            TryLater: the list does not lead on: it repeats a page or a cursor.
            VendorError: see `page`.
        """
        leaf = first or await self.page(span)
        yield leaf
        seen: set[str] = set()
        empty = 0
        while leaf.cursor is not None:
            seen.add(leaf.cursor)
            before, leaf = leaf, await self.page(span, leaf.cursor)
            empty = 0 if leaf.rows else empty + 1
            repeats = bool(leaf.rows) and leaf.rows == before.rows and not self.is_legacy
            if leaf.cursor is not None and (leaf.cursor in seen or repeats or empty > EMPTY_PAGES):
                raise TryLater("the list of responses goes round in circles")
            yield leaf

    async def page(self, span: Span, cursor: str | None = None) -> Leaf:
        """One page of a stretch.

        Raises:
            TooMuch: the answer is too large to be read.
            VendorError: as its status says.
        """
        if self.is_legacy:
            return await self._legacy_page(span, cursor)
        params = {**_bounds(span), "pageSize": str(PAGE_SIZE)} | ({"pageCursor": cursor} if cursor else {})
        path = f"/v3/projects/{self._project}/responses"
        reply = await self._ask(path, params, f"Bearer {self._key}")
        if reply.status == UNAUTHORIZED and cursor is None and (leaf := await self._by_old_key(span)) is not None:
            return leaf
        if reply.status == NOT_FOUND:
            raise PersonMustAct(f"HTTP 404: there is no such project; check {self._project_setting}")
        self._expect_ok(reply, path, params)
        return _v3_leaf(reply, _location(path, params))

    async def survey_names(self) -> dict[str, str]:
        """What the project's surveys are called, by id; those without a name are left out. Only v3 tells.

        Raises:
            VendorError: as its status says.
        """
        path = f"/v3/projects/{self._project}/campaigns"
        reply = await self._ask(path, {}, f"Bearer {self._key}", operation="list_campaigns")
        self._expect_ok(reply, path, {})
        listed = _decoded(reply, _Surveys, _location(path, {})).data
        return {
            one.id: one.name for one in listed if isinstance(one.id, str) and isinstance(one.name, str) and one.name
        }

    # --- the old export -------------------------------------------------------------------------------------------

    async def _by_old_key(self, span: Span) -> Leaf | None:
        """What the old export gives to a key that v3 refuses; None when it refuses it too."""
        try:
            leaf = await self._legacy_page(span, None)
        except _Refused:
            return None
        self.is_legacy = True
        return leaf

    async def _legacy_page(self, span: Span, cursor: str | None) -> Leaf:
        """The export has no pages: a stretch that does not come whole is halved, the newer half first."""
        upper = int(cursor) if cursor else span.until
        part = Span(since=span.since, until=upper)
        while (rows := await self._whole(part)) is None:
            part = Span(since=upper - part.length // 2, until=upper)
        return Leaf(rows=_newest_first(rows), cursor=str(part.since) if part.since > span.since else None)

    async def _whole(self, part: Span) -> list[Row] | None:
        """The rows of a stretch; None when it has to be read in smaller pieces."""
        try:
            rows = await self._export(part)
        except TooMuch:
            if part.length <= DAY:
                raise
            return None
        return None if rows and part.length > MONTH else rows

    async def _export(self, span: Span) -> list[Row]:
        path, params = "/responses/", {"format": "json", "project": self._project, **_bounds(span)}
        basic = base64.b64encode(f"{self._key}:".encode()).decode()
        reply = await self._ask(path, params, f"Basic {basic}")
        is_refusal = 400 <= reply.status < 500 and not passing(reply.status)  # noqa: PLR2004 - HTTP's own borders
        if is_refusal:
            self.is_legacy = False
            both = f"{self._key_setting} and {self._project_setting}"
            raise _Refused(f"HTTP {reply.status}: the key is refused, by v3 and by the old export; check {both}")
        self._expect_ok(reply, path, params)
        return _exported(reply, _location(path, params))

    # --- requests -------------------------------------------------------------------------------------------------

    async def _ask(
        self, path: str, params: Mapping[str, str], authorization: str, *, operation: str = "list_responses"
    ) -> Reply:
        headers = {"Authorization": authorization, "Accept": "application/json"}
        try:
            reply = await self._http.request(
                "GET", self._base_url + path, operation=operation, params=params, headers=headers
            )
        except UnreadablePage as error:
            raise TooMuch(str(error), location=_location(path, params), body=error.body) from error
        said = said_at(reply)
        self.server_time = milliseconds(said) if said else self.server_time
        return reply

    def _expect_ok(self, reply: Reply, path: str, params: Mapping[str, str]) -> None:
        expect_ok(reply, location=_location(path, params), setting=self._key_setting, now=self._clock.now)


class _Refused(PersonMustAct):
    """The old export does not take the key."""


def _bounds(span: Span) -> dict[str, str]:
    """Both bounds, always: v3 silently takes the last 30 days when `startDate` is missing (bruin-data/ingestr)."""
    since, until = Clock.at(span.since - SLACK), Clock.at(span.until + SLACK)
    return {"startDate": iso_utc(since), "endDate": iso_utc(until)}


def _location(path: str, params: Mapping[str, str]) -> str:
    return f"{path}?{urlencode(params)}"


def _v3_leaf(reply: Reply, location: str) -> Leaf:
    answer = _decoded(reply, _Answer, location)
    paging = answer.page
    if paging.has_next_page and not paging.next_page_cursor:
        reason = "a next page is promised, but no cursor leads there"
        raise UnreadablePage(reason, location=location, body=reply.body[:EXCERPT])
    has_more = paging.has_next_page is not False and bool(paging.next_page_cursor)
    rows = [placed(bytes(record)) for record in answer.data]
    return Leaf(rows=rows, cursor=paging.next_page_cursor if has_more else None)


def _exported(reply: Reply, location: str) -> list[Row]:
    """The rows of an export; one that is pending and unrated is no answer yet."""
    records = [bytes(record) for record in _decoded(reply, _Export, location).responses]
    return [placed(record) for record in records if not _is_pending(record)]


def _is_pending(record: bytes) -> bool:
    try:
        head = reading.decode(record, _ExportHead)
    except BadRecord:
        return False
    return head.pending is True and bytes(head.rating) == b"null"


def _newest_first(rows: list[Row]) -> list[Row]:
    """The export promises no order; rows without a place come first."""
    return sorted(rows, key=lambda row: (row.at is not None, -(row.at or 0)))


def _decoded(reply: Reply, kind: type[reading.T], location: str) -> reading.T:
    try:
        return reading.decode(reply.body, kind)
    except BadRecord as error:
        reason = f"the answer is not a list of responses: {error}"
        raise UnreadablePage(reason, location=location, body=reply.body[:EXCERPT]) from error

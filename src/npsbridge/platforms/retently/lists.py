"""Retently's lists: what each is called, and reading an answer whose shape differs from list to list (pure).

Knows no HTTP. The envelopes are those that retently.com/api shows and that the connectors of Airbyte, PostHog and
Pipedream were written for; an answer that fits none of them is never taken for an empty list.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from npsbridge.core import reading
from npsbridge.core.model import Record
from npsbridge.core.times import milliseconds
from npsbridge.errors import BadRecord
from npsbridge.platforms.retently.parse import Status


class Listing(Record, frozen=True, kw_only=True):
    """One of the account's lists."""

    path: str
    key: str
    """Under which its rows are."""
    order: str
    """The field it can be sorted by; the date filters go by it too."""


FEEDBACK: Final = Listing(path="/feedback", key="responses", order="createdDate")
OUTBOX: Final = Listing(path="/outbox", key="surveys", order="surveyCreatedDate")
CAMPAIGNS: Final = Listing(path="/campaigns", key="campaigns", order="")


class Row(Record, frozen=True, kw_only=True):
    """One row of a list, as far as reading on needs it."""

    id: str
    at: int | None
    """When it was answered (feedback) or sent (outbox), milliseconds since 1970; None when it is unreadable."""
    raw: bytes
    email: str | None = None
    """In lower case."""
    campaign: str | None = None
    metric: str | None = None
    """What a campaign asks for, in lower case."""
    is_news: bool = True
    """Of sent surveys only one that was opened is news."""


class Sheet(Record, frozen=True, kw_only=True):
    """One page of a list, and what it says of the whole list, as far as it says anything."""

    rows: list[Row]
    pages: int | None = None
    limit: int | None = None
    total: int | None = None

    @property
    def fingerprint(self) -> str:
        """By which a page is known again."""
        return reading.digest("\n".join(row.id for row in self.rows).encode()) if self.rows else ""

    @property
    def newest(self) -> int:
        """The latest time on it; 0 when there is none."""
        return max(self.times, default=0)

    @property
    def times(self) -> list[int]:
        """The times of the readable rows, in the order of the list."""
        return [row.at for row in self.rows if row.at is not None]


def read_sheet(body: bytes, listing: Listing, *, or_one: bool = False) -> Sheet:
    """Understand an answer.

    Args:
        body: the answer.
        listing: which list was asked for.
        or_one: whether a single object in the place of the list will do.

    Raises:
        BadRecord: the answer is no list in any of the known shapes.
    """
    outer = reading.decode(body, dict[str, msgspec.Raw])
    inner = _members(outer.get("data"))
    told = {**outer, **inner}
    return Sheet(
        rows=[_row(record, listing) for record in _records(outer, inner, listing.key, or_one=or_one)],
        pages=_count(told.get("pages")),
        limit=_count(told.get("limit")) or None,
        total=_count(told.get("total")),
    )


def _records(
    outer: Mapping[str, msgspec.Raw], inner: Mapping[str, msgspec.Raw], key: str, *, or_one: bool
) -> list[bytes]:
    for found in (inner.get(key), outer.get(key), outer.get("data")):
        if found is not None and bytes(found).lstrip().startswith(b"["):
            return reading.split(bytes(found))
    if or_one and "id" in inner:
        return [bytes(outer["data"])]
    raise BadRecord(f"/data/{key}", "is not a list")


def _members(raw: msgspec.Raw | None) -> Mapping[str, msgspec.Raw]:
    is_object = raw is not None and bytes(raw).lstrip().startswith(b"{")
    return reading.decode(bytes(raw), dict[str, msgspec.Raw]) if is_object and raw is not None else {}


def _count(raw: msgspec.Raw | None) -> int | None:
    """A number of rows or pages; some of the vendor's examples write numbers as text."""
    text = bytes(raw).strip().strip(b'"') if raw is not None else b""
    return int(text) if text.isdigit() and len(text) < 12 else None  # noqa: PLR2004 - no list has so many rows


class _Head(msgspec.Struct, rename="camel"):
    id: Any = None
    created_date: Any = None
    sent_date: Any = None
    email: Any = None
    campaign_id: Any = None
    metric: Any = None
    detailed_status: Status | None = None


def _row(record: bytes, listing: Listing) -> Row:
    """Place a row in time; an unreadable one has no place, but is kept for the shelf."""
    try:
        head = reading.decode(record, _Head)
    except BadRecord:
        return Row(id=reading.digest(record), at=None, raw=record)
    return Row(
        id=str(head.id or reading.digest(record)),
        at=_time(head),
        raw=record,
        email=head.email.strip().casefold() if isinstance(head.email, str) else None,
        campaign=head.campaign_id if isinstance(head.campaign_id, str) else None,
        metric=head.metric.strip().casefold() if isinstance(head.metric, str) else None,
        is_news=listing is not OUTBOX or (head.detailed_status is not None and head.detailed_status.was_opened),
    )


def _time(head: _Head) -> int | None:
    try:
        return milliseconds(reading.instant(head.created_date or head.sent_date, "/createdDate"))
    except BadRecord:
        return None

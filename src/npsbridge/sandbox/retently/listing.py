"""Lists as the vendor gives them: what a query asks for, which rows that is, and the envelope around a page.

Knows no HTTP server but its query strings. Sources: retently.com/api (parameters), and the connectors of Airbyte and
PostHog (which list has which envelope).
"""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from npsbridge.core.model import Record
from npsbridge.sandbox.retently.account import Timeline
from npsbridge.sandbox.retently.switches import RetentlySwitches

DEFAULT_LIMIT, LARGEST_LIMIT = 20, 1000


class ListQuery(Record, frozen=True, kw_only=True):
    """The parameters that every list takes."""

    page: int = 1
    limit: int = DEFAULT_LIMIT
    sort: str
    start: float | None = None
    """Seconds since 1970."""
    end: float | None = None

    @property
    def is_descending(self) -> bool:
        """A minus before the field."""
        return self.sort.startswith("-")


def understood(query: Mapping[str, str], *, sort: str) -> ListQuery:
    """Read the parameters; what makes no sense is as good as not given.

    Args:
        query: the query string.
        sort: the order where none is asked for.
    """
    return ListQuery(
        page=max(1, _number(query.get("page"), 1)),
        limit=min(max(1, _number(query.get("limit"), DEFAULT_LIMIT)), LARGEST_LIMIT),
        sort=query.get("sort") or sort,
        start=_moment(query.get("startDate")),
        end=_moment(query.get("endDate")),
    )


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() else default


def _moment(text: str | None) -> float | None:
    """ISO 8601, or seconds since 1970 as text."""
    if not text:
        return None
    try:
        return float(text) if text.replace(".", "", 1).isdecimal() else _iso(text)
    except ValueError:
        return None


def _iso(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def select(line: Timeline, query: ListQuery, switches: RetentlySwitches, dice: random.Random) -> list[str]:
    """The ids of all rows that the query's dates let through, in the order of the list."""
    found = line.between(_first(query.start, switches), _end(query.end, switches))
    if switches.tie_order == "shuffled":
        groups = (list(group) for _, group in groupby(found, key=lambda entry: entry[0]))
        found = [entry for group in groups for entry in dice.sample(group, len(group))]
    ids = [row_id for _, row_id in found]
    return ids[::-1] if query.is_descending or switches.sort == "ignored" else ids


def _first(start: float | None, switches: RetentlySwitches) -> int | None:
    if start is None:
        return None
    unit = 1000 if switches.precision == "seconds" else 1
    return (int(start * 1000) // unit + (switches.start_date == "exclusive")) * unit


def _end(end: float | None, switches: RetentlySwitches) -> int | None:
    if end is None:
        return None
    unit = 1000 if switches.precision == "seconds" else 1
    return (int(end * 1000) // unit + (switches.start_date == "inclusive")) * unit


class Sheet(Record, frozen=True, kw_only=True):
    """One page."""

    ids: list[str]
    query: ListQuery
    pages: int
    total: int

    @property
    def is_past_the_end(self) -> bool:
        """Whether there is no such page."""
        return self.query.page > max(1, self.pages)


def cut(ids: Sequence[str], query: ListQuery, switches: RetentlySwitches) -> Sheet:
    """The page that was asked for."""
    size = max(1, query.limit - switches.short_by)
    begin = (query.page - 1) * size
    return Sheet(ids=list(ids[begin : begin + size]), query=query, pages=-(-len(ids) // size), total=len(ids))


def envelope(key: str, rows: Sequence[Any], sheet: Sheet, switches: RetentlySwitches) -> dict[str, Any]:
    """A page of a list as it is answered."""
    paging = {
        "page": sheet.query.page,
        "pages": sheet.pages,
        "limit": sheet.query.limit,
        "sort": sheet.query.sort,
        "total": sheet.total,
    }
    inside = paging if switches.paging_at == "data" else {}
    outside = paging if switches.paging_at == "top" else {}
    body: dict[str, Any] = {"message": "Success.", "code": 200}
    match switches.rows_at:
        case "data":
            body["data"] = {key: rows, **inside}
        case "top":
            body |= {key: rows, **inside}
        case "bare":
            body |= {"data": rows, **inside}
    return body | outside


def done(data: object, **more: object) -> dict[str, Any]:
    """The envelope of anything that is no list."""
    return {"message": "Success.", "code": 200, "data": data, **more}

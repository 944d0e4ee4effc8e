"""Lists as Django REST framework shows them, and the filters of feedback."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from npsbridge.sandbox.promoter.account import Account, Feedback
from npsbridge.sandbox.vendor_error import VendorError


class ApiError(VendorError):
    """An answer that is an error.

    Attributes:
        status: The HTTP status.
        body: JSON.
        headers: Further headers.
    """

    def __init__(self, status: HTTPStatus, body: object, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, headers)
        self.body = body


def refusal(**fields: object) -> ApiError:
    """400 with what is wrong, field by field."""
    return ApiError(HTTPStatus.BAD_REQUEST, fields)


def not_found(detail: str = "Not found.") -> ApiError:
    """404 with the framework's words."""
    return ApiError(HTTPStatus.NOT_FOUND, {"detail": detail})


def page_of(
    rows: Sequence[Any], query: Mapping[str, str], *, size: int, url: str
) -> tuple[Sequence[Any], dict[str, Any]]:
    """The rows of the page that was asked for, and the envelope without them.

    Raises:
        ApiError: There is no such page; the first one there always is.
    """
    pages = max(1, -(-len(rows) // size))
    asked = query.get("page", "1")
    number = int(asked) if asked.isdecimal() else 0
    if not 1 <= number <= pages:
        raise not_found("Invalid page.")

    def link(to: int) -> str | None:
        return f"{url}?{urlencode({**query, 'page': str(to)})}" if 1 <= to <= pages else None

    envelope = {"count": len(rows), "next": link(number + 1), "previous": link(number - 1)}
    return rows[(number - 1) * size : number * size], envelope


def matching(account: Account, query: Mapping[str, str]) -> list[Feedback]:
    """The feedback that the filters let through; what they do not know or understand is ignored."""
    if not account.switches.filters_work:
        return account.listed(None, None)
    last = _day(query, "posted_date_1")
    if last is not None and account.switches.last_day == "inclusive":
        last += timedelta(days=1)
    zone = timedelta(hours=account.switches.zone_hours)
    rows = account.listed(_midnight(_day(query, "posted_date_0"), zone), _midnight(last, zone))
    return [row for row in rows if _passes(row, query)]


def _passes(row: Feedback, query: Mapping[str, str]) -> bool:
    wanted = {
        "score": str(row.score),
        "score_type": row.score_type,
        "survey__campaign": str(row.campaign),
        "survey__contact__email": row.email,
        "survey__campaign__status": "ACTIVE",
    }
    return all(query[name] == value for name, value in wanted.items() if query.get(name))


def _day(query: Mapping[str, str], name: str) -> date | None:
    try:
        return date.fromisoformat(query.get(name, ""))
    except ValueError:
        return None


def _midnight(day: date | None, zone: timedelta) -> int | None:
    """When a day begins in a zone."""
    if day is None:
        return None
    return int((datetime(day.year, day.month, day.day, tzinfo=UTC) - zone).timestamp())

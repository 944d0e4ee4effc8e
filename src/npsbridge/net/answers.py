"""What a vendor's answer means for the next step: of requests that only read, and what no good status makes good.

The table is the same for every vendor; what differs (such as 404 for an unknown person) is decided by the platform
before it asks here.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from npsbridge.errors import Gone, PersonMustAct, TryLater, UnreadablePage
from npsbridge.net.client import EXCERPT, Reply

LONGEST_WAIT = 300.0
"""Seconds; no Retry-After is honoured beyond it, so that an absurd one does not stop a connection for days."""

RETRIABLE = frozenset({408, 425, 429, 460})


def retry_after(reply: Reply, *, now: datetime) -> float | None:
    """Seconds the vendor asks us to wait, from `Retry-After` as seconds or as an HTTP date (RFC 9110 §10.2.3)."""
    value = reply.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), LONGEST_WAIT)
    until = _http_date(value)
    return None if until is None else min(max((until - now).total_seconds(), 0.0), LONGEST_WAIT)


def said_at(reply: Reply) -> datetime | None:
    """The server's own time, from its `Date` header."""
    return _http_date(reply.headers.get("date", ""))


def _http_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def passing(status: int) -> bool:
    """Whether a status is passing trouble of the vendor."""
    return status in RETRIABLE or status >= 500  # noqa: PLR2004 - HTTP's own border


def is_web_page(reply: Reply) -> bool:
    """Whether a page for people came where an API was asked: a proxy, a login, a parked domain."""
    return reply.body.lstrip().startswith(b"<") or "text/html" in reply.headers.get("content-type", "")


def disbelief(reply: Reply) -> str | None:
    """Why an answer with status 2xx does not mean that it was done; None when nothing speaks against it.

    What an API says when it has done something differs too much to be asked for (`{"success":true}`, `ok`, the object,
    nothing at all); what gateways say instead is known.
    """
    if is_web_page(reply):
        return "what answers is a web page"
    answer = _json(reply.body)
    if answer is None and reply.body.strip():
        return "the answer is null"
    return "the answer says that it failed" if isinstance(answer, dict) and _tells_of_failure(answer) else None


def _tells_of_failure(answer: dict[str, Any]) -> bool:
    status = answer.get("status")
    is_error = isinstance(status, int) and status >= 400  # noqa: PLR2004 - HTTP's own border
    return is_error or answer.get("ok") is False or answer.get("success") is False or bool(answer.get("error"))


def _json(body: bytes) -> object:
    """What a body says; what is no JSON stands for itself."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body


def expect_ok(reply: Reply, *, location: str, setting: str, now: Callable[[], datetime]) -> None:
    """Return for a 2xx, raise what has to happen next for anything else.

    Args:
        reply: the vendor's answer.
        location: path and query of the request, for the shelf.
        setting: the setting that holds the key, for the operator.
        now: wall time, asked only when a date has to be compared.

    Raises:
        TryLater: 408, 425, 429, 460 and 5xx.
        PersonMustAct: 401, 403 and every other 4xx: the request will not work until somebody changes something.
        Gone: 410.
        UnreadablePage: a redirect; it is not followed, because it would carry the key to another address.
    """
    status = reply.status
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own border
        return
    if passing(status):
        raise TryLater(f"HTTP {status}", after=retry_after(reply, now=now()))
    if status == 410:  # noqa: PLR2004 - HTTP's own number
        raise Gone("HTTP 410: the service has ended")
    if status in (401, 403):
        raise PersonMustAct(f"HTTP {status}: the key is refused; check {setting}")
    if status >= 400:  # noqa: PLR2004 - HTTP's own number
        raise PersonMustAct(f"HTTP {status} for {location.partition('?')[0]}; check {_base_url(setting)}")
    raise UnreadablePage(
        f"HTTP {status}: redirects are not followed; check {_base_url(setting)}",
        location=location,
        body=reply.body[:EXCERPT],
    )


def _base_url(setting: str) -> str:
    return setting.rpartition("__")[0] + "__BASE_URL"

"""The `Link` header: the cursor of people and Autopilot, and optionally the next number of the other lists.

The cursor's address is made as the vendor made it, with its one trap: parameters that were given twice are echoed with
one more pair of brackets each time, until the address is too long (github.com/airbytehq/airbyte, issue 21250).
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from aiohttp import web

from npsbridge.sandbox.delighted.account import Account
from npsbridge.sandbox.delighted.parameters import Paging, invalid

_CURSOR = "page_info"


def cursor_of(query: Mapping[str, Any]) -> int | None:
    """The place where the page before ended; None for the first page. Raises ApiError if it is none of ours."""
    opaque = query.get(_CURSOR)
    if opaque is None:
        return None
    try:
        return int(urlsafe_b64decode(str(opaque).encode()))
    except ValueError as error:
        raise invalid(page_info="is invalid") from error


def with_cursor(answer: web.Response, request: web.Request, cursor: int | None) -> web.Response:
    """Point to the next page, if there is one."""
    if cursor is None:
        return answer
    opaque = urlsafe_b64encode(str(cursor).encode()).decode()
    return _pointing(answer, request, [(_CURSOR, opaque), *_echoed(_query_pairs(request, without=_CURSOR))])


def numbered_link(
    answer: web.Response, request: web.Request, paging: Paging, shown: int, account: Account
) -> web.Response:
    """Point from a full page to the next number, if the account does that."""
    if not account.switches.link_on_numbered_pages or shown < paging.per_page:
        return answer
    return _pointing(answer, request, [*_query_pairs(request, without="page"), ("page", str(paging.page + 1))])


def _pointing(answer: web.Response, request: web.Request, pairs: list[tuple[str, str]]) -> web.Response:
    address = f"{request.scheme}://{request.host}{request.rel_url.raw_path}?{urlencode(pairs)}"
    answer.headers["Link"] = f'<{address}>; rel="next"'
    return answer


def _query_pairs(request: web.Request, *, without: str) -> list[tuple[str, str]]:
    pairs = parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True)
    return [(name, value) for name, value in pairs if name != without]


def _echoed(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    given = Counter(name for name, _ in pairs)
    return [(f"{name}[]" if given[name] > 1 else name, value) for name, value in pairs]

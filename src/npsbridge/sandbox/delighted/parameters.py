"""Reads what callers send: queries and forms with Rails' brackets, JSON bodies, numbers, and the faults in them.

Pure but for the request it reads; it knows the vendor's formats, not the account.
"""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from npsbridge.core.model import Record
from npsbridge.sandbox.delighted.switches import DelightedSwitches
from npsbridge.sandbox.vendor_error import VendorError

DEFAULT_PER_PAGE = 20
MOST_PER_PAGE = 100
LONGEST_NAME = 254

_BRACKETS = re.compile(r"\[([^\]]*)\]")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"\+[0-9]{1,15}")
_LARGEST_INTEGER = 2**53
_TRUE = frozenset({True, "true", "True", "1"})
_FALSE = frozenset({False, "false", "False", "0"})


class ApiError(VendorError):
    """An answer that is an error, as the vendor words it.

    Attributes:
        status: The HTTP status.
        errors: For 422: what is wrong, by parameter.
        headers: Further headers.
    """

    def __init__(
        self,
        status: HTTPStatus,
        *,
        errors: Mapping[str, list[str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, headers)
        self.errors = errors


def invalid(**errors: str) -> ApiError:
    """The 422 for these parameters."""
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, errors={name: [problem] for name, problem in errors.items()})


def not_found() -> ApiError:
    """The 404 for something that is not in the account."""
    return ApiError(HTTPStatus.NOT_FOUND)


class Paging(Record, frozen=True, kw_only=True):
    """Which page of a list."""

    page: int
    per_page: int

    @property
    def skip(self) -> int:
        """How many rows lie before it."""
        return (self.page - 1) * self.per_page


def unbracketed(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Parameters as Rails reads them: `a[b]=1` is a map, `a[]=1` a list (kept under `a[]`), the last plain one wins."""
    read: dict[str, Any] = {}
    for name, value in pairs:
        base, bracket, _ = name.partition("[")
        keys = _BRACKETS.findall(name)
        if not bracket or not keys:
            read[name] = value
        elif keys[0]:
            _set_nested(read, [base, *keys], value)
        else:
            read.setdefault(name, []).append(value)
    return read


def _set_nested(read: dict[str, Any], keys: list[str], value: str) -> None:
    *parents, last = [key for key in keys if key]
    place = read
    for key in parents:
        deeper = place.get(key)
        place = deeper if isinstance(deeper, dict) else place.setdefault(key, {})
        if not isinstance(place, dict):
            return
    if keys[-1]:
        place[last] = value
    elif isinstance(place.setdefault(last, []), list):
        place[last].append(value)


def query_of(request: web.Request) -> dict[str, Any]:
    """The query's parameters."""
    return unbracketed(parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True))


async def body_of(request: web.Request) -> dict[str, Any]:
    """The body's parameters, from JSON or a form.

    Raises:
        ApiError: 400 if it is said to be JSON and is no JSON object.
    """
    raw = await request.read()
    if request.content_type == "application/x-www-form-urlencoded":
        return unbracketed(parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True))
    try:
        body = orjson.loads(raw or b"{}")
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise ApiError(HTTPStatus.BAD_REQUEST)
    return body


def paging_of(query: Mapping[str, Any], switches: DelightedSwitches) -> Paging:
    """`page` and `per_page`; raises ApiError where they are no numbers."""
    page = integer(query, "page")
    per_page = integer(query, "per_page")
    if per_page is None or per_page < 1:
        per_page = DEFAULT_PER_PAGE
    if per_page > MOST_PER_PAGE:
        per_page = _over_max(switches)
    return Paging(page=max(1, page or 1), per_page=per_page)


def _over_max(switches: DelightedSwitches) -> int:
    if switches.over_max_per_page == "refuse":
        raise invalid(per_page="must be less than or equal to 100")
    return MOST_PER_PAGE if switches.over_max_per_page == "clamp" else DEFAULT_PER_PAGE


def integer(parameters: Mapping[str, Any], name: str) -> int | None:
    """A whole number, also as text; None if it is not given. Raises ApiError if it is neither."""
    value = parameters.get(name)
    if value is None or value == "":
        return None
    number = _whole(value)
    if number is None or abs(number) > _LARGEST_INTEGER:
        raise invalid(**{name: "is not a number"})
    return number


def _whole(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,18}", value.strip()):
        return int(value)
    return None


def text(parameters: Mapping[str, Any], name: str) -> str | None:
    """Text, or a number as text; None if it is not given or blank. Raises ApiError for anything else."""
    value = parameters.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool | dict | list):
        raise invalid(**{name: "is invalid"})
    return str(value)


def boolean(parameters: Mapping[str, Any], name: str, *, default: bool) -> bool:
    """True or false, also as text (the PHP client's forms). Raises ApiError for anything else."""
    value = parameters.get(name)
    if value is None or value == "":
        return default
    if isinstance(value, dict | list) or value not in _TRUE | _FALSE:
        raise invalid(**{name: "is invalid"})
    return value in _TRUE


def properties(parameters: Mapping[str, Any], name: str, switches: DelightedSwitches) -> dict[str, str] | None:
    """A map whose values are made strings; null values are left out. None if it is not given."""
    value = parameters.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, dict):
        raise invalid(**{name: "is invalid"})
    return {str(key): _as_string(item, switches) for key, item in value.items() if item is not None}


def _as_string(value: object, switches: DelightedSwitches) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and switches.array_properties == "joined":
        return ", ".join(_as_string(item, switches) for item in value)
    return orjson.dumps(value).decode() if isinstance(value, dict | list) else str(value)


def email(parameters: Mapping[str, Any], name: str) -> str | None:
    """An email address; raises ApiError if it cannot be one."""
    value = text(parameters, name)
    if value is not None and not _EMAIL.fullmatch(value):
        raise invalid(**{name: "is invalid"})
    return value


def phone_number(parameters: Mapping[str, Any], name: str) -> str | None:
    """A phone number in E.164: a plus and at most 15 digits; raises ApiError if it is none."""
    value = text(parameters, name)
    if value is not None and not _PHONE.fullmatch(value):
        raise invalid(**{name: "is invalid"})
    return value


def person_name(parameters: Mapping[str, Any], name: str) -> str | None:
    """A name of at most 254 characters."""
    value = text(parameters, name)
    if value is not None and len(value) > LONGEST_NAME:
        raise invalid(**{name: "must be less than 255 characters"})
    return value

"""From the properties of a track call to a customer as Retently's API takes one (pure).

The names that Segment's Retently destination knew (its page in Segment's docs) become fields, all others properties of
the customer. Input fields and types of properties: the public clients of Pipedream and Composio. Knows no HTTP.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from npsbridge.core.keys import normalised_email, well_formed
from npsbridge.core.times import iso_utc

FIELDS: Final = {
    "firstName": "first_name",
    "first_name": "first_name",
    "lastName": "last_name",
    "last_name": "last_name",
    "companyName": "company",
    "company": "company",
}
"""Which property is which field; the first that has a value wins, the others are properties like all the rest."""
LONGEST_NAME: Final = 255
"""Characters of a name, a label or a tag; the vendor's own limit is not documented, what is longer is cut."""
LONGEST_TEXT: Final = 2000
"""Characters of any other text."""
LONGEST_EMAIL: Final = 254
"""Characters (RFC 5321, erratum 1690); a longer one reaches nobody."""
DEEPEST: Final = 4
"""Objects within objects are flattened as far down as this; what is deeper is left out."""
_LARGEST: Final = 2**53
"""From here on JavaScript loses digits of a whole number, so it goes as text."""

_ISO: Final = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII | re.IGNORECASE
)
_MONTH_FIRST: Final = re.compile(r"(\d\d)/(\d\d)/(\d{4})", re.ASCII)
"""How dates are written in the example of Segment's page."""


def usable_email(value: object) -> str | None:
    """The email to write to, in lower case; None when nobody can be reached there."""
    email = normalised_email(value) if isinstance(value, str) else None
    return email if email and len(email) <= LONGEST_EMAIL and email.isprintable() else None


def customer(email: str, properties: Mapping[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    """A row of `subscribers`.

    Args:
        email: whom it is about.
        properties: those of the call; nulls and blank texts say nothing and are left out.
        ids: properties by which the answer finds its way home; they replace the call's of the same name.
    """
    row: dict[str, Any] = {"email": email}
    rest = {name: value for name, value in properties.items() if name != "email"}
    for name, field in FIELDS.items():
        text = _line(rest.get(name))
        if field not in row and text:
            row[field] = text
            del rest[name]
    if tags := _tags(rest.get("tags")):
        row["tags"] = tags
        del rest["tags"]
    if typed := list(_typed_properties(rest, ids)):
        row["properties"] = typed
    return row


def _tags(value: object) -> list[str]:
    """A text with commas or a list of texts, each once."""
    parts = value if isinstance(value, list) else [value]
    names = (name for part in parts for name in (_scalar(part) or "").split(","))
    return list(dict.fromkeys(name.strip()[:LONGEST_NAME] for name in names if name.strip()))


# --- properties -------------------------------------------------------------------------------------------------


def _typed_properties(properties: Mapping[str, Any], ids: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Each label once, as the server sees labels; of two that it cannot tell apart the first counts."""
    seen = {_name_of(label) for label in ids}
    for label, value in _flat(properties, "", DEEPEST):
        name = _name_of(label)
        typed = _typed(value)
        if typed and name and name not in seen:
            seen.add(name)
            yield {"label": label, "type": typed[0], "value": typed[1]}
    for label, value in ids.items():
        yield {"label": label, "type": "string", "value": well_formed(value)[:LONGEST_TEXT]}


def _flat(properties: Mapping[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    for name, value in properties.items():
        label = prefix + well_formed(name).strip()
        if not isinstance(value, dict):
            yield label[:LONGEST_NAME].rstrip(), value
        elif depth > 0:
            yield from _flat(value, f"{label}_", depth - 1)


def _name_of(label: str) -> str:
    """What the server makes of a label: lower case, underscores for blanks (retently.com/api, customers)."""
    return "_".join(label.casefold().split())


def _typed(value: object) -> tuple[str, Any] | None:
    """The vendor's word for the type, and the value in its form; there is no type for fractions."""
    match value:
        case bool():
            return "boolean", value
        case int() if abs(value) < _LARGEST:
            return "integer", value
        case list():
            items = [text for item in value if (text := _scalar(item) or _json(item))]
            return ("collection", items) if items else None
        case str():
            moment = _moment(value.strip())
            return ("date", moment) if moment else _as_text(value)
        case _:
            return _as_text(value)


def _as_text(value: object) -> tuple[str, Any] | None:
    text = _scalar(value)
    return ("string", text) if text else None


def _line(value: object) -> str | None:
    text = _scalar(value)
    return " ".join(text.split())[:LONGEST_NAME].rstrip() if text else None


def _scalar(value: object) -> str | None:
    """A text, number or truth value as text; None for what has none, and for lists and objects."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case str():
            return well_formed(value).strip()[:LONGEST_TEXT].rstrip() or None
        case _:
            return None


def _json(item: object) -> str | None:
    """A list or an object within a list, such as a product of an order, in one line."""
    if not isinstance(item, list | dict) or not item:
        return None
    try:
        return orjson.dumps(item, option=orjson.OPT_NON_STR_KEYS).decode()[:LONGEST_TEXT]
    except orjson.JSONEncodeError:
        return None  # nested deeper than anybody will read, or with text that is no Unicode


def _moment(text: str) -> str | None:
    """An ISO date or time, or a date with the month first, as the API takes dates; without a zone it is UTC."""
    month_first = _MONTH_FIRST.fullmatch(text)
    try:
        if month_first:
            month, day, year = map(int, month_first.groups())
            return iso_utc(datetime(year, month, day, tzinfo=UTC))
        if not _ISO.fullmatch(text):
            return None
        moment = datetime.fromisoformat(text)
        return iso_utc(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None

"""What Promoter.io is told of a person and of what they did (pure).

Facts from Promoter.io's API reference (developers.promoter.io/reference), the fixtures of the Ruby gem `promoter`, and
Segment's page of its Promoter.io destination. Knows neither HTTP nor deliveries.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from npsbridge.core.forward import came_back
from npsbridge.core.people import Person
from npsbridge.core.plain import clean, flattened, listed
from npsbridge.core.times import iso_utc

NAME_LIMIT: Final = 255
"""Characters of a name, of a person or of an attribute. Promoter.io publishes no limit; more fits into few columns."""
ORDER: Final = "last_order_"
"""What the attributes begin with that hold the last order."""

_FIRST_NAME, _LAST_NAME, _EMAIL = "firstName", "lastName", "email"
_WHOLE: Final = 2**53
"""Up to here a float that is a whole number is one."""
_SIXTY_FOUR_BITS: Final = 2**63
_PART: Final = r"[^\s@.,;:<>()\[\]\\\"\x00-\x1f]"
_ADDRESS: Final = re.compile(rf"(?:{_PART}|\.){{1,64}}@(?:{_PART}{{1,63}}\.)+{_PART}{{2,63}}")
_ADDRESS_LIMIT: Final = 254
"""Characters (RFC 5321, and the field that applications of its kind have)."""


def is_address(email: str) -> bool:
    """Whether an email is one that a vendor can write to; `a@b` is none."""
    return len(email) <= _ADDRESS_LIMIT and _ADDRESS.fullmatch(email) is not None


def contact(person: Person, order: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The contact of an identify: names, and all other traits as attributes, with the ids that bring answers home.

    `order` holds further attributes. The traits go out under all that v1 knows of attributes, which is texts, in both
    versions: an attribute that changed its type with the route would be two.
    """
    names = {"first_name": _name(person.traits.get(_FIRST_NAME)), "last_name": _name(person.traits.get(_LAST_NAME))}
    others = {name: value for name, value in person.traits.items() if name not in {_FIRST_NAME, _LAST_NAME, _EMAIL}}
    attributes = {**plain(others), **(order or {}), **plain(came_back(person))}
    told = {name: text for name, text in names.items() if text}
    return {"email": person.email, **told, "attributes": {name: _text(value) for name, value in attributes.items()}}


def last_order(properties: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """`Order Completed` as attributes of the contact, for the API has no route for custom events.

    The properties of Segment's e-commerce Spec ("Order Completed"): `order_id` becomes `last_order_id`, `total`
    becomes `last_order_total`; `products` is a list of objects, which Promoter.io does not store.
    """
    told = {ORDER + name.removeprefix("order_"): value for name, value in plain(properties).items()}
    return {**told, f"{ORDER}at": iso_utc(at)}


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values without objects and lists, which Promoter.io takes and does not store (API reference)."""
    return dict(flattened(values, _plain, name_limit=NAME_LIMIT))


def _plain(value: object) -> str | float | None:
    if isinstance(value, list):
        return listed(value, _plain, _text)
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < _WHOLE else value
    if isinstance(value, int):
        return value if abs(value) < _SIXTY_FOUR_BITS else str(value)
    return None


def _text(value: object) -> str:
    """A value as v1 takes it: "attribute values must be strings"; equal values give equal texts."""
    return value if isinstance(value, str) else json.dumps(value)


def _name(value: object) -> str | None:
    told = _plain(value)
    return None if told is None or isinstance(value, list) else _text(told).strip()[:NAME_LIMIT] or None

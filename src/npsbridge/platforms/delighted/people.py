"""What Delighted is told of a person and of a survey, as the bytes of its requests (pure).

Facts from Delighted's API page "Sending to people". Must not know how requests are sent.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import orjson

from npsbridge.core.calls import Call
from npsbridge.core.forward import came_back
from npsbridge.core.keys import normalised_email
from npsbridge.core.people import Person
from npsbridge.core.plain import clean
from npsbridge.platforms.delighted.settings import SurveyRule

# --- what is said of a person -----------------------------------------------------------------------------------

NAME_LIMIT: Final = 254
"""Characters: Delighted's introduction shows a name refused because it "must be less than 255 characters"."""
EMAIL_LIMIT: Final = 254
"""Characters of an address that mail can be sent to (RFC 5321)."""
EXACT_NUMBERS: Final = 2**53
"""Whole numbers from here on lose digits in some readers of JSON; as text they do not."""
TOO_MUCH: Final = "(left out: nested too deeply, or a number too long)"

_EMAIL: Final = re.compile(r"[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+\.[^@\s\x00-\x1f\x7f]+")
_PHONE: Final = re.compile(r"\+[0-9]{1,15}")
_PHONE_NAMES: Final = ("phone", "phoneNumber", "phone_number")
_OWN_PLACE: Final = ("email", "name")
"""Traits that the request has a place of its own for."""


def people_body(email: str, person: Person) -> bytes:
    """The request that tells of a person; equal traits give equal bytes."""
    properties = as_properties(_further(person.traits), came_back(person))
    return encoded({"email": email, "name": _name(person.traits), "send": False, "properties": properties})


def survey_body(contact: Mapping[str, str], call: Call, person: Person, rule: SurveyRule) -> bytes:
    """The request for a survey; `delay` is what is configured, and is counted down when it is sent.

    Properties belong to a survey request, not to a person, so the traits are said again ("Sending to people").
    """
    properties = as_properties(_further(person.traits), call.properties, came_back(person))
    said = {"send": True, "channel": rule.channel, "delay": math.ceil(rule.delay), "properties": properties}
    return encoded({**contact, "name": _name(person.traits), **said})


def as_properties(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Later layers go over earlier ones; null says nothing, neither of itself nor of what lies below."""
    merged = {name: value for layer in layers for name, value in layer.items() if value is not None}
    return {clean(name): _property(value) for name, value in merged.items()}


def _property(value: object) -> str | float | bool:
    """Delighted makes text of every value, and does not say which of a list or an object; so those are text before.

    A list of plain values is read best with commas; whatever is nested stays JSON.
    """
    match value:
        case bool():
            return value
        case str():
            return clean(value)
        case int() | float() if abs(value) < EXACT_NUMBERS:
            return value
        case list() if not any(isinstance(item, list | dict) for item in value):
            return ", ".join(_text(item) for item in value if item is not None)
        case _:
            return _text(value)


def _text(value: object) -> str:
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    except (RecursionError, ValueError):
        return TOO_MUCH
    return clean(text)


def _further(traits: Mapping[str, Any]) -> dict[str, Any]:
    """Every trait that has no place of its own; one of the wrong type has none there."""
    return {name: value for name, value in traits.items() if name not in _OWN_PLACE or not isinstance(value, str)}


def _name(traits: Mapping[str, Any]) -> str | None:
    """The name, or first and last name as Segment puts them together (its Spec, "Identify")."""
    halves = (_first_text(traits, "firstName", "first_name"), _first_text(traits, "lastName", "last_name"))
    whole = _first_text(traits, "name") or " ".join(half for half in halves if half)
    return clean(whole)[:NAME_LIMIT].rstrip() or None


def _first_text(traits: Mapping[str, Any], *names: str) -> str | None:
    texts = (value.strip() for name in names if isinstance(value := traits.get(name), str))
    return next(filter(None, texts), None)


def encoded(request: Mapping[str, Any]) -> bytes:
    """A request as it goes out: the same bytes for the same content, and no null."""
    said = {name: value for name, value in request.items() if value is not None}
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS)


# --- where a person is reached ----------------------------------------------------------------------------------


class Way(msgspec.Struct, frozen=True):
    """How a channel reaches a person: the parameter, and what the operator calls it."""

    parameter: str
    noun: str


WAYS: Final = {"email": Way("email", "email"), "sms": Way("phone_number", "phone number")}


def email_of(call: Call, person: Person) -> str | None:
    """Where mail to a person goes: what they identified with, what the call says of its person, a userId that is one.

    An email among the event's properties may be anybody's.
    """
    said = call.traits.get("email")
    candidates = (person.email, said if isinstance(said, str) else None, person.user_id)
    return next(filter(None, map(normalised_email, candidates)), None)


def contact_of(channel: str, call: Call, person: Person) -> dict[str, str]:
    """The parameters by which a channel finds a person, as far as they are known.

    A survey by SMS says the email as well, so that it reaches the person whom identify made, and its answer names them.
    """
    email = email_of(call, person)
    if channel == "email":
        return {"email": email} if email else {}
    phone = re.sub(r"[\s().-]", "", _first_text(person.traits, *_PHONE_NAMES) or "")
    known = {"phone_number": phone, "email": email if email and takes("email", email) else None}
    return {name: value for name, value in known.items() if value}


def takes(parameter: str, value: str) -> bool:
    """Whether Delighted takes such an address; for phone numbers its page says E.164."""
    form = _EMAIL if parameter == "email" else _PHONE
    return len(value) <= EMAIL_LIMIT and form.fullmatch(value) is not None

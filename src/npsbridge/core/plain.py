"""Traits and properties as vendors can take them: texts and numbers under one name each (pure).

Senders put into them whatever JSON can say; which values a vendor takes, and in which form, is its own file's business.
"""

from collections.abc import Callable, Mapping
from typing import Any

from npsbridge.core.keys import well_formed

Plain = str | float
"""A text, a number or a truth value."""


def clean(text: str) -> str:
    """Text that every JSON parser and database takes: no lone surrogates, and no NUL, at which some of them fail."""
    return text if text.isprintable() and text.isascii() else well_formed(text).replace("\0", "")


def flattened(
    values: Mapping[str, Any],
    told: Callable[[object], Plain | None],
    *,
    name_limit: int | None = None,
    prefix: str = "",
) -> dict[str, Plain]:
    """Values without objects.

    The members of an object become values of their own (`address_city`). A value under its own name goes before one
    that comes out of an object. They come out sorted, so that equal traits are equal in whichever order they were told.

    Args:
        values: by name.
        told: a value that is no object, as the vendor takes it; None for what it does not take.
        name_limit: the most characters of a name.
        prefix: what the names begin with.
    """
    own: dict[str, Plain] = {}
    inside: dict[str, Plain] = {}
    for name, value in sorted(values.items()):
        key = clean(prefix + name)[:name_limit]
        if isinstance(value, dict):
            inside |= flattened(value, told, name_limit=name_limit, prefix=f"{key}_")
        elif key.strip() and (plain := told(value)) is not None:
            own[key] = plain
    return inside | own


def listed(items: list[Any], told: Callable[[object], Plain | None], text: Callable[[Plain], str]) -> str | None:
    """A list of plain values as a text with commas; None for a list of anything else."""
    if any(isinstance(item, dict | list) for item in items):
        return None
    return ", ".join(text(item) for item in map(told, items) if item is not None)

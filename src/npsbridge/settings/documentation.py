"""What every setting is called, means, defaults to and looks like, read from the models.

`config.example.env`, the table in the README and `npsbridge check` are held against this, so that none of them can rot.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, BeforeValidator, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from npsbridge.settings.platform import SettingsGroup, SurveySettings
from npsbridge.settings.sections import Platforms, Section, own_sections
from npsbridge.settings.values import Address, duration_text, parse_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingDoc:
    """One setting, for people."""

    name: str
    """The full name of its variable."""
    default: str | None
    """As one would write it; None when it has none."""
    meaning: str
    secret: bool
    """Whether its value must not be shown."""
    platform: str | None = None
    """The platform it belongs to, if any."""
    example: str | None = None


def describe(platforms: Platforms) -> list[SettingDoc]:
    """Every setting of this installation, the general ones first, then platform by platform."""
    return [doc for section in own_sections(platforms) for doc in _docs_of(section)]


def _docs_of(section: Section) -> Iterator[SettingDoc]:
    # A platform's own fields come first, those that all survey platforms share after them.
    for name in sorted(section.fields(), key=lambda name: name in SurveySettings.model_fields):
        field = section.fields()[name]
        yield SettingDoc(
            name=section.setting(name),
            default=None if is_secret(field) else _default_text(section.model, name, field),
            meaning=_meaning(section.model, name),
            secret=is_secret(field),
            platform=section.platform,
            example=example_of(section.model, name),
        )


def is_secret(field: FieldInfo) -> bool:
    """Whether a field holds secrets, alone or in a list. A URL with a password in it does not count."""
    return _mentions_secret(field.annotation)


def example_of(model: type[SettingsGroup], name: str) -> str | None:
    """A value that would do: the field's own example, its default, or a stand-in for a secret."""
    for field in _declarations(model, name):
        if field.examples:
            return str(field.examples[0])
    field = model.model_fields[name]
    return "the-secret" if is_secret(field) else _default_text(model, name, field) or None


def _meaning(model: type[SettingsGroup], name: str) -> str:
    return next((field.description for field in _declarations(model, name) if field.description), "")


def _declarations(model: type[SettingsGroup], name: str) -> Iterator[FieldInfo]:
    """The field as the class declares it, then as its bases did: a new default need not repeat the description."""
    for base in model.__mro__:
        if issubclass(base, BaseModel) and name in base.model_fields:
            yield base.model_fields[name]


def _default_text(model: type[SettingsGroup], name: str, field: FieldInfo) -> str | None:
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is None or default is PydanticUndefined:
        return None
    if isinstance(default, float) and any(map(_is_duration, _declarations(model, name))):
        return duration_text(default)
    return _text(default)


def _text(value: Any) -> str | None:
    match value:
        case str() | Address():
            return str(value)
        case float() if value.is_integer():
            return str(int(value))
        case bool() | int() | float() | list() | tuple() | Mapping():
            return json.dumps(value)
        case _:
            return str(value)


def _is_duration(field: FieldInfo) -> bool:
    return any(isinstance(mark, BeforeValidator) and mark.func is parse_duration for mark in field.metadata)


def _mentions_secret(annotation: object) -> bool:
    return annotation is SecretStr or any(_mentions_secret(part) for part in get_args(annotation))

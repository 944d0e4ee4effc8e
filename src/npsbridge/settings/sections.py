"""Which names exist: the sections of the configuration, what each is called outside, and which name was meant.

Names are in lower case and without the prefix here (`delighted__api_key`), as secret files carry them. Pure.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches

from pydantic.fields import FieldInfo

from npsbridge.settings.model import (
    PREFIX,
    Admin,
    Events,
    GeneralSettings,
    IdentityRules,
    Ingest,
    RetentionTimes,
)
from npsbridge.settings.platform import PlatformSettings, SettingsGroup

GROUPS: Mapping[str, type[SettingsGroup]] = {
    "admin": Admin,
    "ingest": Ingest,
    "events": Events,
    "identity": IdentityRules,
    "retention": RetentionTimes,
}
ACCOUNTS = "connections"
# How alike two names must be, by difflib's measure, for one to be offered as what was meant.
_ALIKE = 0.6
# What Kubernetes puts into the environment of every pod for a Service that is called npsbridge.
_SERVICE_LINK = re.compile(r"service_(host|port(_.+)?)|port(_[0-9]+_(tcp|udp|sctp)(_(proto|port|addr))?)?")

Platforms = Mapping[str, type[PlatformSettings]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Settings whose names begin alike: a group, a platform, or a further account of one."""

    prefix: str
    """What its names begin with, such as `delighted__`; empty for the general settings."""
    model: type[SettingsGroup]
    connection: str | None = None
    platform: str | None = None

    def names(self) -> Iterator[str]:
        """All names of this section."""
        return (self.prefix + field for field in self.model.model_fields)

    def setting(self, field: str) -> str:
        """The full name of a field, as the operator writes it."""
        return full_name(self.prefix + field)

    def fields(self) -> Mapping[str, FieldInfo]:
        """The fields of this section by their short names."""
        return self.model.model_fields


def full_name(name: str) -> str:
    """The variable that a name stands for."""
    return PREFIX + name.upper()


def own_sections(platforms: Platforms) -> list[Section]:
    """The sections every installation has: general, groups, and each platform by its name."""
    return [
        Section(prefix="", model=GeneralSettings),
        *(Section(prefix=f"{group}__", model=model) for group, model in GROUPS.items()),
        *(
            Section(prefix=f"{platform}__", model=model, connection=platform, platform=platform)
            for platform, model in platforms.items()
        ),
    ]


def account_section(connection: str, platform: str, model: type[PlatformSettings]) -> Section:
    """The section of a further account."""
    return Section(prefix=f"{ACCOUNTS}__{connection}__", model=model, connection=connection, platform=platform)


def names_of(sections: Collection[Section]) -> set[str]:
    """All names of some sections."""
    return {name for section in sections for name in section.names()}


def nearest(name: str, known: Collection[str], *, cutoff: float = _ALIKE) -> str | None:
    """The known name that was probably meant, or None when none is much like it."""
    by_shape = {_squeezed(candidate): candidate for candidate in sorted(known) if _may_mean(name, candidate)}
    matches = get_close_matches(_squeezed(name), by_shape, n=1, cutoff=cutoff)
    return by_shape[matches[0]] if matches else None


def _may_mean(name: str, candidate: str) -> bool:
    """Whether group and field are alike each by itself: one platform's API_KEY is not meant for another's."""
    head, nested, tail = name.partition("__")
    other_head, other_nested, other_tail = candidate.partition("__")
    return not (nested and other_nested) or (_alike(head, other_head) and _alike(tail, other_tail))


def _alike(one: str, other: str) -> bool:
    return SequenceMatcher(None, one, other).ratio() >= _ALIKE


def _squeezed(name: str) -> str:
    """A name without the difference between one underscore and two."""
    return re.sub(r"[_.-]+", "_", name)


def meant_by(name: str, known: Collection[str]) -> str | None:
    """The known name that somebody who wrote this one probably meant; a field may lack its group."""
    return nearest(name, known) or next((other for other in sorted(known) if other.endswith(f"__{name}")), None)


def explain_unknown(name: str, known: Collection[str], platforms: Platforms) -> str:
    """What to say of a name that no setting has."""
    if _SERVICE_LINK.fullmatch(name):
        return "is unknown; Kubernetes sets it for a Service named npsbridge: enableServiceLinks: false ends that"
    if meant := meant_by(name, known):
        return f"is unknown; did you mean {full_name(meant)}?"
    head, nested, _ = name.partition("__")
    heads = sorted({*GROUPS, *platforms, ACCOUNTS})
    if nested and head not in heads:
        there_are = ", ".join(heads).upper()
        return f"is unknown: no group or platform here is called {head.upper()}; there are {there_are}"
    return "is unknown, and like no setting there is"

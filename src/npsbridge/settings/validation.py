"""From texts to checked settings, one section at a time, with every fault in the operator's words.

Must not know where the texts come from. A fault never repeats a value.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, NoDecode

from npsbridge.errors import Fault
from npsbridge.settings.documentation import example_of, is_secret
from npsbridge.settings.platform import PlatformSettings, SettingsGroup
from npsbridge.settings.sections import Section
from npsbridge.settings.values import decode_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What became of a section."""

    section: Section
    group: SettingsGroup | None
    """None when a value in the section is wrong."""
    readable: SettingsGroup | None
    """What the good values ask for; None when not even they can be understood."""
    faults: tuple[Fault, ...] = ()
    missing: tuple[Fault, ...] = ()
    """Faults of absence: key fields that nobody set."""


class _SectionSource(EnvSettingsSource):
    """pydantic-settings' reading of one section; a value that is no JSON is noted instead of ending it all."""

    def __init__(self, section: Section, texts: Mapping[str, str]) -> None:
        # The source needs nothing of BaseSettings but its fields and configuration, which every model has.
        model = cast("type[BaseSettings]", section.model)
        super().__init__(model, case_sensitive=False, env_prefix=section.prefix)
        self.env_vars = texts
        self.undecodable: dict[str, str] = {}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Decode JSON strictly."""
        if NoDecode in field.metadata:
            return value
        try:
            return decode_json(value)
        except ValueError as error:
            self.undecodable[field_name] = str(error)
            return None


def check(section: Section, texts: Mapping[str, str]) -> Checked:
    """Decode and validate one section.

    Args:
        section: what is expected.
        texts: the values that are set, by name; those of other sections are passed over.
    """
    source = _SectionSource(section, texts)
    values = source()
    group, faults = _validate(section, values)
    faults += [_fault(section, name, problem) for name, problem in source.undecodable.items()]
    bad = {fault.setting for fault in faults}
    readable = group or _validate(section, _without(section, values, bad))[0]
    return Checked(
        section=section,
        group=None if faults else group,
        readable=readable,
        faults=(*faults, *_contradictions(section, readable, bad)),
        missing=tuple(_missing_keys(section, readable, given={*values, *source.undecodable})),
    )


def _without(section: Section, values: Mapping[str, Any], bad: Collection[str]) -> dict[str, Any]:
    """For a second look at a section without its bad values, to learn what the good ones ask for."""
    return {name: value for name, value in values.items() if section.setting(name) not in bad}


def _validate(section: Section, values: Mapping[str, Any]) -> tuple[SettingsGroup | None, list[Fault]]:
    try:
        return section.model.model_validate(values), []
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        return None, [_fault_of(section, detail) for detail in details]
    except Exception as error:  # noqa: BLE001 - a platform from outside may check its fields in any way it likes
        problem = f"the settings with this beginning cannot be understood ({type(error).__name__})"
        return None, [Fault(setting=section.setting(""), problem=problem)]


def _fault_of(section: Section, detail: ErrorDetails) -> Fault:
    """A fault from one of pydantic's errors; what a check over several fields raised has no field to name."""
    name, *inside = detail["loc"] or ("",)
    field = section.fields().get(str(name))
    if field is None:
        return Fault(setting=section.setting(""), problem=_problem(detail))
    place = "" if is_secret(field) else "".join(f" at {part!r}," for part in inside)
    return _fault(section, str(name), f"{place.rstrip(',')}{':' * bool(place)} {_problem(detail)}".strip())


def _problem(detail: ErrorDetails) -> str:
    match detail["type"]:
        case "value_error":
            return str(detail.get("ctx", {}).get("error", "cannot be used"))
        case "extra_forbidden":
            return "is unknown"
        case "missing":
            return "is missing"
        case _:
            return detail["msg"].replace("Input should", "should", 1)


def _fault(section: Section, name: str, problem: str) -> Fault:
    setting, example = section.setting(name), example_of(section.model, name)
    return Fault(setting=setting, problem=problem, example=f"{setting}={example}" if example else None)


def _contradictions(section: Section, group: SettingsGroup | None, bad: Collection[str]) -> Iterator[Fault]:
    """What does not go together, as far as none of it is known to be bad already."""
    for found in group.contradictions() if group else ():
        settings = [section.setting(name) for name in found.fields]
        if not set(settings) & set(bad):
            example = f"{settings[0]}={found.example}" if found.example else None
            yield Fault(setting=settings[0], problem=found.problem, example=example)


def _missing_keys(section: Section, group: SettingsGroup | None, given: Collection[str]) -> Iterator[Fault]:
    if isinstance(group, PlatformSettings) and group.needs_keys:
        for name in group.key_fields:
            if name not in given:
                yield _fault(section, name, f"must be set for the connection {section.connection} to work")

"""What `npsbridge connect` asks for, and how: on a terminal, from files, from standard input, from flags.

A key never comes from the command line, where shells and other users of the machine would see it.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import typer

from npsbridge.errors import UsageError
from npsbridge.platforms import Platform
from npsbridge.platforms.base import Guide
from npsbridge.settings.documentation import is_secret

STANDARD_INPUT: Final = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field that is asked for."""

    name: str
    where: str
    """Where the vendor shows it."""
    is_secret: bool
    is_optional: bool


def guide_of(platform: Platform[Any]) -> Guide:
    """What the platform tells of itself, or what its settings do."""
    if platform.guide:
        return platform.guide
    fields = platform.settings.model_fields
    return Guide(
        label=platform.name, asks={name: fields[name].description or name for name in platform.settings.key_fields}
    )


def fields_of(platform: Platform[Any]) -> list[Field]:
    """What is asked for, in order."""
    guide, known = guide_of(platform), platform.settings.model_fields
    return [
        Field(name=name, where=where, is_secret=is_secret(known[name]), is_optional=name in guide.optional)
        for name, where in guide.asks.items()
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the operator said on the command line, by field."""

    values: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, platform: Platform[Any], values: Sequence[str], files: Sequence[str]) -> "Given":
        """From `FIELD=VALUE` and `FIELD=FILE` texts.

        Raises:
            UsageError: the platform has no such field, or a secret stands where shells keep it.
        """
        given = cls(values=_pairs("--set", values, platform), files=_pairs("--read", files, platform))
        for name in given.values:
            if is_secret(platform.settings.model_fields[name]):
                raise UsageError(f"--set {name}: a secret would stay in the shell's history; use --read {name}=FILE")
        return given

    def texts(self) -> dict[str, str]:
        """What was given, files read; of a file its text without the line break at its end.

        Raises:
            UsageError: a file cannot be read.
        """
        return {**self.values, **{name: _text(name, file) for name, file in self.files.items()}}


def _pairs(option: str, texts: Sequence[str], platform: Platform[Any]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip().lower()
        if not equals or name not in platform.settings.model_fields:
            known = ", ".join(platform.settings.model_fields)
            raise UsageError(f"{option} {name}: must be written FIELD=..., of the fields {known}")
        pairs[name] = value
    return pairs


def _text(name: str, file: str) -> str:
    try:
        text = sys.stdin.read() if file == STANDARD_INPUT else Path(file).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        raise UsageError(f"--read {name}={file}: {reason}") from None
    return text.removesuffix("\n").removesuffix("\r")


# --- asking -----------------------------------------------------------------------------------------------------


def can_ask() -> bool:
    """Whether somebody is there to answer."""
    return sys.stdin.isatty()


def ask(wanted: Sequence[Field]) -> dict[str, str]:
    """Ask for fields on the terminal; what is typed for a secret is not shown."""
    return {one.name: text for one in wanted if (text := _asked(one))}


def _asked(one: Field) -> str:
    print(f"{one.name}: {one.where}", file=sys.stderr)
    mark = " (may be left out)" if one.is_optional else ""
    while True:
        text = str(
            typer.prompt(f"  {one.name}{mark}", hide_input=one.is_secret, default="", show_default=False, err=True)
        ).strip()
        if text or one.is_optional:
            return text


def refuse_to_guess(missing: Sequence[Field], prefix: str) -> UsageError:
    """Nobody is there to be asked: which flags would have said it."""
    flags = [
        f"  --read {one.name}=FILE (- for standard input), or {prefix}{one.name.upper()} in the environment"
        if one.is_secret
        else f"  --set {one.name}=VALUE"
        for one in missing
    ]
    heading = "standard input is no terminal, so that nothing can be asked; these are missing:"
    return UsageError("\n".join([heading, *flags]))

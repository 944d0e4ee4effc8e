"""Where settings come from: the environment, an env file, folders of secret files.

Reads and sorts by name, and says what could not be read; it must not know which settings exist.
"""

import io
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from npsbridge.errors import Fault
from npsbridge.settings.model import PREFIX

_LARGEST_SECRET = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One setting as somebody wrote it."""

    name: str
    """In lower case and without the prefix."""
    spelled: str
    """As it was written."""
    text: str = field(repr=False)
    origin: str = ""
    """Where it was written, to be added to a sentence; empty for the environment."""
    exposed_in: Path | None = None
    """The file it was read from, when every user of this machine may read that."""

    @property
    def is_set(self) -> bool:
        """An empty value is as good as none."""
        return bool(self.text.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one source holds."""

    variables: tuple[Variable, ...] = ()
    strangers: tuple[Variable, ...] = ()
    """Names without our prefix; their texts are not kept."""
    faults: tuple[Fault, ...] = ()


def merge(readings: Iterable[Reading]) -> dict[str, Variable]:
    """The variables by name, the strongest source first; one that is set beats one that is empty."""
    merged: dict[str, Variable] = {}
    for variable in (variable for reading in readings for variable in reading.variables):
        held = merged.get(variable.name)
        if held is None or (variable.is_set and not held.is_set):
            merged[variable.name] = variable
    return merged


def read_environment(environ: Mapping[str, str]) -> Reading:
    """Our variables among those of the process."""
    ours = [_variable(name, text) for name, text in environ.items() if _has_prefix(name)]
    return Reading(variables=tuple(ours), faults=tuple(_contradicting(ours)))


def read_env_file(path: Path) -> Reading:
    """The variables of an env file; `${NAME}` in it is taken as it stands, as systemd does."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        exposed = _exposed(path)
    except (OSError, ValueError) as error:
        return Reading(faults=(Fault(setting="--env-file", problem=f"{path} {_why_unreadable(error)}"),))
    bindings = [(line, binding) for line, binding in _bindings(text) if binding.error or binding.key]
    found = [
        _variable(binding.key, binding.value, origin=f", in {path} line {line}", exposed_in=exposed)
        for line, binding in bindings
        if binding.key and binding.value is not None
    ]
    ours = [variable for variable in found if _has_prefix(variable.spelled)]
    strangers = [_variable(variable.spelled, "", origin=variable.origin) for variable in found if variable not in ours]
    malformed = [
        Fault(setting="--env-file", problem=f"{path} line {line} is not NAME=value", example=f"{PREFIX}LOG_LEVEL=INFO")
        for line, binding in bindings
        if binding.error or binding.value is None
    ]
    return Reading(variables=tuple(ours), strangers=tuple(strangers), faults=(*malformed, *_contradicting(ours)))


def read_secret_files(folder: Path, *, setting: str, is_ours: Callable[[str], bool]) -> Reading:
    """The secret files of a folder, as far as their names are ours; hidden files and folders are left alone."""
    try:
        files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except (OSError, ValueError) as error:
        return Reading(faults=(Fault(setting=setting, problem=f"the folder {_why_unreadable(error)}"),))
    ours = [path for path in files if is_ours(path.name.lower())]
    read = [_read_secret(path) for path in ours]
    variables = [found for found in read if isinstance(found, Variable)]
    strangers = [_secret_variable(path, "") for path in files if path not in ours]
    faults = [found for found in read if isinstance(found, Fault)]
    return Reading(variables=tuple(variables), strangers=tuple(strangers), faults=(*faults, *_contradicting(variables)))


def _read_secret(path: Path) -> Variable | Fault:
    try:
        if not path.is_file():
            return Fault(setting=path.name, problem=f"{path} is no plain file")
        if path.stat().st_size > _LARGEST_SECRET:
            return Fault(setting=path.name, problem=f"{path} is larger than a secret can be")
        text = path.read_text(encoding="utf-8")
        return _secret_variable(path, text.removesuffix("\n").removesuffix("\r"), exposed_in=_exposed(path))
    except (OSError, ValueError) as error:
        return Fault(setting=path.name, problem=f"the secret file {path} {_why_unreadable(error)}")


def _secret_variable(path: Path, text: str, *, exposed_in: Path | None = None) -> Variable:
    return Variable(
        name=path.name.lower(), spelled=path.name, text=text, origin=f", in the file {path}", exposed_in=exposed_in
    )


def _variable(spelled: str, text: str, *, origin: str = "", exposed_in: Path | None = None) -> Variable:
    name = spelled[len(PREFIX) :].lower() if _has_prefix(spelled) else spelled.lower()
    return Variable(name=name, spelled=spelled, text=text, origin=origin, exposed_in=exposed_in)


def _has_prefix(name: str) -> bool:
    return name[: len(PREFIX)].upper() == PREFIX


def _bindings(text: str) -> list[tuple[int, Binding]]:
    """What stands on each line; python-dotenv counts the blank lines before a binding as its own."""
    return [
        (binding.original.line + _leading_line_breaks(binding.original.string), binding)
        for binding in parse_stream(io.StringIO(text))
    ]


def _leading_line_breaks(text: str) -> int:
    return text[: len(text) - len(text.lstrip())].count("\n")


def _contradicting(variables: Iterable[Variable]) -> list[Fault]:
    """One source that gives the same setting two values."""
    first: dict[str, Variable] = {}
    faults = []
    for variable in variables:
        held = first.setdefault(variable.name, variable)
        if held.text != variable.text:
            faults.append(Fault(setting=variable.spelled, problem=f"is set twice, differently{variable.origin}"))
    return faults


def _exposed(path: Path) -> Path | None:
    return path if path.stat().st_mode & stat.S_IROTH else None


def _why_unreadable(error: Exception) -> str:
    match error:
        case FileNotFoundError():
            return "does not exist"
        case UnicodeDecodeError():
            return "is not UTF-8 text"
        case OSError(errno=int(number)):
            return f"cannot be read: {os.strerror(number)}"
        case _:
            return "cannot be read"

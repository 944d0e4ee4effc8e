"""Reading the whole configuration: all sources, all sections, and all faults at once."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from npsbridge.errors import ConfigurationError, Fault
from npsbridge.settings.accounts import declare_accounts
from npsbridge.settings.documentation import example_of, is_secret
from npsbridge.settings.model import PREFIX, Admin, Connection, GeneralSettings, Ingest, Settings
from npsbridge.settings.platform import PlatformSettings, SettingsGroup
from npsbridge.settings.sections import (
    ACCOUNTS,
    GROUPS,
    Platforms,
    Section,
    explain_unknown,
    full_name,
    meant_by,
    names_of,
    own_sections,
)
from npsbridge.settings.sources import Reading, Variable, merge, read_env_file, read_environment, read_secret_files
from npsbridge.settings.strangers import stray_files, stray_lines
from npsbridge.settings.validation import Checked, check

_Group = TypeVar("_Group", bound=SettingsGroup)


def load(platforms: Platforms, *, env_file: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read all settings; strongest first: the environment, the env file, secret files.

    Args:
        platforms: the settings class of each platform, by the platform's name.
        env_file: a file of `NAME=value` lines.
        environ: what to take for the environment; the process's own when left out.

    Raises:
        ConfigurationError: something cannot be used; all faults are in it, and no value.
    """
    environ = os.environ if environ is None else environ
    own = own_sections(platforms)
    readings, faults = _read(own, env_file, environ)
    variables = merge(readings)
    texts = _texts(variables, environ)
    accounts = declare_accounts(texts, frozenset(variables), platforms)
    sections = [section for section in own if not section.platform or _is_mentioned(section, texts)]
    checked = [check(section, texts) for section in (*sections, *accounts.sections)]
    known = names_of(own) | accounts.names
    faults += [*accounts.faults, *_unknown(variables, (*own, *accounts.sections), known, platforms)]
    faults += _with_origins((fault for part in checked for fault in part.faults), variables)
    if not any(reading.faults for reading in readings):
        # What seems to be absent may stand in the source that could not be read.
        faults += [*accounts.missing, *(fault for part in checked for fault in part.missing), *_unguarded(checked)]
    if faults:
        raise ConfigurationError(faults)
    return _assemble(checked, _warnings(variables, checked))


# --- reading ----------------------------------------------------------------------------------------------------


def _read(
    own: Sequence[Section], env_file: Path | None, environ: Mapping[str, str]
) -> tuple[list[Reading], list[Fault]]:
    """All sources, strongest first, and what is wrong with them or with names that were meant for us."""
    known = names_of(own)
    lines = read_env_file(env_file) if env_file else Reading()
    written = [read_environment(environ), lines]
    files = _read_folders(merge(written), environ, known - {"secrets_dir"})
    readings = [*written, *files]
    faults = [fault for reading in readings for fault in reading.faults]
    faults += stray_lines(lines.strangers, known)
    faults += [fault for reading in files for fault in stray_files(reading.strangers, known)]
    return readings, faults


def _read_folders(variables: Mapping[str, Variable], environ: Mapping[str, str], known: set[str]) -> list[Reading]:
    """The folders of secret files: systemd's, then the operator's."""

    def is_ours(name: str) -> bool:
        return name in known or name.startswith(f"{ACCOUNTS}__")

    folders: dict[Path, str] = {}
    systemds = environ.get("CREDENTIALS_DIRECTORY", "")
    # systemd leaves the folder out when no credential was found, although it names it.
    if systemds and not _is_absent(Path(systemds)):
        folders[Path(systemds)] = "CREDENTIALS_DIRECTORY"
    ours = variables.get("secrets_dir")
    if ours is not None and ours.is_set:
        folders.setdefault(Path(ours.text), full_name("secrets_dir"))
    return [read_secret_files(folder, setting=setting, is_ours=is_ours) for folder, setting in folders.items()]


def _is_absent(folder: Path) -> bool:
    try:
        folder.stat()
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False
    return False


def _texts(variables: Mapping[str, Variable], environ: Mapping[str, str]) -> dict[str, str]:
    """The values that are set, by name; where systemd keeps our state, the store is there unless somebody says else."""
    texts = {variable.name: variable.text for variable in variables.values() if variable.is_set}
    state_folder = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if state_folder:
        texts.setdefault("store_url", f"sqlite:///{state_folder.rstrip('/')}/npsbridge.db")
    return texts


def _is_mentioned(section: Section, texts: Mapping[str, str]) -> bool:
    return any(name in texts for name in section.names())


# --- faults and warnings ----------------------------------------------------------------------------------------


def _unknown(
    variables: Mapping[str, Variable], sections: Sequence[Section], known: set[str], platforms: Platforms
) -> Iterator[Fault]:
    for variable in variables.values():
        if variable.name not in known:
            problem = explain_unknown(variable.name, known, platforms) + variable.origin
            example = _example(meant_by(variable.name, known) or "listen", sections)
            yield Fault(setting=variable.spelled, problem=problem, example=example)


def _example(name: str, sections: Sequence[Section]) -> str:
    """A line for a setting that exists."""
    found = (section for section in sections if name in section.names())
    value = next((example_of(section.model, name.removeprefix(section.prefix)) for section in found), None)
    return f"{full_name(name)}={value or '...'}"


def _with_origins(faults: Iterable[Fault], variables: Mapping[str, Variable]) -> Iterator[Fault]:
    """Say in which file a bad value stands."""
    for fault in faults:
        variable = variables.get(fault.setting.removeprefix(PREFIX).lower())
        yield replace(fault, problem=fault.problem + variable.origin) if variable else fault


def _unguarded(checked: Sequence[Checked]) -> Iterator[Fault]:
    """A listener that other machines reach, and that would have to believe anybody."""
    general = _readable(checked, GeneralSettings)
    if not general.admin_listen.is_loopback and not _is_guarded(checked, _protects):
        yield Fault(
            setting=full_name("admin_listen"),
            problem="is open to other machines, but anybody could look and act there: set ADMIN__PASSWORD (for "
            "browsers) or ADMIN__TOKEN (for scripts), or listen on 127.0.0.1",
            example=f"{full_name('admin_listen')}=127.0.0.1:8081",
        )
    if not general.listen.is_loopback and not _is_guarded(checked, _authenticates_callers):
        yield Fault(
            setting=full_name("listen"),
            problem="is open to other machines, but nothing authenticates callers: set INGEST__WRITE_KEYS, "
            "INGEST__WEBHOOK_SECRET or a platform that signs its webhooks, or listen on 127.0.0.1",
            example=f"{full_name('listen')}=127.0.0.1:8080",
        )


def _is_guarded(checked: Sequence[Checked], guards: Callable[[SettingsGroup | None], bool | None]) -> bool:
    """Whether one of the groups is a guard, or may be meant for one: of a secret that is wrong only that is told.

    `guards` says of a group whether it is a guard; None for groups that are none whatever is set.
    """
    found = [(part, guards(part.readable)) for part in checked]
    return any(is_guard or (is_guard is not None and _has_bad_secret(part)) for part, is_guard in found)


def _has_bad_secret(part: Checked) -> bool:
    names = {fault.setting for fault in part.faults}
    return any(
        is_secret(field) and part.section.setting(name) in names for name, field in part.section.fields().items()
    )


def _protects(group: SettingsGroup | None) -> bool | None:
    return group.is_protected if isinstance(group, Admin) else None


def _authenticates_callers(group: SettingsGroup | None) -> bool | None:
    match group:
        case Ingest():
            return bool(group.write_keys or group.webhook_secret)
        case PlatformSettings():
            return group.authenticates_hooks
        case _:
            return None


def _warnings(variables: Mapping[str, Variable], checked: Sequence[Checked]) -> Iterator[str]:
    """Secrets that every user of this machine can read."""
    secret = {
        part.section.prefix + name
        for part in checked
        for name, field in part.section.fields().items()
        if is_secret(field)
    }
    exposed: dict[str, list[str]] = {}
    for variable in variables.values():
        holds_secret = variable.name in secret or (variable.name == "store_url" and "@" in variable.text)
        if variable.exposed_in and variable.is_set and holds_secret:
            exposed.setdefault(str(variable.exposed_in), []).append(full_name(variable.name))
    for path, names in exposed.items():
        yield f"{', '.join(names)} can be read by every user of this machine: chmod o-r {path}"


# --- putting it together ----------------------------------------------------------------------------------------


def _assemble(checked: Sequence[Checked], warnings: Iterable[str]) -> Settings:
    general = _group(checked, GeneralSettings)
    return Settings(
        **{name: getattr(general, name) for name in GeneralSettings.model_fields},
        **{name: _group(checked, model) for name, model in GROUPS.items()},
        connections={found.name: found for found in map(_connection, checked) if found},
        warnings=tuple(warnings),
    )


def _connection(part: Checked) -> Connection | None:
    if not isinstance(part.group, PlatformSettings):
        return None
    name, platform = part.section.connection or "", part.section.platform or ""
    return Connection(name=name, platform=platform, settings=part.group)


def _readable(checked: Sequence[Checked], model: type[_Group]) -> _Group:
    """What can be understood of a group that every configuration has; the rest is as if nobody had set it."""
    return next((part.readable for part in checked if isinstance(part.readable, model)), model())


def _group(checked: Sequence[Checked], model: type[_Group]) -> _Group:
    """The group of one of the classes that every configuration has."""
    return next(part.group for part in checked if isinstance(part.group, model))

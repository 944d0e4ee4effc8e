"""Further accounts of a platform: `NPSBRIDGE_CONNECTIONS__<NAME>__PLATFORM=delighted`, and the fields beside it.

Pure; must not know which platforms there are.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from npsbridge.errors import Fault
from npsbridge.settings.sections import ACCOUNTS, Platforms, Section, account_section, full_name, nearest

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?")
_PREFIX = f"{ACCOUNTS}__"


NAMING = "a connection's name is made of letters, digits, - and single _, at most 64"


def is_name(text: str) -> bool:
    """Whether a connection can be called so, in lower case."""
    return bool(_NAME.fullmatch(text)) and "__" not in text


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """What the names and platforms of further accounts amount to."""

    sections: tuple[Section, ...]
    faults: tuple[Fault, ...]
    missing: tuple[Fault, ...]
    """Accounts that say no platform."""
    names: frozenset[str]
    """Every name that can be a setting of an account, or belongs to an account that is reported anyway."""


def declare_accounts(texts: Mapping[str, str], names: frozenset[str], platforms: Platforms) -> Accounts:
    """Find the accounts.

    Args:
        texts: the values that are set, by name.
        names: all names that somebody wrote, set or empty.
        platforms: the platforms an account can be of.
    """
    found = {account: _section(account, texts, platforms) for account in sorted(_accounts_in(names))}
    sections = [section for section in found.values() if isinstance(section, Section)]
    faults = [fault for fault in found.values() if isinstance(fault, Fault)]
    missing = [_missing(account) for account, section in found.items() if section is None]
    known = {f"{_PREFIX}{account}__platform" for account in found}
    known |= {name for section in sections for name in section.names()}
    reported = {account for account, section in found.items() if not isinstance(section, Section)}
    known |= {name for name in names if _account_of(name) in reported}
    return Accounts(sections=tuple(sections), faults=tuple(faults), missing=tuple(missing), names=frozenset(known))


def _accounts_in(names: frozenset[str]) -> set[str]:
    return {account for account in map(_account_of, names) if account is not None}


def _account_of(name: str) -> str | None:
    account, delimiter, field = name.removeprefix(_PREFIX).rpartition("__")
    return account if name.startswith(_PREFIX) and delimiter and field else None


def _section(account: str, texts: Mapping[str, str], platforms: Platforms) -> Section | Fault | None:
    """The section of an account, what is wrong with it, or None when its platform is not said."""
    setting = full_name(f"{_PREFIX}{account}__platform")
    platform = texts.get(f"{_PREFIX}{account}__platform", "").strip().lower()
    if not is_name(account):
        return Fault(setting=setting, problem=NAMING, example=f"{full_name(_PREFIX)}EU__PLATFORM=delighted")
    if account in platforms:
        problem = (
            f"{account} is the connection of the settings that begin with {full_name(account)}__; take another name"
        )
        return Fault(setting=setting, problem=problem, example=f"{full_name(_PREFIX)}{account.upper()}_2__PLATFORM=...")
    if not platform:
        return None
    if platform not in platforms:
        meant = nearest(platform, platforms)
        hint = f"; did you mean {meant}?" if meant else ""
        problem = f"is no platform; there are {', '.join(sorted(platforms))}{hint}"
        return Fault(setting=setting, problem=problem, example=f"{setting}={meant or 'delighted'}")
    return account_section(account, platform, platforms[platform])


def _missing(account: str) -> Fault:
    setting = full_name(f"{_PREFIX}{account}__platform")
    return Fault(setting=setting, problem="must say which platform this account is of", example=f"{setting}=delighted")

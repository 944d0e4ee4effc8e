"""Settings that must not change once something was delivered under them, such as by which id a sink knows people.

What was in force at the first delivery is a fact in the store; other values are refused, with the way back.
"""

from collections.abc import Mapping
from typing import Any

from npsbridge.core.storage import MOVED, MOVING, Store
from npsbridge.engine.dispatch import first_delivery_fact
from npsbridge.errors import ConfigurationError, Fault
from npsbridge.platforms import Platform, available
from npsbridge.settings import Connection, Settings


def frozen_facts(connection: Connection, platform: Platform[Any]) -> dict[str, str]:
    """What the first delivery to a connection makes unchangeable, by the name of the fact."""
    return {_fact(connection, field): value for field, value in platform.frozen(connection.settings).items()}


async def keep_frozen(store: Store, settings: Settings) -> None:
    """Note what has become unchangeable without being noted.

    Raises:
        ConfigurationError: a setting differs from what was in force when the first delivery was made.
    """
    facts, platforms, faults = await store.facts(), available(), list[Fault]()
    if moved := _moved(facts):
        raise ConfigurationError([moved])
    for connection in settings.connections.values():
        for field, value in platforms[connection.platform].frozen(connection.settings).items():
            fact = _fact(connection, field)
            if fact in facts and facts[fact] != value:
                faults.append(_fault(connection, field, was=facts[fact]))
            elif fact not in facts and first_delivery_fact(connection.name) in facts:
                await store.note_fact(fact, value)
    if faults:
        raise ConfigurationError(faults)


def _moved(facts: Mapping[str, str]) -> Fault | None:
    """Why a store may not be run that was moved away, or is not yet here."""
    if MOVED in facts:
        problem = f"names a store that was moved to {facts[MOVED]}; what is sent from here would be sent twice"
    elif MOVING in facts:
        problem = "names a store into which another is being moved; run `npsbridge db migrate` to its end first"
    else:
        return None
    return Fault(setting="NPSBRIDGE_STORE_URL", problem=problem)


def _fact(connection: Connection, field: str) -> str:
    return f"frozen:{connection.name}:{field}"


def _fault(connection: Connection, field: str, *, was: str) -> Fault:
    problem = (
        f"was {was} when the first delivery was made, and what was sent under it stays as it is. Set it back to {was}; "
        f"or, to start afresh, configure another connection under a name of its own "
        f"(NPSBRIDGE_CONNECTIONS__<NAME>__PLATFORM={connection.platform})"
    )
    setting = connection.prefix + field.upper()
    return Fault(setting=setting, problem=problem, example=f"{setting}={was}")

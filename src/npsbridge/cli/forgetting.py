"""`npsbridge forget`: erases what is held here of one person, and says who else may hold something."""

import asyncio
from pathlib import Path
from typing import Any, Final

import msgspec

from npsbridge.cli.asking import agree
from npsbridge.cli.opening import settings_from, store_beside
from npsbridge.cli.show import console, print_json
from npsbridge.core.people import PersonId
from npsbridge.core.records import Forgotten, Remains
from npsbridge.engine.forgetting import forget, ids_of
from npsbridge.settings import Settings

_IN_DATABASE: Final = (
    "PostgreSQL keeps erased bytes in its files until it uses their room again (VACUUM FULL takes them away, but "
    "nobody can work meanwhile), and in its log, standbys and backups until those are gone."
)
REMAINS: Final = {
    Remains.UNTIL_WRITTEN: "Somebody was reading the store: the erased bytes leave its files with the next writes.",
    Remains.UNTIL_REUSED: _IN_DATABASE,
    Remains.UNTIL_VACUUMED: f"The database did not VACUUM its tables now; do so as their owner. {_IN_DATABASE}",
}
"""What to say of bytes that are left."""


def forget_person(env_file: Path | None, key: str, *, is_agreed: bool, as_json: bool) -> None:
    """Erase a person, named by an email or a userId, beside a daemon or without one.

    Raises:
        UsageError: the key is neither.
    """
    wanted = ids_of(key)
    settings = settings_from(env_file)
    agree("Erase all that is held here of this person, for good?", is_agreed=is_agreed)
    forgotten = asyncio.run(_forget(settings, wanted))
    if as_json:
        print_json(_document(forgotten))
    else:
        _print(forgotten, settings)


async def _forget(settings: Settings, wanted: list[PersonId]) -> Forgotten:
    async with store_beside(settings) as store:
        return await forget(store, wanted)


def _document(forgotten: Forgotten) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(forgotten)
    may_hold = found.pop("connections")
    return {"erased": found, "may_still_hold_data": may_hold}


def _print(forgotten: Forgotten, settings: Settings) -> None:
    out = console()
    counts = {
        "persons": forgotten.persons,
        "responses": forgotten.responses,
        "deliveries": forgotten.deliveries,
        "records in the journal": forgotten.records,
    }
    if any(counts.values()):
        out.print("Erased here: " + ", ".join(f"{word} {number}" for word, number in counts.items()) + ".")
    else:
        out.print("Nothing was held here of this person.")
    out.print("What comes of them later is not kept, and nobody surveys them through npsbridge.")
    if forgotten.connections:
        out.print(f"May still hold data of them, and must be told separately: {', '.join(forgotten.connections)}.")
    others = [name for name in settings.connections if name not in forgotten.connections]
    if others:
        out.print(f"May hold some from before the outbox reaches back: {', '.join(others)}.")
    if (words := REMAINS.get(forgotten.remains)) is not None:
        out.print(words)

"""`npsbridge outbox retry`, `drop` and `confirm`: what a person decides about deliveries that nobody else can settle.

Here it is asked for and told of; what follows is decided and done by `npsbridge.engine.steering`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from npsbridge.cli.asking import agree
from npsbridge.cli.opening import is_daemon_running, settings_from, store_beside
from npsbridge.cli.show import console, print_json
from npsbridge.clock import Clock
from npsbridge.core.model import State
from npsbridge.core.storage import Store
from npsbridge.engine.steering import DROPPABLE, RETRIED, Choice, Tally, confirm, drop, retry
from npsbridge.errors import UsageError
from npsbridge.settings import Settings

_SHOWN: Final = 10
"""Ids that are named for each reason."""


def retry_deliveries(
    env_file: Path | None, ids: Sequence[int], *, state: str | None, connection: str | None, as_json: bool
) -> None:
    """Have dead and held deliveries tried again.

    Raises:
        UsageError: there is no delivery with one of the ids; the others are tried again all the same.
    """
    choice = Choice.read(ids, state, connection, among=RETRIED)
    settings = settings_from(env_file)
    _report(asyncio.run(_decided(settings, lambda store: retry(store, choice, now=Clock().now_ms()))), as_json=as_json)


def drop_deliveries(
    env_file: Path | None,
    ids: Sequence[int],
    *,
    state: str | None,
    connection: str | None,
    is_agreed: bool,
    as_json: bool,
) -> None:
    """Have deliveries never sent.

    Raises:
        UsageError: nothing was named, or there is no delivery with one of the ids; the others are dropped.
    """
    if not ids and state is None and connection is None:
        raise UsageError("say what is to be dropped: ids, --state or --connection")
    choice = Choice.read(ids, state, connection, among=DROPPABLE)
    settings = settings_from(env_file)

    async def ask_and_drop(store: Store) -> Tally:
        agree(f"Deliveries to drop for good: {await _number_of(store, choice)}. Go on?", is_agreed=is_agreed)
        return await drop(store, choice)

    _report(asyncio.run(_decided(settings, ask_and_drop)), as_json=as_json)


def confirm_deliveries(env_file: Path | None, ids: Sequence[int], *, as_json: bool) -> None:
    """Take held deliveries for done.

    Raises:
        UsageError: there is no delivery with one of the ids; the others are taken for done.
    """
    choice = Choice.read(ids, None, None, among=(State.HELD,))
    settings = settings_from(env_file)
    _report(asyncio.run(_decided(settings, lambda store: confirm(store, choice))), as_json=as_json)


async def _decided(settings: Settings, act: Callable[[Store], Awaitable[Tally]]) -> tuple[Tally, bool]:
    """What came of an act, and whether a daemon is running to go on from there."""
    async with store_beside(settings) as store:
        return await act(store), await is_daemon_running(settings, store)


async def _number_of(store: Store, choice: Choice) -> int:
    if choice.ids:
        return len(choice.ids)
    return sum(
        count
        for (connection, state), count in (await store.depths()).items()
        if state in choice.states and choice.connection in {None, connection}
    )


# --- telling ----------------------------------------------------------------------------------------------------

_DONE: Final = {
    "queued": "sent again",
    "journaled": "routed again",
    "forgotten": "forgotten, since the page is read again anyway",
    "dropped": "dropped",
    "confirmed": "taken for done",
}


def _report(decided: tuple[Tally, bool], *, as_json: bool) -> None:
    tally, is_running = decided
    if as_json:
        print_json(_document(tally))
    else:
        _print(tally, is_running=is_running)
    if tally.unknown:
        raise UsageError(f"there is no delivery {', '.join(map(str, tally.unknown))}")


def _document(tally: Tally) -> dict[str, Any]:
    left = [
        {"because": because, "count": len(numbers), "ids": numbers[:_SHOWN]} for because, numbers in tally.left.items()
    ]
    return {**tally.done, "left": left, "outrun": tally.outrun, "unknown": tally.unknown}


def _print(tally: Tally, *, is_running: bool) -> None:
    out = console()
    for word, number in tally.done.items():
        if number:
            out.print(f"{number:>7,} {_DONE[word]}")
    for because, numbers in tally.left.items():
        more = "" if len(numbers) <= _SHOWN else ", ..."
        out.print(f"{len(numbers):>7,} left alone ({', '.join(map(str, numbers[:_SHOWN]))}{more}): {because}")
    if tally.outrun:
        out.print(f"{tally.outrun:>7,} left alone: changed in the meantime")
    if not (any(tally.done.values()) or tally.left or tally.outrun or tally.unknown):
        out.print("There is no such delivery.")
    if any(tally.done.get(word) for word in ("queued", "journaled")) and not is_running:
        out.print("No daemon is running; the next one does it.")

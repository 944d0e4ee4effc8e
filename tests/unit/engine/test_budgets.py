"""What is used of a limit counts after a restart as well."""

import asyncio
from dataclasses import replace

import anyio
import pytest

from npsbridge.core.pace import RateWindow
from npsbridge.engine.budgets import Budgets
from unit.engine.doubles import NOW, Hands, MemoryStore, seams_of


class Process:
    """One life of a daemon with one account, over a store that outlives it."""

    def __init__(self, store: MemoryStore, *, limit: float = 60, ms: int = NOW, seconds: float = 0.0) -> None:
        self.store = store
        self.hands = Hands(ms, seconds)
        self.window = RateWindow(limit, 60.0)
        self.budgets = Budgets({"shop": self.window}, replace(seams_of(store), clock=self.hands))

    def ask(self, times: int) -> float:
        """Ask so often; the seconds that the last one has to wait."""
        return max(self.window.reserve(self.hands.seconds) for _ in range(times))


async def test_i7_what_the_process_before_has_used_counts() -> None:
    first = Process(MemoryStore(), seconds=500.0)
    await first.budgets.recall()
    assert first.ask(60) == 0.0
    await first.budgets.end()
    second = Process(first.store, ms=NOW + 20_000, seconds=3.0)
    await second.budgets.recall()
    assert second.ask(1) == 40.0


async def test_what_was_used_long_ago_is_free_again() -> None:
    first = Process(MemoryStore())
    await first.budgets.recall()
    first.ask(60)
    await first.budgets.end()
    second = Process(first.store, ms=NOW + 60_000)
    await second.budgets.recall()
    assert second.ask(60) == 0.0


async def test_after_a_crash_half_of_the_limit_counts_as_used() -> None:
    store = MemoryStore()
    await Process(store).budgets.recall()
    crashed = Process(store, ms=NOW + 1000)
    await crashed.budgets.recall()
    assert (crashed.ask(30), crashed.ask(1)) == (0.0, 60.0)


async def test_the_first_start_has_the_whole_limit() -> None:
    fresh = Process(MemoryStore())
    await fresh.budgets.recall()
    assert fresh.ask(60) == 0.0


async def test_an_account_without_limit_is_never_noted() -> None:
    free = Process(MemoryStore(), limit=0)
    await free.budgets.recall()
    free.ask(1000)
    await free.budgets.end()
    assert set(free.store.facts_noted) == {"budgets:ended_in_peace"}


async def test_a_store_that_has_failed_does_not_keep_the_daemon_from_ending() -> None:
    process = Process(MemoryStore())
    await process.budgets.recall()
    process.ask(60)
    process.store.full.add("note_fact")
    await process.budgets.end()
    assert process.store.facts_noted == {"budgets:ended_in_peace": "no"}


async def test_f6_a_start_without_room_is_noted_as_soon_as_there_is_some(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    store.full = {"note_fact"}
    crashed = Process(store)
    await crashed.budgets.recall()
    rounds = iter([True, False, False])

    async def next_round(_: float) -> None:
        if (is_full := next(rounds, None)) is None:
            raise asyncio.CancelledError
        store.full = {"note_fact"} if is_full else set()

    monkeypatch.setattr(anyio, "sleep", next_round)
    with pytest.raises(asyncio.CancelledError):
        await crashed.budgets.run()
    after = Process(store, ms=NOW + 1000)
    await after.budgets.recall()
    assert (after.ask(30), after.ask(1)) == (0.0, 60.0)

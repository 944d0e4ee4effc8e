"""The demo waits for effects, and not for ever."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from npsbridge.cli.demo.stage import Pace, Stage
from npsbridge.cli.demo.waiting import Unheard, Waiting, later
from npsbridge.core.model import State
from npsbridge.core.records import Ledger


class Owing:
    """A daemon that owes less each time it is looked at; None for one that is between two lives."""

    def __init__(self, *owed: int | None) -> None:
        self.owed = list(owed)

    @asynccontextmanager
    async def seen(self) -> AsyncIterator[Any]:
        owed = self.owed.pop(0) if len(self.owed) > 1 else self.owed[0]

        async def depths() -> dict[tuple[str, State], int]:
            return {("heap", State.QUEUED): owed or 0, ("segment", State.QUEUED): 7, ("segment", State.FILTERED): 3}

        async def ledger() -> Ledger:
            return Ledger(waiting=owed or 0, filtered=3)

        yield None if owed is None else SimpleNamespace(store=SimpleNamespace(depths=depths, ledger=ledger))


def waiting(daemon: Owing) -> Waiting:
    return Waiting(cast("Stage", SimpleNamespace(daemon=daemon)), Pace(patience=5))


@pytest.mark.looptime
async def test_it_waits_until_a_connection_is_owed_nothing() -> None:
    daemon = Owing(2, 1, 0)
    await waiting(daemon).nothing_owed("the end", "heap")
    assert daemon.owed == [0]


@pytest.mark.looptime
async def test_a_debt_that_stays_is_told_after_all_patience() -> None:
    with pytest.raises(Unheard, match="the end: heap was still owed something after 5 s"):
        await waiting(Owing(1)).nothing_owed("the end", "heap")


async def test_between_two_lives_of_the_daemon_nothing_is_owed() -> None:
    assert await waiting(Owing(None)).owed("segment") == 0


async def test_only_what_is_owed_to_the_connection_counts() -> None:
    assert await waiting(Owing(2)).owed("heap") == 2


async def test_what_is_still_to_be_made_waits_and_what_was_decided_against_does_not() -> None:
    assert await waiting(Owing(2)).waiting("segment") == 7
    assert await waiting(Owing(None)).waiting("segment") == 0


@pytest.mark.looptime
async def test_it_waits_until_nothing_waits_that_was_accepted() -> None:
    daemon = Owing(2, 1, 0)
    await waiting(daemon).nothing_waits("the end")
    assert daemon.owed == [0]


@pytest.mark.looptime
async def test_what_goes_on_waiting_is_told_after_all_patience() -> None:
    with pytest.raises(Unheard, match="the end: something still waited after 5 s"):
        await waiting(Owing(1)).nothing_waits("the end")


def test_what_took_no_time_happened_at_once() -> None:
    assert (later(0.04), later(1.26)) == ("at once", "1.3 s later")

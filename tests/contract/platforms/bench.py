"""The whole line with any survey platform at its near end: an account, the daemon, and Segment's look-alike.

At the end of every test the ledger balances, every call that was sent is valid by the schema that ships, and none was
said twice.
"""

import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from contract.platforms.account import Account, Answered
from end_to_end.harness import Call, Line, Passing, at_rest, log_kept, time_passing, until, usual_line
from npsbridge.app import App
from npsbridge.sandbox import SegmentServer
from npsbridge.sandbox.faults import html

HOUR, DAY = 3600.0, 86400.0
"""Seconds."""


@dataclass(kw_only=True)
class Bench(Line):
    """An account at one end and Segment at the other. Made by `bench`."""

    account: Account
    time: Passing

    # --- names ----------------------------------------------------------------------------------------------------

    @property
    def pull(self) -> str:
        """The name of the account's check in /healthz."""
        return f"{self.account.platform}:pull"

    def own(self, **changes: str) -> dict[str, str]:
        """Settings of the account by their whole names, from the last parts."""
        return prefixed(self.account.platform, changes)

    # --- the account ----------------------------------------------------------------------------------------------

    def answers(self, count: int, *, ago: float = HOUR, apart: float = 60.0) -> list[str]:
        """So many people answer, each in their way: the first one `ago` seconds before now, the next ones later."""
        begin = float(self.second()) - ago
        return [self.account.answer(somebodys(number, begin + number * apart)) for number in range(count)]

    def meanwhile(self, act: Callable[[int], None]) -> None:
        """Let something happen before each further request for the list is answered; they are numbered from 1."""
        numbers = itertools.count(1)

        def watch(target: str) -> bool:
            if self.account.lists in target:
                act(next(numbers))
            return False

        self.account.server.faults.add(html(), times=None, path=watch)

    def asked(self) -> int:
        """How many requests came."""
        requests = self.account.server.requests
        return len(requests) + requests.forgotten

    # --- what was told --------------------------------------------------------------------------------------------

    def submitted(self) -> set[str]:
        """The ids of all responses that were submitted."""
        return {track["properties"]["response_id"] for track in self.segment.tracks("Submit Survey")}

    def submission(self, number: str) -> Call:
        """The first `Submit Survey` of a response."""
        return next(call for call in self.said_of(number) if call["event"] == "Submit Survey")

    def comment(self, number: str) -> str | None:
        """The comment of a response as it was told last; None when nothing was."""
        told = self.said_of(number)
        return told[-1]["properties"]["comment"] if told else None

    def comments(self, numbers: Iterable[str]) -> dict[str, str | None]:
        """The same of several."""
        return {number: self.comment(number) for number in numbers}

    def identifications(self) -> list[Call]:
        """Every identify, in order."""
        return [call for call in self.said() if call["type"] == "identify"]

    async def all_told(self, numbers: Iterable[str], *, within: float = HOUR) -> None:
        """Wait until these responses were submitted."""
        wanted = set(numbers)
        await until(lambda: wanted <= self.submitted(), within=within, look_every=1.0)

    # --- the daemon -----------------------------------------------------------------------------------------------

    async def read_whole(self, app: App, *, within: float = HOUR) -> None:
        """Wait until a whole round that begins now, or began already, has come to its end, and all of it was told."""
        began = self.last_success(app)
        await until(lambda: self.last_success(app) > began, within=within, look_every=1.0)
        await until(lambda: at_rest(app), within=within)

    async def another_round(self, app: App) -> None:
        """Wait until a round that begins after now has come to its end, and all of it was told."""
        await self.read_whole(app)
        await self.read_whole(app)

    def last_success(self, app: App) -> float:
        """When a round last ended well; 0 when none did."""
        name = "npsbridge_poll_last_success_timestamp_seconds"
        labels = {"connection": self.account.platform}
        return app.metrics.registry.get_sample_value(name, labels) or 0.0

    async def passes(self, seconds: float) -> None:
        """Let so much time pass."""
        ends_at = self.time.now() + seconds
        await until(lambda: self.time.now() >= ends_at, within=seconds + HOUR, look_every=min(seconds, 60.0))


def somebodys(number: int, at: float) -> Answered:
    """An answer that differs from the others: all scores occur, and every second one has a comment."""
    comment = f"Because of {number} 🙂" if number % 2 else None
    return Answered(at=at, score=number % 11, email=f"p{number}@example.org", comment=comment)


def prefixed(section: str, settings: dict[str, str]) -> dict[str, str]:
    """Settings of a connection by their names without the program's own prefix."""
    return {f"{section.upper()}__{name}": value for name, value in settings.items()}


@asynccontextmanager
async def bench(
    folder: Path, kind: type[Account], *, may_repeat: bool = False, **settings: str
) -> AsyncIterator[Bench]:
    """An account of a kind, and Segment, in virtual time.

    Args:
        folder: where stores go.
        kind: the platform under test.
        may_repeat: whether calls may be said twice, because daemons are killed while they send.
        settings: of the account, by the last parts of their names, such as `BACKFILL="false"`.
    """
    with registered(kind):
        async with time_passing() as time, SegmentServer(now=time.now) as segment, opened(kind, time) as account:
            own = {**account.settings(), "RATE_LIMIT": "0", **settings}
            made = Bench(
                account=account,
                time=time,
                segment=segment,
                folder=folder,
                clock=time.clock,
                told=[],
                standing_still=time.standing_still,
                environment={**usual_line(segment, folder), **prefixed(kind.platform, own)},
            )
            with log_kept() as made.told:
                yield made
            made.check_calls()
            if not may_repeat:
                made.check_each_said_once()


@asynccontextmanager
async def opened(kind: type[Account], time: Passing) -> AsyncIterator[Account]:
    """An account whose server listens."""
    account = kind(time.now)
    async with account.server:
        yield account


@contextmanager
def registered(kind: type[Account]) -> Iterator[None]:
    """A platform from outside is found for a while, by an entry point like that of an installed package."""
    with pytest.MonkeyPatch.context() as patch:
        if kind.entry_point is not None:
            group = "npsbridge.platforms"
            entry = EntryPoint(name=kind.platform, value=kind.entry_point, group=group)
            patch.setattr("npsbridge.platforms.entry_points", lambda group: EntryPoints([entry]).select(group=group))
        yield

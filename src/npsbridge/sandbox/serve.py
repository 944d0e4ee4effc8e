"""Runs the sandbox: every look-alike on its port, with a history in it, for whoever builds against these APIs.

It prints nothing; whoever runs it shows what `Sandbox` says.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from npsbridge.sandbox.account_server import SurveyLookAlike
from npsbridge.sandbox.delighted import DelightedServer
from npsbridge.sandbox.heap import HeapServer
from npsbridge.sandbox.history import History, believable_history
from npsbridge.sandbox.promoter import PromoterServer
from npsbridge.sandbox.respondents import Respondents
from npsbridge.sandbox.retently import RetentlyServer
from npsbridge.sandbox.satismeter import SatisMeterServer
from npsbridge.sandbox.seeding import AnyAccount, seed
from npsbridge.sandbox.segment import SegmentServer
from npsbridge.sandbox.server import LookAlike, Now, Place, fixed_dice, system_time

PLATFORMS = ("delighted", "segment", "retently", "satismeter", "promoter", "heap")
"""In the order of their ports."""
FIRST_PORT = 9101


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """The look-alikes.

    Attributes:
        running: The names of those that listen; the others are there, empty and without a port.
        histories: What was put into each survey platform that listens, by its name.
        respondents: The people of all of them.
    """

    delighted: DelightedServer
    segment: SegmentServer
    retently: RetentlyServer
    satismeter: SatisMeterServer
    promoter: PromoterServer
    heap: HeapServer
    running: tuple[str, ...]
    respondents: Respondents
    histories: dict[str, History] = field(default_factory=dict)

    @property
    def accounts(self) -> list[AnyAccount]:
        """The survey platforms that listen."""
        return [server for server in self.servers if isinstance(server, SurveyLookAlike)]

    @property
    def servers(self) -> list[LookAlike]:
        """All that listen."""
        return [getattr(self, name) for name in self.running]

    @property
    def environment(self) -> dict[str, str]:
        """The settings that point a daemon here."""
        return {name: value for server in self.servers for name, value in server.environment().items()}

    @property
    def lines(self) -> list[str]:
        """The settings, ready for an env file."""
        return [f"{name}={value}" for name, value in self.environment.items()]

    def send_webhooks_to(self, listener: str) -> None:
        """Send the webhooks of all accounts to the public listener of a daemon, given as scheme, host and port."""
        for account in self.accounts:
            account.send_webhooks_to(listener)


@asynccontextmanager
async def open_sandbox(
    *,
    host: str = "127.0.0.1",
    first_port: int = FIRST_PORT,
    only: Collection[str] = PLATFORMS,
    people: int = 300,
    years: float = 2.0,
    dice: random.Random | None = None,
    now: Now = system_time,
) -> AsyncIterator[Sandbox]:
    """The look-alikes, started and seeded.

    Args:
        host: Address to listen on.
        first_port: Port of the first of `PLATFORMS`; each of the others has its own distance from it. 0: free ones.
        only: Names of those that are to listen.
        people: How many people the histories have, all together.
        years: How long the histories are.
        dice: Source of chance.
        now: Wall clock, seconds since 1970.

    Raises:
        OSError: A port is taken.
        ValueError: A name in `only` is none of `PLATFORMS`.
    """
    running, dice = _running(only), dice or fixed_dice()
    places = {name: _place(number, host, first_port, now, dice) for number, name in enumerate(PLATFORMS)}
    sandbox = _built(places, running, dice)
    _seed_all(sandbox, people, years, until=datetime.fromtimestamp(now(), UTC), dice=dice)
    async with AsyncExitStack() as stack:
        for server in sandbox.servers:
            await stack.enter_async_context(server)
        yield sandbox


def _running(only: Collection[str]) -> tuple[str, ...]:
    if unknown := set(only).difference(PLATFORMS):
        raise ValueError(f"unknown look-alikes: {', '.join(sorted(unknown))}; known are {', '.join(PLATFORMS)}")
    return tuple(name for name in PLATFORMS if name in only)


def _place(number: int, host: str, first_port: int, now: Now, dice: random.Random) -> Place:
    """Where a look-alike listens; its chance is its own, so that one more or less leaves the others as they were."""
    own = random.Random(dice.getrandbits(64))  # noqa: S311 - repeatable, not secret
    return Place(host=host, port=first_port + number if first_port else 0, now=now, dice=own)


def _built(places: Mapping[str, Place], running: tuple[str, ...], dice: random.Random) -> Sandbox:
    delighted = DelightedServer(**places["delighted"])
    retently = RetentlyServer(**places["retently"])
    satismeter = SatisMeterServer(**places["satismeter"])
    promoter = PromoterServer(**places["promoter"])
    accounts: list[AnyAccount] = [delighted, retently, satismeter, promoter]
    return Sandbox(
        delighted=delighted,
        segment=SegmentServer(**places["segment"]),
        retently=retently,
        satismeter=satismeter,
        promoter=promoter,
        heap=HeapServer(**places["heap"]),
        running=running,
        respondents=Respondents([account for account in accounts if account.kind in running], dice),
    )


def _seed_all(sandbox: Sandbox, people: int, years: float, *, until: datetime, dice: random.Random) -> None:
    """Nobody is known to two platforms."""
    accounts, number = sandbox.accounts, 1
    for place, account in enumerate(accounts):
        share = (people + place) // len(accounts)
        past = believable_history(dice, people=share, years=years, until=until, first_number=number)
        sandbox.histories[account.kind] = past
        seed(account, past)
        number += share


async def serve_sandbox(
    *,
    on_ready: Callable[[Sandbox], None],
    host: str = "127.0.0.1",
    first_port: int = FIRST_PORT,
    only: Collection[str] = PLATFORMS,
    people: int = 300,
    years: float = 2.0,
    answer_every: float | None = None,
    webhooks_to: str | None = None,
) -> None:
    """Serve until cancelled; what is not named here is as in `open_sandbox`.

    Args:
        on_ready: Called once everything listens.
        host: Address to listen on.
        first_port: Port of the first look-alike; 0: free ones.
        only: Names of the look-alikes that are wanted.
        people: How many people the histories have, all together.
        years: How long the histories are.
        answer_every: Seconds between two new answers or comments; None for quiet accounts.
        webhooks_to: Public listener of a daemon that takes the webhooks; None for no webhooks.

    Raises:
        OSError: A port is taken.
        ValueError: A name in `only` is unknown.
    """
    async with open_sandbox(host=host, first_port=first_port, only=only, people=people, years=years) as sandbox:
        if webhooks_to is not None:
            sandbox.send_webhooks_to(webhooks_to)
        on_ready(sandbox)
        if answer_every is not None and sandbox.respondents.are_there:
            await sandbox.respondents.keep_answering(answer_every)
        await asyncio.Event().wait()

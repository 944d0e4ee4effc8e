"""Runs the sandbox: every look-alike on its port, with a history in it, for whoever builds against these APIs.

It prints nothing; whoever runs it shows what `Sandbox` says.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from npsbridge.sandbox.delighted import DelightedServer, DelightedSwitches
from npsbridge.sandbox.history import History, believable_history, seed
from npsbridge.sandbox.respondents import Respondents
from npsbridge.sandbox.segment import SegmentServer
from npsbridge.sandbox.server import Now, fixed_dice, system_time

DELIGHTED_PORT = 9101
SEGMENT_PORT = 9102


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """The running look-alikes."""

    delighted: DelightedServer
    segment: SegmentServer
    history: History
    respondents: Respondents

    @property
    def environment(self) -> dict[str, str]:
        """The settings that point a daemon here."""
        return {
            "NPSBRIDGE_DELIGHTED__API_KEY": self.delighted.api_key,
            "NPSBRIDGE_DELIGHTED__BASE_URL": self.delighted.base_url,
            "NPSBRIDGE_SEGMENT__WRITE_KEY": self.segment.write_keys[0],
            "NPSBRIDGE_SEGMENT__BASE_URL": self.segment.base_url,
        }

    @property
    def lines(self) -> list[str]:
        """The same, ready for an env file."""
        return [f"{name}={value}" for name, value in self.environment.items()]


@asynccontextmanager
async def open_sandbox(
    *,
    host: str = "127.0.0.1",
    delighted_port: int = DELIGHTED_PORT,
    segment_port: int = SEGMENT_PORT,
    people: int = 300,
    years: float = 2.0,
    switches: DelightedSwitches = DelightedSwitches(),  # noqa: B008 - a frozen record
    dice: random.Random | None = None,
    now: Now = system_time,
) -> AsyncIterator[Sandbox]:
    """The look-alikes, started and seeded; port 0 takes a free one.

    Raises:
        OSError: A port is taken.
    """
    dice = dice or fixed_dice()
    delighted = DelightedServer(host=host, port=delighted_port, now=now, switches=switches, dice=dice)
    segment = SegmentServer(host=host, port=segment_port, now=now, dice=dice)
    history = believable_history(dice, people=people, years=years, until=datetime.fromtimestamp(now(), UTC))
    seed(delighted, history)
    async with delighted, segment:
        yield Sandbox(delighted=delighted, segment=segment, history=history, respondents=Respondents(delighted, dice))


async def serve_sandbox(
    *,
    on_ready: Callable[[Sandbox], None],
    host: str = "127.0.0.1",
    delighted_port: int = DELIGHTED_PORT,
    segment_port: int = SEGMENT_PORT,
    people: int = 300,
    years: float = 2.0,
    answer_every: float | None = None,
    webhook_url: str | None = None,
) -> None:
    """Serve until cancelled.

    Args:
        on_ready: Called once everything listens.
        host: Address to listen on.
        delighted_port: 0 takes a free one.
        segment_port: The same.
        people: How many people the history has.
        years: How long it is.
        answer_every: Seconds between two new answers or comments; None for a quiet account.
        webhook_url: Where Delighted's webhooks go.

    Raises:
        OSError: A port is taken.
    """
    async with open_sandbox(
        host=host, delighted_port=delighted_port, segment_port=segment_port, people=people, years=years
    ) as sandbox:
        sandbox.delighted.webhook_url = webhook_url
        on_ready(sandbox)
        if answer_every is not None and people > 0:
            await sandbox.respondents.keep_answering(answer_every)
        await asyncio.Event().wait()

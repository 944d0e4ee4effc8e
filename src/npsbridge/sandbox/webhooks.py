"""Outgoing webhooks of the look-alikes: doubled, late, lost, retried and out of order, as the switches say.

It knows how a webhook travels; what has happened, and how a vendor words and signs it, is told to it.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Annotated, Literal

import aiohttp
import orjson
from msgspec import Meta

from npsbridge.core.model import Record

Seconds = Annotated[float, Meta(ge=0)]

_ACCEPTED = range(200, 300)
_COLLECTING_SECONDS = 1.0
_MOST_ATTEMPTS_KEPT = 10_000


class WebhookSwitches(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How webhooks travel, and how unreliable they are."""

    attempts: Annotated[int, Meta(ge=1)] = 6
    """How often a request is tried until it is answered 2xx."""
    first_pause: Seconds = 1.0
    """Seconds before the second attempt; each further pause is twice as long."""
    longest_pause: Seconds = 3600.0
    timeout: Annotated[float, Meta(gt=0)] = 10.0
    """Seconds to wait for an answer."""
    delay: Seconds = 0.0
    """Seconds between the change and the first attempt."""
    copies: Annotated[int, Meta(ge=1)] = 1
    """How often each event is sent though it was accepted."""
    reorder: Annotated[int, Meta(ge=1)] = 1
    """Events are collected until there are this many (or none came for a second), then sent in another order."""
    order: Literal["shuffled", "reversed"] = "shuffled"
    """The order of those that were collected."""
    drop_every: Annotated[int, Meta(ge=1)] | None = None
    """Every so many-th event is never sent."""


class Webhook(Record, frozen=True, kw_only=True):
    """One event as it goes out; every attempt sends the same bytes."""

    event_type: str
    event_id: str
    headers: dict[str, str]
    body: bytes


def json_webhook(event_type: str, event_id: str, body: object, headers: Mapping[str, str] | None = None) -> Webhook:
    """An event whose body is JSON."""
    sent = {"Content-Type": "application/json", **(headers or {})}
    return Webhook(event_type=event_type, event_id=event_id, headers=sent, body=orjson.dumps(body))


class _Parcel(Record, frozen=True, kw_only=True):
    """A webhook on its way."""

    url: str
    webhook: Webhook
    leaves_at: float
    """On the event loop's clock."""


class Attempt(Record, frozen=True, kw_only=True):
    """What one attempt to send a webhook came to."""

    event_id: str
    event_type: str
    number: int
    """1, 2, …"""
    status: int | None
    """None where there was no answer."""


class WebhookSender:
    """Sends webhooks in the background; `run` it in a task of its own.

    First attempts go out one after the other, so their order is what the switches say; retries do not hold them up.

    Args:
        switches: Asked anew for every event.
        dice: Decides the order where it is shuffled.

    Attributes:
        attempts: The latest attempts, in order.
        events: How many there were, those that got lost included.
        waiting: Webhooks that are neither accepted nor given up.
    """

    def __init__(self, switches: Callable[[], WebhookSwitches], dice: random.Random) -> None:
        self._switches = switches
        self._dice = dice
        self._queue: asyncio.Queue[_Parcel] = asyncio.Queue()
        self.attempts: deque[Attempt] = deque(maxlen=_MOST_ATTEMPTS_KEPT)
        self.events = 0
        self.waiting = 0
        self._idle = asyncio.Event()

    def put(self, url: str, webhook: Webhook) -> None:
        """Send `webhook` to `url`, as often as the switches say, which may be never."""
        switches = self._switches()
        self.events += 1
        if switches.drop_every and self.events % switches.drop_every == 0:
            return
        leaves_at = asyncio.get_running_loop().time() + switches.delay
        for _ in range(switches.copies):
            self.waiting += 1
            self._queue.put_nowait(_Parcel(url=url, webhook=webhook, leaves_at=leaves_at))

    async def run(self) -> None:
        """Send what comes, until cancelled."""
        limit = aiohttp.ClientTimeout(total=None)  # each request has its own, see _post
        async with aiohttp.ClientSession(trust_env=False, timeout=limit) as session, asyncio.TaskGroup() as retries:
            while True:
                for parcel in await self._next_parcels():
                    if await self._attempt(session, parcel, number=1):
                        self._finish()
                    else:
                        retries.create_task(self._retry(session, parcel))

    @property
    def statuses(self) -> list[int | None]:
        """What the latest attempts were answered, in order; None where nobody answered."""
        return [attempt.status for attempt in self.attempts]

    async def until_idle(self, seconds: float = 10.0) -> None:
        """Wait until every webhook was accepted or given up.

        Raises:
            TimeoutError: Some are still on their way after `seconds`.
        """
        async with asyncio.timeout(seconds):
            while self.waiting:
                await self._idle.wait()

    def _finish(self) -> None:
        self.waiting -= 1
        if not self.waiting:
            self._idle.set()
            self._idle = asyncio.Event()

    async def _next_parcels(self) -> list[_Parcel]:
        """The next parcel, or as many as are to change places if they come within a second."""
        parcels = [await self._queue.get()]
        wanted, order = self._switches().reorder, self._switches().order
        with suppress(TimeoutError):
            async with asyncio.timeout(_COLLECTING_SECONDS):
                while len(parcels) < wanted:
                    parcels.append(await self._queue.get())
        if order == "reversed":
            return parcels[::-1]
        if wanted > 1:
            self._dice.shuffle(parcels)
        return parcels

    async def _retry(self, session: aiohttp.ClientSession, parcel: _Parcel) -> None:
        switches = self._switches()
        pause = switches.first_pause
        for number in range(2, switches.attempts + 1):
            await asyncio.sleep(min(pause, switches.longest_pause))
            if await self._attempt(session, parcel, number):
                break
            pause *= 2
        self._finish()

    async def _attempt(self, session: aiohttp.ClientSession, parcel: _Parcel, number: int) -> bool:
        await asyncio.sleep(parcel.leaves_at - asyncio.get_running_loop().time())
        status = await _post(session, parcel, self._switches().timeout)
        event = parcel.webhook
        self.attempts.append(
            Attempt(event_id=event.event_id, event_type=event.event_type, number=number, status=status)
        )
        return status in _ACCEPTED


async def _post(session: aiohttp.ClientSession, parcel: _Parcel, seconds: float) -> int | None:
    """The status of the answer, or None if there was none in time."""
    webhook = parcel.webhook
    try:
        async with (
            asyncio.timeout(seconds),
            session.post(parcel.url, data=webhook.body, headers=webhook.headers, allow_redirects=False) as answer,
        ):
            return answer.status
    except (aiohttp.ClientError, TimeoutError, OSError):
        return None

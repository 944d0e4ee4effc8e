"""The whole line for end-to-end tests: look-alikes at both ends, the daemon between them, and what must always hold.

Whatever a test is about, at its end the ledger balances and every call that was sent is valid by the schema that ships.
"""

import asyncio
import inspect
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import aiohttp
import jsonschema
from loguru import logger

from end_to_end.virtual_time import VirtualTime
from npsbridge.app import App, running
from npsbridge.clock import Clock
from npsbridge.core.model import Delivery, State
from npsbridge.core.records import Ledger
from npsbridge.core.schema import schema
from npsbridge.platforms import settings_classes
from npsbridge.sandbox import DelightedServer, SegmentServer
from npsbridge.settings import Settings, load
from npsbridge.store import open_store
from stores import store_url

Call = dict[str, Any]

TWO_ROUNDS = 130.0
"""Seconds; longer than two polls take."""


async def until(
    condition: Callable[[], bool | Awaitable[bool]], *, within: float = 30.0, look_every: float | None = None
) -> None:
    """Wait until a condition holds; unless told otherwise it is looked at often, and less so in virtual time.

    Raises:
        TimeoutError: it does not after `within` seconds; says what was waited for.
    """
    try:
        async with asyncio.timeout(within):
            while True:
                if await _holds(condition):
                    return
                await asyncio.sleep(look_every or (0.25 if is_virtual() else 0.01))
    except TimeoutError as error:
        raise TimeoutError(f"after {within} s still not: {_spelled(condition)}") from error


def _spelled(condition: Callable[[], bool | Awaitable[bool]]) -> str:
    return inspect.getsource(condition.func if isinstance(condition, partial) else condition).strip()


def is_virtual() -> bool:
    """Whether the test runs in virtual time: it is marked with `looptime`."""
    return bool(getattr(asyncio.get_running_loop(), "looptime_on", False))


async def _holds(condition: Callable[[], bool | Awaitable[bool]]) -> bool:
    answer = condition()
    return answer if isinstance(answer, bool) else await answer


@dataclass(frozen=True, kw_only=True)
class Told:
    """One line of the log."""

    level: str
    message: str
    extra: Mapping[str, Any]


@contextmanager
def log_kept(level: str = "INFO") -> Iterator[list[Told]]:
    """What is logged during a block, from a level upwards."""
    told: list[Told] = []

    def keep(message: Any) -> None:
        record = message.record
        told.append(Told(level=record["level"].name, message=record["message"], extra=record["extra"]))

    handler = logger.add(keep, level=level)
    try:
        yield told
    finally:
        logger.remove(handler)


@dataclass(kw_only=True)
class Line:
    """The end where answers are told, and the means to run daemons in front of it; where they come from is added."""

    segment: SegmentServer
    folder: Path
    clock: Clock
    told: list[Told]
    standing_still: Callable[[], AbstractContextManager[None]] = nullcontext
    """Within this, virtual time waits for threads."""
    environment: dict[str, str] = field(default_factory=dict)

    def settings(self, **changes: str | None) -> Settings:
        """The usual settings with changes, by names such as `DELIGHTED__BACKFILL`; None takes one away."""
        wanted: dict[str, str | None] = {**self.environment, **changes}
        environ = {f"NPSBRIDGE_{name}": value for name, value in wanted.items() if value is not None}
        return load(settings_classes(), environ=environ)

    @asynccontextmanager
    async def daemon(self, **changes: str | None) -> AsyncIterator[App]:
        """A running daemon; when it has ended in peace, its ledger must balance."""
        settings = self.settings(**changes)
        async with running(settings, clock=self.clock, jitter=lambda: 0.5) as app:
            yield app
        ledger = await self.ledger(settings)
        assert ledger.imbalance == 0, f"the ledger does not balance: {ledger}"

    async def ledger(self, settings: Settings) -> Ledger:
        """The ledger of a store whose daemon has ended."""
        with self.standing_still():
            async with open_store(settings.store_url, clock=self.clock, exclusive=False) as store:
                return await store.ledger()

    # --- what Segment was told ------------------------------------------------------------------------------------

    def said(self) -> list[Call]:
        """Every call that Segment accepted, as it was sent, in order, duplicates included."""
        accepted = [request for request in self.segment.requests if request.path == "/v1/batch"]
        return [call for request in accepted if request.status == 200 for call in request.body["batch"]]

    def said_of(self, response_id: str) -> list[Call]:
        """The tracks about one response, in order."""
        return [call for call in self.said() if call.get("properties", {}).get("response_id") == response_id]

    def names(self) -> Counter[str]:
        """How often each call was said: tracks by event, others by type."""
        return Counter(name_of(call) for call in self.said())

    def revisions(self, response_id: str) -> list[int]:
        """The revisions of one response that were submitted, in order."""
        tracks = [call for call in self.said_of(response_id) if call["event"] == "Submit Survey"]
        return [call["properties"]["revision"] for call in tracks]

    def check_calls(self) -> None:
        """Every call that was sent, accepted or not, is valid by the schema in the package."""
        for request in self.segment.requests:
            if isinstance(request.body, dict):
                for call in request.body["batch"]:
                    _validator(_definition_of(call)).validate(call)

    def check_each_said_once(self) -> None:
        """No call went out twice, not even under the deduplication of Segment."""
        repeated = {
            key: count for key, count in Counter(call["messageId"] for call in self.said()).items() if count > 1
        }
        assert not repeated, f"said more than once: {repeated}"

    # --- what the daemon shows ------------------------------------------------------------------------------------

    async def look(self, app: App, path: str) -> tuple[int, Any]:
        """Status and JSON of a path of the admin listener."""
        async with aiohttp.ClientSession() as session, session.get(f"http://{app.admin}{path}") as answer:
            return answer.status, await answer.json()

    async def state(self, app: App, check: str) -> str:
        """The state word of a check of /healthz, such as `delighted:pull`."""
        _, health = await self.look(app, "/healthz")
        return str(health["checks"].get(check, {}).get("state"))

    async def hook(self, app: App, headers: Mapping[str, str], body: bytes, path: str = "/hooks/delighted") -> int:
        """The status of a webhook posted by hand."""
        url = f"http://{app.public}{path}"
        async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=headers) as answer:
            return answer.status

    def lines(self, check: str) -> list[str]:
        """The states that were told of one connection and direction, in order."""
        connection, _, direction = check.partition(":")
        mine = {"connection": connection, "direction": direction}
        return [line.extra["state"] for line in self.told if mine.items() <= line.extra.items()]

    def last_line(self, check: str) -> str:
        """The state that was told last; empty when none was."""
        return next(reversed(self.lines(check)), "")

    def second(self) -> int:
        """Now, in whole seconds since 1970."""
        return int(self.clock.now().timestamp())


@dataclass(kw_only=True)
class World(Line):
    """Delighted at the one end and Segment at the other. Made by `world`."""

    delighted: DelightedServer

    async def history_read(self) -> None:
        """Wait until the history, empty or not, has been read."""
        await until(lambda: self.last_line("delighted:pull") in {"connected", "waiting_for_data"})
        await until(lambda: len(self.delighted.requests) >= 3)

    async def another_round(self, app: App) -> None:
        """Wait until whatever a poll can see has been seen, and all that follows from it is done."""
        seen = len(self.delighted.requests)
        await until(lambda: len(self.delighted.requests) >= seen + 4, within=TWO_ROUNDS)
        await until(lambda: at_rest(app))


async def at_rest(app: App) -> bool:
    """Whether nothing waits to be routed or delivered."""
    return (await app.store.ledger()).waiting == 0


def name_of(call: Call) -> str:
    """The event of a track, the type of any other call."""
    return str(call["event"] if call["type"] == "track" else call["type"])


async def dead(app: App) -> list[Delivery]:
    """The shelf of the dead, newest first."""
    return await app.store.deliveries(state=State.DEAD)


@asynccontextmanager
async def world(folder: Path, **environment: str) -> AsyncIterator[World]:
    """Look-alikes at both ends; in a test marked with `looptime`, all in virtual time.

    Args:
        folder: where stores go.
        environment: settings for every daemon of this world, such as `EVENTS__SETTLE="60"`.
    """
    async with (
        time_passing() as time,
        DelightedServer(now=time.now) as delighted,
        SegmentServer(now=time.now) as segment,
    ):
        made = World(
            delighted=delighted,
            segment=segment,
            folder=folder,
            clock=time.clock,
            told=[],
            standing_still=time.standing_still,
            environment={**usual(delighted, segment, folder), **environment},
        )
        with log_kept() as made.told:
            yield made
        made.check_calls()


@dataclass(frozen=True, kw_only=True)
class Passing:
    """The time of a test: real, or virtual."""

    clock: Clock
    standing_still: Callable[[], AbstractContextManager[None]] = nullcontext

    def now(self) -> float:
        """Seconds since 1970."""
        return self.clock.now().timestamp()


@asynccontextmanager
async def time_passing() -> AsyncIterator[Passing]:
    """Virtual time in a test that is marked with `looptime`, real time in any other."""
    if is_virtual():
        with VirtualTime.installed() as time:
            yield Passing(clock=time.clock(), standing_still=time.standing_still)
    else:
        yield Passing(clock=Clock())


def usual(delighted: DelightedServer, segment: SegmentServer, folder: Path) -> dict[str, str]:
    """Settings that join both ends, without limits of rate."""
    return {
        **usual_line(segment, folder),
        "DELIGHTED__API_KEY": delighted.api_key,
        "DELIGHTED__BASE_URL": delighted.base_url,
        "DELIGHTED__RATE_LIMIT": "0",
    }


def usual_line(segment: SegmentServer, folder: Path) -> dict[str, str]:
    """Settings of a daemon that tells Segment, whoever it hears from."""
    return {
        "STORE_URL": store_url(folder),
        "LISTEN": "127.0.0.1:0",
        "ADMIN_LISTEN": "127.0.0.1:0",
        "SEGMENT__WRITE_KEY": segment.write_keys[0],
        "SEGMENT__BASE_URL": segment.base_url,
        "SEGMENT__RATE_LIMIT": "0",
    }


def _definition_of(call: Call) -> str:
    return "identify" if call["type"] == "identify" else str(call["event"]).lower().replace(" ", "_")


@cache
def _validator(definition: str) -> jsonschema.Draft202012Validator:
    """For one kind of call; to look for the one kind that fits would take ten times as long."""
    return jsonschema.Draft202012Validator({**schema(), "oneOf": [{"$ref": f"#/$defs/{definition}"}]})

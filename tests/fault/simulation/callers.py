"""Who sends calls to the daemon, in which order, and what they were told."""

import asyncio
import itertools
import json
import random
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp

from end_to_end.outbound import WRITE_KEY
from fault.simulation.places import DAY, DOOR, Nature, WallClock, trigger

CUSTOMERS: Final = [f"u{number}" for number in range(5)]
"""Known by their userIds from the beginning."""
VISITORS: Final = [f"a{number}" for number in range(3)]
"""Known by anonymousIds, emails and aliases, in any order."""
PATIENCE: Final = 30.0
"""Seconds that an SDK waits for an answer."""
JUNK: Final[list[dict[str, Any]]] = [
    {"type": "track"},
    {"type": "nonsense", "userId": "u1"},
    {"type": "track", "event": "x", "userId": None},
]


@dataclass(kw_only=True)
class Sent:
    """One call, and what its sender knows of it."""

    step: int
    person: str
    vendor: str | None
    """Whose survey it asks for; None when it describes somebody."""
    call: dict[str, Any]
    is_old: bool = False
    """It happened too long ago to survey anybody."""
    is_vague: bool = False
    """Who it is about may not be known; nothing but the general promises hold of it."""
    made_at: float = 0.0
    taken_at: float | None = None
    """When it was answered 200 first."""


@dataclass
class Callers:
    """SDKs that send one batch after the other, each until it is taken."""

    kind: Nature
    clock: WallClock
    sent: dict[int, Sent] = field(default_factory=dict)
    """By step."""
    _waiting: deque[list[dict[str, Any]]] = field(default_factory=deque)
    _taken: list[list[dict[str, Any]]] = field(default_factory=list)
    _steps: Any = field(default_factory=lambda: itertools.count(1))

    # --- what is said ---------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Every customer is described first."""
        self._waiting.append([self._described(person) for person in CUSTOMERS])

    def say(self, chance: random.Random) -> None:
        """A batch of whatever shops say."""
        self._waiting.append([self._anything(chance) for _ in range(chance.randint(1, 4))])

    def repeat(self, chance: random.Random) -> None:
        """A batch that was taken comes once more."""
        if self._taken:
            self._waiting.append(chance.choice(self._taken))

    def replay(self, chance: random.Random) -> None:
        """What happened long ago comes now, as when Segment replays a year."""
        ago = chance.choice((1.5, 30.0, 400.0)) * DAY
        self._waiting.append([self._asked(chance, chance.choice(CUSTOMERS), ago=ago) for _ in range(2)])

    def stumble(self, chance: random.Random) -> None:
        """Calls that are none, between good ones."""
        self._waiting.append([*chance.sample(JUNK, 2), self._anything(chance)])

    def wander(self, chance: random.Random) -> None:
        """A visitor does things, and turns out to be somebody."""
        who, step = chance.choice(VISITORS), next(self._steps)
        user = {"userId": f"user-{who}"}
        anonymous = {"anonymousId": f"device-{who}-{chance.randint(0, 1)}"}
        traits = {"email": f"{who}@example.org", "step": step}
        vendor = chance.choice(self.kind.vendors)
        calls = (
            {"type": "identify", **chance.choice((user, anonymous, {**user, **anonymous})), "traits": traits},
            {"type": "alias", **user, "previousId": anonymous["anonymousId"]},
            {"type": "track", **chance.choice((user, anonymous)), "event": trigger(vendor, step), "properties": traits},
        )
        call = chance.choice(calls)
        asks = vendor if call["type"] == "track" else None
        self._waiting.append([self._noted(step, who, asks, call, is_vague=True)])

    def _anything(self, chance: random.Random) -> dict[str, Any]:
        person = chance.choice(CUSTOMERS)
        return self._described(person) if chance.random() < 0.4 else self._asked(chance, person)

    def _described(self, person: str) -> dict[str, Any]:
        step = next(self._steps)
        traits = {"email": f"{person}@example.org", "step": step}
        return self._noted(step, person, None, {"type": "identify", "userId": person, "traits": traits})

    def _asked(self, chance: random.Random, person: str, *, ago: float = 0.0) -> dict[str, Any]:
        step, vendor = next(self._steps), chance.choice(self.kind.vendors)
        properties = {"email": f"{person}@example.org", "step": step}
        call = {"type": "track", "userId": person, "event": trigger(vendor, step), "properties": properties}
        return self._noted(step, person, vendor, call, ago=ago)

    def _noted(
        self, step: int, person: str, vendor: str | None, call: dict[str, Any], *, ago: float = 0.0, **more: bool
    ) -> dict[str, Any]:
        at = self.clock.true()
        whole = {**call, "messageId": f"step-{step}", "timestamp": _iso(at - ago)}
        self.sent[step] = Sent(step=step, person=person, vendor=vendor, call=whole, is_old=ago > 0, made_at=at, **more)
        return whole

    # --- sending --------------------------------------------------------------------------------------------------

    async def flush(self) -> bool:
        """Send what waits, in order, up to the first batch that is not taken; whether all of it was."""
        while self._waiting:
            if not await self._post(self._waiting[0]):
                return False
            batch = self._waiting.popleft()
            self._taken.append(batch)
            for call in batch:
                self._note_taken(call)
        return True

    def _note_taken(self, call: dict[str, Any]) -> None:
        if "messageId" in call:
            sent = self.sent[int(call["messageId"].removeprefix("step-"))]
            sent.taken_at = self.clock.true() if sent.taken_at is None else sent.taken_at

    async def _post(self, batch: list[dict[str, Any]]) -> bool:
        body = {"writeKey": WRITE_KEY, "sentAt": _iso(self.clock.true()), "batch": batch}
        headers = {"Content-Type": "application/json"}
        url = f"http://127.0.0.1:{DOOR}/v1/batch"
        try:
            async with (
                asyncio.timeout(PATIENCE),
                aiohttp.ClientSession() as session,
                session.post(url, data=json.dumps(body).encode(), headers=headers) as answer,
            ):
                return answer.status == 200 and await answer.json() == {"success": True}
        except (aiohttp.ClientError, OSError):
            return False


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")

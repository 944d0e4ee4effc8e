"""A crowd of callers who say nothing, or a byte now and then, costs good callers nothing.

In virtual time a good request that waits for nobody takes none at all: what is asserted is that no answer ever waited
for any of the listener's time limits, however busy the machine is.
"""

import asyncio
import resource
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count

import aiohttp
import pytest

from npsbridge.web.connections import HEAD_SECONDS
from npsbridge.web.listener import Listener, bind, serving
from unit.web.calling import KEY, Doors, basic
from unit.web.serving import ANYWHERE, spoken

CROWD, TURNS = 2000, 16
"""Callers, and in how many parts they take their turns."""
GOOD = 200
PAUSE = 0.25
"""Seconds between two turns."""
GOOD_PAUSE = 0.15
"""Seconds between two good requests; all together last longer than the limits for a head and for a body."""

BODY = b'{"userId":"u1","traits":{"email":"ann@example.org"}}'
POST = f"POST /v1/identify HTTP/1.1\r\nHost: x\r\nX-Write-Key: {KEY}\r\nConnection: close\r\n".encode()

SILENT = b""
HEADS = b"POST /v1/identify HTTP/1.1\r\nX-Slow: "
BODIES = POST + b"Content-Length: 9999\r\n\r\n"

FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[1]

pytestmark = pytest.mark.skipif(
    FILES != resource.RLIM_INFINITY and FILES < 2 * CROWD + 500,
    reason="the crowd and the listener need two files for each caller",
)


class SlowCaller:
    """Comes again whenever it has been sent away."""

    def __init__(self, listener: Listener, words: bytes) -> None:
        self._place = (listener.host, listener.port)
        self._words = words
        self.times_sent_away = -1
        self._come()

    def take_turn(self) -> None:
        """Say one byte more, or come again."""
        try:
            self._drip()
        except ConnectionError:
            self.leave()
            self._come()

    def leave(self) -> None:
        self._socket.close()

    def _come(self) -> None:
        self.times_sent_away += 1
        self._socket = socket.create_connection(self._place, timeout=10)
        self._socket.setblocking(False)
        self._socket.send(self._words)

    def _drip(self) -> None:
        try:
            self._socket.recv(1000)
        except BlockingIOError:  # nothing has been said, so it is still welcome
            self._socket.send(self._words[:1])
        else:
            raise ConnectionError("was answered, or sent away")


class Crowd:
    """Slow callers of several kinds, all of them always there."""

    def __init__(self, listener: Listener, kinds: tuple[bytes, ...]) -> None:
        self._listener, self._kinds = listener, kinds
        self._callers: list[SlowCaller] = []

    @property
    def least_sent_away(self) -> int:
        return min(caller.times_sent_away for caller in self._callers)

    @asynccontextmanager
    async def around(self) -> AsyncIterator[None]:
        for number in range(CROWD):
            self._callers.append(SlowCaller(self._listener, self._kinds[number % len(self._kinds)]))
            if number % (CROWD // TURNS) == 0:
                await asyncio.sleep(PAUSE)
        async with asyncio.TaskGroup() as group:
            turns = group.create_task(self._take_turns())
            yield
            turns.cancel()
        for caller in self._callers:
            caller.leave()

    async def _take_turns(self) -> None:
        for turn in count():
            for caller in self._callers[turn % TURNS :: TURNS]:
                caller.take_turn()
            await asyncio.sleep(PAUSE)


class Good:
    """What good callers were told, and the longest that any of them waited, in seconds."""

    def __init__(self) -> None:
        self.told: Counter[int] = Counter()
        self.waited = 0.0

    async def call(self, ask: Callable[[], Awaitable[int]]) -> None:
        for _ in range(GOOD):
            began = asyncio.get_running_loop().time()
            self.told[await ask()] += 1
            self.waited = max(self.waited, asyncio.get_running_loop().time() - began)
            await asyncio.sleep(GOOD_PAUSE)


async def posted_once(listener: Listener) -> int:
    """The status of a good request over a connection of its own."""
    head = POST + b"Content-Length: %d\r\n\r\n" % len(BODY)
    return int((await spoken(listener, head, BODY)).split()[1])


async def posted_again(session: aiohttp.ClientSession) -> int:
    """The status of a good request over a connection that is kept."""
    async with session.post("/v1/identify", data=BODY, headers={"Authorization": basic()}) as answer:
        return answer.status


def nobody_waited(good: Good, doors: Doors) -> bool:
    assert good.told == {200: GOOD}
    assert len(doors.kept) == GOOD
    return good.waited < HEAD_SECONDS / 10


KINDS = {"silent": (SILENT,), "heads": (HEADS,), "bodies": (BODIES,), "all": (SILENT, HEADS, BODIES)}


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("kind", "most"),
    [*((kind, CROWD + 100) for kind in KINDS), ("bodies", 300), ("all", 300)],
)
async def test_f36_two_thousand_slow_callers_hold_no_newcomer_up(kind: str, most: int) -> None:
    doors, good = Doors(), Good()
    with bind(ANYWHERE, "NPSBRIDGE_LISTEN") as opened:
        async with serving(doors.app, opened, grace=1, most=most) as listener:
            crowd = Crowd(listener, KINDS[kind])
            async with crowd.around():
                await good.call(lambda: posted_once(listener))
    assert nobody_waited(good, doors)
    assert crowd.least_sent_away >= 1


@pytest.mark.looptime
async def test_f36_two_thousand_slow_callers_leave_a_connection_that_is_in_use_alone() -> None:
    doors, good = Doors(), Good()
    with bind(ANYWHERE, "NPSBRIDGE_LISTEN") as opened:
        async with (
            serving(doors.app, opened, grace=1, most=CROWD + 100) as listener,
            Crowd(listener, KINDS["all"]).around(),
            aiohttp.ClientSession(f"http://{listener}") as session,
        ):
            await good.call(lambda: posted_again(session))
    assert nobody_waited(good, doors)

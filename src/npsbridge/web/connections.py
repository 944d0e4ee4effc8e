"""Callers' connections: how long each may keep us waiting, and who goes when there is no room for another.

Whoever keeps us waiting can be sent away, the longest first: between requests, before the end of the headers, before
the end of a body. All of them stand in one line: if idle ones went before bodies, those who drip bodies would push out
every newcomer, who is idle for a moment. Whoever waits for us stays. There is no share per peer: behind a reverse proxy
all callers have the same address. Knows nothing of what a request is about.
"""

import asyncio
import logging
from collections import OrderedDict
from enum import Enum
from typing import Any, Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from npsbridge.web.refusals import RETRY_AFTER, refusal

HEAD_SECONDS: Final = 10.0
"""For the first byte of a new connection, and from the first byte of a request to the end of its headers."""
KEEPALIVE: Final = 75.0
"""Seconds between two requests of a connection; longer than proxies keep theirs (nginx: 60)."""
REQUEST_SECONDS: Final = 60.0
"""From the end of the headers to an answer; more than what the handlers allow bodies and the store together."""

_FULL: Final = (
    b'{"success":false,"code":"too_many_connections","message":"too many connections; try again",'
    b'"error":"too many connections; try again"}'
)
_FULL_ANSWER: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: %b\r\nConnection: close\r\n"
    b"Content-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n%b"
    % (RETRY_AFTER.encode(), len(_FULL), _FULL)
)


class Stage(Enum):
    """Who waits for whom."""

    IDLE = "idle"
    """We wait for the next request, or for the end of its headers."""
    ARRIVING = "arriving"
    """We wait for the rest of a body."""
    SERVED = "served"
    """The caller waits for us."""


class Room:
    """The connections of one listener."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._keep_us_waiting: OrderedDict[Connection, None] = OrderedDict()
        """The one that does so longest comes first."""
        self._served: set[Connection] = set()

    def __len__(self) -> int:
        return len(self._keep_us_waiting) + len(self._served)

    def admit(self, newcomer: "Connection") -> bool:
        """Take one more in, if need be at the cost of another; False when all of them wait for us."""
        if len(self) >= self._most:
            if not self._keep_us_waiting:
                return False
            longest, _ = self._keep_us_waiting.popitem(last=False)
            longest.cut()
        self._keep_us_waiting[newcomer] = None
        return True

    def move(self, connection: "Connection", stage: Stage) -> None:
        """Begin a stage, or the same one anew; nothing happens when the connection is no longer here."""
        served, waiting = self._served, self._keep_us_waiting
        if connection in served:
            served.remove(connection)
        elif connection in waiting:
            del waiting[connection]
        else:
            return
        if stage is Stage.SERVED:
            served.add(connection)
        else:
            waiting[connection] = None

    def leave(self, connection: "Connection") -> None:
        """Free the place of a connection, if it has one."""
        self._served.discard(connection)
        self._keep_us_waiting.pop(connection, None)


class Connection(web.RequestHandler):
    """One caller's connection, which is cut when it keeps us waiting too long."""

    __slots__ = ("_body", "_ends_at", "_head_has_begun", "_room", "_stage", "_time", "_timer", "_wire")

    def __init__(self, room: Room, server: web.Server, logger: logging.Logger) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            logger=logger,
            access_log=None,  # type: ignore[arg-type]  # aiohttp's own way to switch it off
            auto_decompress=False,
            keepalive_timeout=2 * KEEPALIVE,  # our limits come first
        )
        self._room = room
        self._stage = Stage.IDLE
        self._head_has_begun = False
        self._body: StreamReader = EMPTY_PAYLOAD
        self._time = asyncio.get_running_loop().time
        self._ends_at = 0.0
        """When the stage has lasted too long, by the clock of the event loop."""
        self._timer: asyncio.TimerHandle | None = None
        self._wire: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Come in, or be told that there is no room."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a connection reads and writes")
        self._wire = transport
        if self._room.admit(self):
            self._begin(Stage.IDLE, HEAD_SECONDS)
            self._look_again(HEAD_SECONDS)
            super().connection_made(transport)
        else:
            transport.write(_FULL_ANSWER)
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Take what has come; the first byte of a request sets its headers a limit."""
        # What is left of a body after its answer is not the next request.
        if data and self._stage is Stage.IDLE and not self._head_has_begun and self._body.is_eof():
            self._head_has_begun = True
            self._begin(Stage.IDLE, HEAD_SECONDS)
        super().data_received(data)
        if self._stage is Stage.ARRIVING and self._body.is_eof():
            self._stage = Stage.SERVED
            self._room.move(self, Stage.SERVED)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Free the place."""
        self._room.leave(self)
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def asked(self, body: StreamReader) -> None:
        """The headers of a request have arrived."""
        self._body, self._head_has_begun = body, False
        self._begin(Stage.SERVED if body.is_eof() else Stage.ARRIVING, REQUEST_SECONDS)

    def answered(self) -> None:
        """The request has its answer, or never will have one."""
        self._begin(Stage.IDLE, KEEPALIVE)

    def cut(self) -> None:
        """End it at once, whatever is still to be written: who does not read would hold it for ever."""
        if self._wire is not None:
            self._wire.abort()

    def _begin(self, stage: Stage, seconds: float) -> None:
        self._stage = stage
        self._ends_at = self._time() + seconds
        self._room.move(self, stage)

    def _look_again(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        """Cut what has lasted too long: one timer for all stages, as none is shorter than the time between looks."""
        left = self._ends_at - self._time()
        if left > 0:
            self._look_again(min(left, HEAD_SECONDS))
        else:
            self.cut()

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Log what goes wrong below the applications, but not what callers do wrong.

        Anybody could write to the log without end, and what is quoted of a request may be personal.
        """
        if not isinstance(kw.get("exc_info"), (HttpProcessingError, web.RequestPayloadError)):
            super().log_exception(*args, **kw)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Say in JSON what is no HTTP; the words quote nothing of it."""
        if isinstance(exc, ConnectionError) and not self.connected:
            raise exc  # the caller has gone: there is nobody to tell
        if not isinstance(exc, HttpProcessingError):
            return super().handle_error(request, status, exc, message)
        answer = refusal(400, "invalid_request", "this is no HTTP/1.1, or its headers are too long or too many")
        answer.force_close()
        return answer

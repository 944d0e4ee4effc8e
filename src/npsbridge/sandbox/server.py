"""What every look-alike is made of: a server on loopback that notes requests, plays faults and can be looked into.

It knows no vendor: a look-alike adds its routes, its way to `serve` a request, and its state.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from email.utils import formatdate
from types import TracebackType
from typing import Any, ClassVar, Self, TypedDict

import orjson
from aiohttp import web

from npsbridge.clock import Clock
from npsbridge.sandbox.faults import Fault, FaultScript, ResetBeforeReading
from npsbridge.sandbox.inspection import INSPECTION, inspection_routes
from npsbridge.sandbox.misbehaviour import NoAnswer, play
from npsbridge.sandbox.request_log import RecordedRequest, RequestLog

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Now = Callable[[], float]

LARGEST_BODY = 16 * 2**20
READ_SECONDS = 30.0
LONGEST_LINE = 64 * 1024


def system_time() -> float:
    """Seconds since 1970 by the system's clock."""
    return Clock().now_ms() / 1000


def fixed_dice() -> random.Random:
    """Chance that is the same in every run."""
    return random.Random(20260630)  # noqa: S311 - a look-alike's whims need no secrecy, they need to be repeatable


def json_answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer."""
    return web.Response(
        body=orjson.dumps(value), status=status, headers=headers, content_type="application/json", charset="utf-8"
    )


class Place(TypedDict, total=False):
    """Where and when a look-alike is, and what chance it is given; see `LookAlike`."""

    host: str
    port: int
    now: Now
    dice: random.Random | None


class LookAlike:
    """A stateful server on loopback; `async with` it, or `start` and `stop` it to play an outage (state stays).

    Args:
        host: Address to listen on.
        port: 0 takes a free one, and keeps it over later starts.
        now: Wall clock, seconds since 1970; every time in an answer, the `Date` header too, comes from here.
        dice: Source of chance.
    """

    kind: ClassVar[str]
    """The name of what it looks like."""

    def __init__(
        self, *, host: str = "127.0.0.1", port: int = 0, now: Now = system_time, dice: random.Random | None = None
    ) -> None:
        self.host = host
        self.now = now
        self.dice = dice or fixed_dice()
        self.faults = FaultScript()
        self.requests = RequestLog()
        self._port = port
        self._runner: web.AppRunner | None = None
        self._news = asyncio.Event()

    # --- what a look-alike adds -----------------------------------------------------------------------------------

    def routes(self) -> Iterable[web.RouteDef]:
        """The vendor's routes, and further ones under `/__sim/`."""
        raise NotImplementedError

    async def serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request of the vendor's API; the place for authentication and for the vendor's error bodies."""
        return await handler(request)

    def state(self) -> dict[str, Any]:
        """What `/__sim/state` shows, as JSON values."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """The settings that point a daemon of npsbridge here."""
        return {}

    def change_switches(self, changes: Mapping[str, Any]) -> None:
        """Change switches by name.

        Raises:
            ValueError: A switch does not exist or cannot have that value; the text names it.
        """
        raise NotImplementedError

    # --- life -----------------------------------------------------------------------------------------------------

    @property
    def port(self) -> int:
        """The port in use."""
        if self._port == 0:
            raise RuntimeError("the server has no port yet: enter it with `async with` first")
        return self._port

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://{self.host}:{self.port}"

    async def start(self) -> None:
        """Listen; raises OSError if the port is taken."""
        runner = web.AppRunner(
            self._application(),
            handle_signals=False,
            access_log=None,
            auto_decompress=False,
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
            shutdown_timeout=1.0,
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, self.host, self._port).start()
        except BaseException:
            await runner.cleanup()
            raise
        self._port = int(runner.addresses[0][1])
        self._runner = runner

    async def stop(self) -> None:
        """End every wait and close every connection; what was stored stays."""
        self.faults.release()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def until(self, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        """Wait until `condition` holds; it is looked at whenever a request was read, and when it was answered.

        Raises:
            TimeoutError: It does not hold after `seconds`.
        """
        async with asyncio.timeout(seconds):
            while not condition():
                await self._news.wait()

    # --- requests -------------------------------------------------------------------------------------------------

    def _application(self) -> web.Application:
        app = web.Application(middlewares=[self._attend], client_max_size=LARGEST_BODY)
        app.add_routes(inspection_routes(self))
        app.add_routes(self.routes())
        return app

    @web.middleware
    async def _attend(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(INSPECTION):
            return await handler(request)
        record = RecordedRequest(method=request.method, target=request.raw_path, headers=request.headers, at=self.now())
        fault = self.faults.take(record.method, record.target)
        record.fault = None if fault is None else str(fault.__struct_config__.tag)
        try:
            if not isinstance(fault, ResetBeforeReading):
                async with asyncio.timeout(READ_SECONDS):
                    record.raw = await request.read()
        finally:
            self.requests.add(record)
            self._tell()
        try:
            return self._stamped(record, await self._answer(record, fault, request, handler))
        finally:
            self._tell()

    async def _answer(
        self, record: RecordedRequest, fault: Fault | None, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        async def true_answer() -> web.Response:
            answer = await self.serve(request, handler)
            if not isinstance(answer, web.Response):
                raise TypeError(f"{request.path} does not answer in one piece")
            record.true_status = answer.status
            return answer

        return await (true_answer() if fault is None else play(fault, request, true_answer, self.faults))

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _stamped(self, record: RecordedRequest, answer: web.StreamResponse) -> web.StreamResponse:
        if not answer.prepared:
            answer.headers["Date"] = formatdate(self.now(), usegmt=True)
        record.status = None if isinstance(answer, NoAnswer) else answer.status
        return answer

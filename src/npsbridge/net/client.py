"""The HTTP client: one request, one whole answer or an error that says whether the request can have happened.

It never follows redirects (they would carry keys to other hosts), never reads proxies from the environment, bounds
every wait and the decoded size of every answer, and counts each request. It decides nothing about retries.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError
from yarl import URL

from npsbridge import __version__
from npsbridge.core.leases import current_lease
from npsbridge.core.model import Record
from npsbridge.core.pace import RateWindow
from npsbridge.errors import AnswerLost, NotSent, StoreUnavailable, UnreadablePage
from npsbridge.metrics import Metrics

ANSWER_LIMIT = 16 * 1024 * 1024
"""Bytes of a decoded answer; the largest honest page seen is a hundredth of it."""
TIMEOUT = aiohttp.ClientTimeout(total=60, connect=20, sock_connect=10, sock_read=30)
EXCERPT = 2048


class Reply(Record, frozen=True, kw_only=True):
    """A whole answer. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpClient:
    """Requests of one connection to one vendor, under its rate limit and its name in the metrics."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        metrics: Metrics,
        *,
        connection: str,
        window: RateWindow | None = None,
        book: Callable[[], Awaitable[float]] | None = None,
    ) -> None:
        """Make one.

        Args:
            session: see `open_session`.
            metrics: where each request is counted.
            connection: under which name.
            window: the limit of the account; without it there is none.
            book: books a request where other replicas ask the same account, and says in how many seconds it may leave.
        """
        self._session = session
        self._metrics = metrics
        self._connection = connection
        self._window = window or RateWindow(0, 60)
        self._book = book

    @property
    def window(self) -> RateWindow:
        """The limit of the account, and what of it is used."""
        return self._window

    async def request(
        self,
        method: str,
        url: str,
        *,
        operation: str,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: aiohttp.ClientTimeout = TIMEOUT,  # noqa: ASYNC109 - aiohttp's own time-out object, enforced by it
    ) -> Reply:
        """Send one request and read its whole answer.

        Args:
            method: HTTP method.
            url: absolute URL, without the query.
            operation: a short name for the metrics.
            params: the query.
            body: the bytes to send.
            headers: the request's headers.
            timeout: aiohttp's limits.

        Raises:
            NotSent: the vendor never saw the request; or another replica has to make it.
            AnswerLost: the vendor may have seen it.
            UnreadablePage: the answer is larger than we take, or cannot be decompressed.
        """
        target = URL(url).extend_query(params or {})
        await self._take_turn()
        code, loop = "none", asyncio.get_running_loop()
        began = loop.time()
        try:
            async with self._session.request(
                method, target, data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as answer:
                code = str(answer.status)
                return Reply(
                    status=answer.status,
                    headers={name.lower(): value for name, value in answer.headers.items()},
                    body=await _read(answer),
                )
        except (aiohttp.ClientError, OSError) as error:
            raise _sorted(error, target) from error
        finally:
            self._metrics.vendor_requests.labels(self._connection, operation, code).inc()
            self._metrics.vendor_seconds.labels(self._connection, operation).observe(loop.time() - began)

    async def _take_turn(self) -> None:
        delay = self._window.reserve(asyncio.get_running_loop().time())
        if self._book is not None:
            try:
                delay = max(delay, await self._book())
            except StoreUnavailable as error:
                raise NotSent(f"the limit shared by all replicas cannot be asked: {error}") from error
        if delay > 0:
            await asyncio.sleep(delay)
        _insist_on_lease()


def _insist_on_lease() -> None:
    """Nothing leaves under a lease that another replica may hold by now.

    Raises:
        NotSent: it has run out.
    """
    lease = current_lease()
    if lease is not None and not lease.is_good():
        raise NotSent(f"this replica may no longer do {lease.name}: it was not heard of for too long")


async def _insist_once_connected(*_: object) -> None:
    """The last moment before a request leaves; to connect may have taken long, and this process may have slept."""
    _insist_on_lease()


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    """The whole body, unpacked; aiohttp unpacks it in small pieces, so that a bomb is noticed before it is large."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in answer.content.iter_any():
        chunks.append(chunk)
        size += len(chunk)
        if size > ANSWER_LIMIT:
            reason = f"the answer is larger than {ANSWER_LIMIT} bytes"
            raise UnreadablePage(reason, location=answer.url.path_qs, body=chunks[0][:EXCERPT])
    return b"".join(chunks)


def _sorted(error: aiohttp.ClientError | OSError, target: URL) -> NotSent | AnswerLost | UnreadablePage:
    """Sort a transport failure by whether the request can have reached the vendor."""
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError | aiohttp.InvalidURL):
        return NotSent(f"no connection to {target.host}: {_words(error)}")
    if isinstance(error, aiohttp.ClientPayloadError) and isinstance(error.__cause__, ContentEncodingError):
        return UnreadablePage("the answer cannot be decompressed", location=target.path_qs, body=b"")
    if isinstance(error, TimeoutError):
        return AnswerLost(f"no answer from {target.host} in time")
    return AnswerLost(f"the connection to {target.host} broke: {_words(error)}")


def _words(error: Exception) -> str:
    cause = getattr(error, "os_error", None) or error
    return getattr(cause, "strerror", None) or type(cause).__name__


@asynccontextmanager
async def open_session() -> AsyncIterator[aiohttp.ClientSession]:
    """A session that keeps no cookies, resolves names afresh every five minutes and trusts no environment."""
    connector = aiohttp.TCPConnector(limit=64, ttl_dns_cache=300, keepalive_timeout=30)
    last_moment = aiohttp.TraceConfig()
    last_moment.on_connection_create_end.append(_insist_once_connected)
    last_moment.on_connection_reuseconn.append(_insist_once_connected)
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        trace_configs=[last_moment],
        headers={"User-Agent": f"npsbridge/{__version__}"},
    ) as session:
        yield session

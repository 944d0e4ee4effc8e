"""The HTTP client, against a server that misbehaves on demand."""

import gzip
import socket
import ssl
import tracemalloc
from unittest import mock

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import unused_port
from aioresponses import aioresponses

from npsbridge import __version__
from npsbridge.core.pace import RateWindow
from npsbridge.errors import AnswerLost, NotSent, TryLater, UnreadablePage
from npsbridge.metrics import Metrics
from npsbridge.net import client as client_module
from npsbridge.net.client import ANSWER_LIMIT, EXCERPT, HttpClient, Reply, open_session
from npsbridge.sandbox import (
    Answer,
    CorruptGzip,
    CutConnection,
    Drip,
    Fault,
    GzipBomb,
    Hang,
    ResetAfterReading,
    ResetBeforeReading,
    SegmentServer,
)
from npsbridge.sandbox.faults import redirect

QUICK = aiohttp.ClientTimeout(total=5, sock_read=0.05)
KEY = "canary-key-4711"
SECRET = {"Authorization": f"Basic {KEY}"}


async def post(http: HttpClient, server: SegmentServer, *, timeout: aiohttp.ClientTimeout = QUICK) -> Reply:  # noqa: ASYNC109 - handed on
    url = f"{server.base_url}/v1/batch"
    return await http.request("POST", url, operation="batch", body=b"{}", headers=SECRET, timeout=timeout)


def count(metrics: Metrics, code: str) -> float | None:
    labels = {"connection": "shop", "operation": "batch", "code": code}
    return metrics.registry.get_sample_value("npsbridge_vendor_requests_total", labels)


# --- one whole answer -------------------------------------------------------------------------------------------


async def test_an_answer_has_status_body_and_header_names_in_lower_case(http: HttpClient, mocked: aioresponses) -> None:
    mocked.get("https://vendor.example/x", status=418, body=b"short", headers={"Retry-After": "7"})
    reply = await http.request("GET", "https://vendor.example/x", operation="look")
    assert (reply.status, reply.headers["retry-after"], reply.body) == (418, "7", b"short")


async def test_a_large_body_comes_whole(http: HttpClient, mocked: aioresponses) -> None:
    mocked.get("https://vendor.example/x", body=b"a" * 300_000)
    reply = await http.request("GET", "https://vendor.example/x", operation="look")
    assert len(reply.body) == 300_000


async def test_the_query_is_added_to_the_address(http: HttpClient, mocked: aioresponses) -> None:
    mocked.get("https://vendor.example/x?page=2&expand%5B%5D=person")
    await http.request("GET", "https://vendor.example/x", operation="look", params={"page": "2", "expand[]": "person"})


async def test_the_client_says_who_it_is(http: HttpClient, server: SegmentServer) -> None:
    await post(http, server)
    assert server.requests[0].headers["User-Agent"] == f"npsbridge/{__version__}"


async def test_the_client_keeps_no_cookies(http: HttpClient, server: SegmentServer) -> None:
    server.faults.add(Answer(headers={"Set-Cookie": "id=1"}))
    for _ in range(2):
        await http.request("GET", f"http://localhost:{server.port}/health", operation="look")
    assert "Cookie" not in server.requests[1].headers


async def test_packed_answers_are_unpacked(http: HttpClient, server: SegmentServer) -> None:
    server.faults.add(GzipBomb(decoded_bytes=1000))
    assert len((await post(http, server)).body) == 1000


# --- redirects --------------------------------------------------------------------------------------------------


async def test_f27_a_redirect_is_not_followed_and_its_target_learns_nothing(
    http: HttpClient, server: SegmentServer
) -> None:
    async with SegmentServer() as elsewhere:
        server.faults.add(redirect(f"{elsewhere.base_url}/v1/batch", code=307))
        assert (await post(http, server)).status == 307
        assert len(elsewhere.requests) == 0


# --- limits -----------------------------------------------------------------------------------------------------


async def test_f21_a_bomb_is_stopped_at_the_limit(
    http: HttpClient, server: SegmentServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "ANSWER_LIMIT", 200_000)
    server.faults.add(GzipBomb(decoded_bytes=50 * 2**20))
    with pytest.raises(UnreadablePage, match="larger than 200000 bytes") as caught:
        await post(http, server, timeout=aiohttp.ClientTimeout(total=10))
    assert (caught.value.location, len(caught.value.body)) == ("/v1/batch", EXCERPT)


async def test_an_answer_at_the_limit_is_taken(
    http: HttpClient, server: SegmentServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "ANSWER_LIMIT", 200_000)
    server.faults.add(GzipBomb(decoded_bytes=200_000))
    assert len((await post(http, server)).body) == 200_000


async def test_f21_a_bomb_does_not_fill_the_memory(http: HttpClient, server: SegmentServer) -> None:
    server.faults.add(GzipBomb(decoded_bytes=100 * 2**20))
    tracemalloc.start()
    try:
        with pytest.raises(UnreadablePage):
            await post(http, server, timeout=aiohttp.ClientTimeout(total=30))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40 * 2**20


def test_the_limit_leaves_room_for_the_largest_honest_page() -> None:
    assert 100 * 100_000 < ANSWER_LIMIT <= 32 * 2**20


async def test_f21_a_corrupt_stream_is_an_unreadable_page(http: HttpClient, server: SegmentServer) -> None:
    server.faults.add(CorruptGzip())
    with pytest.raises(UnreadablePage, match="decompressed"):
        await post(http, server)


@pytest.mark.parametrize("fault", [Hang(seconds=5), Drip(pause=5)])
async def test_f19_a_server_that_hangs_or_drips_costs_no_more_than_the_timeout(
    http: HttpClient, server: SegmentServer, fault: Fault
) -> None:
    server.faults.add(fault)
    with pytest.raises(AnswerLost, match=r"no answer from 127\.0\.0\.1 in time"):
        await post(http, server)


async def test_f19_a_freed_slot_serves_the_next_request(http: HttpClient, server: SegmentServer) -> None:
    server.faults.add(Hang(seconds=5, effect=False))
    with pytest.raises(AnswerLost):
        await post(http, server)
    assert (await post(http, server)).status == 400


# --- whether the request can have happened ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [ResetBeforeReading(), ResetAfterReading(), CutConnection(), CutConnection(abrupt=False)],
    ids=lambda fault: type(fault).__name__,
)
async def test_f20_after_a_broken_connection_the_answer_is_lost(
    http: HttpClient, server: SegmentServer, fault: Fault
) -> None:
    server.faults.add(fault)
    with pytest.raises(AnswerLost, match="broke"):
        await post(http, server)


async def test_f17_a_refused_connection_was_not_sent(http: HttpClient) -> None:
    with pytest.raises(NotSent, match=r"no connection to 127\.0\.0\.1"):
        await http.request("POST", f"http://127.0.0.1:{unused_port()}/x", operation="batch")


async def test_f17_an_unknown_host_was_not_sent(http: HttpClient, mocked: aioresponses) -> None:
    key = mock.Mock(host="vendor.example", port=443, ssl=True)
    unknown = aiohttp.ClientConnectorDNSError(key, socket.gaierror(-2, "Name or service not known"))
    mocked.post("https://vendor.example/x", exception=unknown)
    with pytest.raises(NotSent, match=r"no connection to vendor\.example: Name or service not known"):
        await http.request("POST", "https://vendor.example/x", operation="batch")


async def test_f18_a_server_without_tls_was_not_sent_anything(http: HttpClient, server: SegmentServer) -> None:
    with pytest.raises(NotSent):
        await http.request("POST", f"https://127.0.0.1:{server.port}/x", operation="batch", headers=SECRET)
    assert len(server.requests) == 0


async def test_f17_a_connect_timeout_was_not_sent(http: HttpClient, mocked: aioresponses) -> None:
    mocked.post("https://vendor.example/x", exception=aiohttp.ConnectionTimeoutError())
    with pytest.raises(NotSent):
        await http.request("POST", "https://vendor.example/x", operation="batch")


async def test_a_timeout_of_no_known_stage_counts_as_lost(http: HttpClient, mocked: aioresponses) -> None:
    mocked.post("https://vendor.example/x", timeout=True)
    with pytest.raises(AnswerLost):
        await http.request("POST", "https://vendor.example/x", operation="batch")


@pytest.mark.parametrize("error", [aiohttp.ServerDisconnectedError(), ssl.SSLError("late"), ConnectionResetError(104)])
async def test_other_trouble_of_the_transport_counts_as_lost(
    http: HttpClient, mocked: aioresponses, error: Exception
) -> None:
    mocked.post("https://vendor.example/x", exception=error)
    with pytest.raises(AnswerLost):
        await http.request("POST", "https://vendor.example/x", operation="batch")


async def test_i19_no_error_says_the_key_or_the_query(http: HttpClient, mocked: aioresponses) -> None:
    url = "https://vendor.example/x"
    for error in (aiohttp.ServerDisconnectedError(KEY), TimeoutError(KEY), aiohttp.InvalidURL(url + KEY), OSError(KEY)):
        mocked.post(f"{url}?token={KEY}", exception=error)
        with pytest.raises(TryLater) as caught:
            await http.request("POST", url, operation="batch", params={"token": KEY}, headers=SECRET)
        assert KEY not in str(caught.value)


# --- the rate, and what is counted ------------------------------------------------------------------------------


@pytest.fixture
async def limited(session: aiohttp.ClientSession, metrics: Metrics) -> HttpClient:
    return HttpClient(session, metrics, connection="shop", window=RateWindow(2, 60))


@pytest.mark.looptime
async def test_i7_the_rate_limit_is_kept(limited: HttpClient, mocked: aioresponses, looptime: float) -> None:
    mocked.get("https://vendor.example/x", repeat=True)
    at = []
    for _ in range(5):
        await limited.request("GET", "https://vendor.example/x", operation="look")
        at.append(float(looptime))
    assert at == [0, 0, 60, 60, 120]


async def test_each_request_is_counted_with_its_status(
    http: HttpClient, server: SegmentServer, metrics: Metrics
) -> None:
    server.faults.add(redirect("/", code=302), ResetAfterReading(), CutConnection())
    await post(http, server)
    for _ in range(2):
        with pytest.raises(AnswerLost):
            await post(http, server)
    assert (count(metrics, "302"), count(metrics, "none"), count(metrics, "400")) == (1, 1, 1)


async def test_proxies_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch, server: SegmentServer, metrics: Metrics
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{unused_port()}")
    async with open_session() as session:
        assert (await post(HttpClient(session, metrics, connection="shop"), server)).status == 400


async def test_a_body_that_arrives_in_pieces_is_put_together(session: aiohttp.ClientSession, metrics: Metrics) -> None:
    async def in_pieces(_: web.Request) -> web.Response:
        packed = gzip.compress(b"x" * 100_000) + gzip.compress(b"y" * 100_000)
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    app = web.Application()
    app.router.add_get("/", in_pieces)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        http = HttpClient(session, metrics, connection="shop")
        reply = await http.request("GET", f"http://127.0.0.1:{runner.addresses[0][1]}/", operation="look")
    finally:
        await runner.cleanup()
    assert reply.body == b"x" * 100_000 + b"y" * 100_000

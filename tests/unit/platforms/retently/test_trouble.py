"""What the account's refusals and a server's bad moments lead to; each leaves the checkpoint where it was."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from npsbridge.clock import Clock
from npsbridge.core.pace import RateWindow
from npsbridge.errors import AnswerLost, Gone, NotSent, PersonMustAct, TryLater, UnreadablePage, VendorError
from npsbridge.metrics import Metrics
from npsbridge.net.client import HttpClient, open_session
from npsbridge.platforms.base import Wiring
from npsbridge.platforms.retently.settings import RetentlySettings
from npsbridge.platforms.retently.source import RetentlySource
from npsbridge.sandbox.faults import (
    Answer,
    CutConnection,
    Fault,
    Truncated,
    empty,
    error_object,
    html,
    null,
    redirect,
    status,
)
from npsbridge.sandbox.retently import RetentlyServer
from unit.platforms.retently.bench import Bench, read, read_until_trouble
from unit.sandbox.calling import NEW_YEAR, Caller

ENVELOPES = {
    "no rows": '{"message":"Success.","code":200,"data":{"responses":null}}',
    "another list": '{"message":"Success.","code":200,"data":{"surveys":[]}}',
    "an error": '{"message":"No.","code":401,"data":null}',
    "a number": '{"data":7}',
    "a list": "[]",
}


def answer(body: str) -> Answer:
    return Answer(headers={"Content-Type": "application/json"}, body=body)


@pytest.mark.parametrize(
    "fault",
    [html(), empty(), null(), error_object(), Truncated(), *(answer(body) for body in ENVELOPES.values())],
    ids=["html", "empty", "null", "error", "truncated", *ENVELOPES],
)
async def test_f26_an_answer_that_is_no_list_is_never_taken_for_an_empty_one(bench: Bench, fault: Fault) -> None:
    bench.server.faults.add(fault)
    with pytest.raises(UnreadablePage, match="not a list of responses") as caught:
        await read(bench.source())
    assert caught.value.location == "/feedback?limit=100&sort=-createdDate"


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (status(401), PersonMustAct, "NPSBRIDGE_RETENTLY__API_KEY"),
        (status(403), PersonMustAct, "NPSBRIDGE_RETENTLY__API_KEY"),
        (status(404), PersonMustAct, "NPSBRIDGE_RETENTLY__BASE_URL"),
        (status(410), Gone, "410"),
        (status(500), TryLater, "500"),
        (status(503), TryLater, "503"),
        (CutConnection(), AnswerLost, "broke"),
        (redirect("https://elsewhere.example/"), UnreadablePage, "NPSBRIDGE_RETENTLY__BASE_URL"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
async def test_a_refusal_says_what_has_to_happen_next(
    bench: Bench, fault: Fault, error: type[VendorError], words: str
) -> None:
    bench.server.faults.add(fault)
    with pytest.raises(error, match=words):
        await read(bench.source())


async def test_a_server_that_is_not_there_was_not_asked(bench: Bench) -> None:
    await bench.server.stop()
    with pytest.raises(NotSent):
        await read(bench.source())


async def test_f27_no_key_goes_to_another_host(bench: Bench) -> None:
    async with RetentlyServer() as elsewhere:
        bench.server.faults.add(redirect(elsewhere.base_url + "/feedback"))
        with pytest.raises(UnreadablePage):
            await read(bench.source())
        assert len(elsewhere.requests) == 0


async def test_the_key_is_sent_with_the_vendor_s_prefix_and_never_in_the_url(bench: Bench) -> None:
    await read(bench.source())
    assert {request.headers["Authorization"] for request in bench.server.requests} == {
        f"api_key={bench.server.api_key}"
    }
    assert not any(bench.server.api_key in request for request in bench.asked)


async def refused(source: RetentlySource) -> float | None:
    """How long a refused source wants to wait."""
    _, trouble = await read_until_trouble(source)
    assert isinstance(trouble, TryLater)
    return trouble.after


async def test_f22_a_429_is_waited_out_as_long_as_it_says(bench: Bench) -> None:
    bench.server.faults.add(status(429, retry_after=7))
    assert await refused(bench.source()) == 7


async def test_f22_a_429_that_says_nothing_is_waited_out_for_a_minute_and_then_longer(bench: Bench) -> None:
    bench.server.faults.add(status(429), times=5)
    source = bench.source()
    waits = [await refused(source) for _ in range(5)]
    assert waits == [60, 120, 240, 300, 300]
    await read(source)
    bench.server.faults.add(status(429))
    assert await refused(source) == 60


@pytest.mark.parametrize("trouble", [status(503), html(), status(429)], ids=["5xx", "html", "429"])
async def test_after_trouble_the_same_page_is_asked_again(bench: Bench, trouble: Fault) -> None:
    bench.load(320)
    bench.server.faults.add(trouble, path="page=3")
    first, _ = await read_until_trouble(bench.source())
    before = len(bench.asked)
    await read(bench.source(), first.checkpoint)
    assert bench.asked[before] == bench.asked[before - 1]


async def test_f25_a_server_that_fails_now_and_then_is_read_to_the_end(bench: Bench) -> None:
    ids = bench.load(950)
    bench.server.faults.add(status(502), times=None, every=3)
    found, checkpoint = set[str](), None
    trouble: VendorError | None = TryLater("not yet begun")
    while trouble is not None:
        part, trouble = await read_until_trouble(bench.source(), checkpoint)
        found.update(part.ids)
        checkpoint = part.pages[-1].checkpoint if part.pages else checkpoint
        assert len(bench.asked) < 300
    assert found == set(ids)


async def test_f29_a_server_that_repeats_a_page_is_not_read_for_ever(bench: Bench) -> None:
    bench.load(250)
    begun = await anext(bench.source().read(None))
    async with Caller(bench.server.base_url, {"X-Api-Key": bench.server.api_key}) as caller:
        page_one = await caller.get("/feedback?sort=createdDate&limit=100")
    bench.server.faults.add(answer(page_one.raw.decode()), times=None, path="page=2")
    checkpoint = begun.checkpoint
    for _ in range(3):
        part, trouble = await read_until_trouble(bench.source(), checkpoint)
        checkpoint = part.pages[-1].checkpoint if part.pages else checkpoint
        assert str(trouble) == "page 2 of /feedback repeats the page before"


async def test_an_unreadable_row_is_handed_on_for_the_shelf(bench: Bench) -> None:
    body = '{"data":{"responses":[7,{"id":"x"},{"id":"f00000000000000000000003","createdDate":"soon"}],"pages":1}}'
    bench.server.faults.add(answer(body), times=None)
    found = await read(bench.source())
    assert {record for page in found.pages for record in page.records} == {
        b"7",
        b'{"id":"x"}',
        b'{"id":"f00000000000000000000003","createdDate":"soon"}',
    }


# --- the rate ---------------------------------------------------------------------------------------------------


@pytest.fixture
async def limited() -> AsyncIterator[tuple[RetentlyServer, RetentlySource]]:
    """An account with the vendor's own limit, on the event loop's clock."""

    def now() -> float:
        return NEW_YEAR + asyncio.get_running_loop().time()

    async with RetentlyServer(now=now) as server, open_session() as session:
        settings = RetentlySettings.model_validate({"api_key": server.api_key, "base_url": server.base_url})
        wiring = Wiring(
            name="retently",
            settings=settings,
            http=HttpClient(session, Metrics(), connection="retently", window=RateWindow(settings.rate_limit, 60.0)),
            clock=Clock(now),
            prefix="NPSBRIDGE_RETENTLY__",
        )
        yield server, RetentlySource(wiring)


@pytest.mark.looptime
async def test_no_request_is_refused_in_ten_minutes_when_the_limit_is_the_vendor_s(
    limited: tuple[RetentlyServer, RetentlySource],
) -> None:
    server, source = limited
    loop = asyncio.get_running_loop()
    end = loop.time() + 600
    while loop.time() < end:
        await source.look_up([f"f{number:023x}" for number in range(100)])
    assert len(server.requests) >= 1500
    assert {request.status for request in server.requests} == {404}


@pytest.mark.looptime
async def test_history_takes_half_of_what_the_account_allows(limited: tuple[RetentlyServer, RetentlySource]) -> None:
    server, source = limited
    server.answer("first@example.org", 9, created_ms=(NEW_YEAR - 300 * 30 * 86_400) * 1000)
    server.answer("last@example.org", 9)
    server.change_switches({"short_by": 99})
    started = asyncio.get_running_loop().time()
    await read(source)
    assert asyncio.get_running_loop().time() - started > 235
    assert len(server.requests) < 315

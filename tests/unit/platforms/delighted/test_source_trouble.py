"""What a round does when the vendor does not answer as promised."""

import base64
from collections.abc import AsyncIterator, Callable

import pytest

from npsbridge.core.ports import Page
from npsbridge.errors import AnswerLost, Gone, NotSent, PersonMustAct, TryLater, UnreadablePage, VendorError
from npsbridge.sandbox import CorruptGzip, DelightedServer, Fault, ResetAfterReading, Truncated
from npsbridge.sandbox.faults import Answer, empty, error_object, html, null, redirect, status
from unit.platforms.delighted.driving import Bench, bench, place, said


@pytest.fixture
async def shop() -> AsyncIterator[Bench]:
    async with bench() as shop:
        yield shop


async def stopped(shop: Bench, checkpoint: bytes | None = None) -> tuple[list[Page], VendorError]:
    """The pages of a round up to the error that ended it."""
    pages: list[Page] = []
    try:
        async for page in shop.pages(checkpoint):
            pages.append(page)  # noqa: PERF401 - what came before the error counts
    except VendorError as error:
        return pages, error
    pytest.fail("the round came to its end")


# --- pages that cannot be read ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        html(),
        empty(),
        null(),
        error_object(),
        Truncated(),
        CorruptGzip(),
        Answer(body='[{"id":"1"},'),
        Answer(body='"[]"'),
    ],
    ids=["html", "empty", "null", "error object", "truncated", "corrupt gzip", "broken off", "text"],
)
async def test_f26_a_page_that_is_no_list_is_handed_to_the_shelf_with_its_place(shop: Bench, fault: Fault) -> None:
    shop.load(3)
    shop.server.faults.add(fault, path="order=asc&")
    _, error = await stopped(shop)
    assert isinstance(error, UnreadablePage)
    assert error.location.startswith(("/survey_responses.json?since=0&order=asc", "/v1/survey_responses.json?since=0"))


async def test_f26_an_unreadable_page_keeps_its_beginning(shop: Bench) -> None:
    shop.server.faults.add(html())
    _, error = await stopped(shop)
    assert isinstance(error, UnreadablePage)
    assert error.body.startswith(b"<!DOCTYPE html>")


@pytest.mark.parametrize("number", [3, 5])
async def test_i11_no_checkpoint_passes_an_unreadable_page(shop: Bench, number: int) -> None:
    shop.load(450)
    shop.server.faults.add(html(), every=number)
    kept, _ = await stopped(shop)
    kept += await shop.read(kept[-1].checkpoint)
    assert set(said(kept)) == shop.truth


@pytest.mark.parametrize("backfill", [True, False])
async def test_without_a_first_answer_there_is_no_checkpoint(shop: Bench, *, backfill: bool) -> None:
    shop.server.faults.add(html())
    with pytest.raises(UnreadablePage):
        await shop.read(backfill=backfill)


async def test_a_row_that_cannot_be_placed_is_handed_on_with_the_others(shop: Bench) -> None:
    rows = b'[{"id":"1","created_at":1700000000},{"id":"2","created_at":"soon"},7,{"id":"3","created_at":1700000009}]'
    shop.server.faults.add(Answer(body=rows.decode()), path="order=asc&")
    pages = [page for page in await shop.read() if page.records]
    assert pages[0].records[1:3] == [b'{"id":"2","created_at":"soon"}', b"7"]
    assert place(pages[0]).backfill == 1700000009


# --- refusals ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (status(401), PersonMustAct, "HTTP 401.*NPSBRIDGE_DELIGHTED__API_KEY"),
        (status(403), PersonMustAct, "HTTP 403.*NPSBRIDGE_DELIGHTED__API_KEY"),
        (status(404), PersonMustAct, "HTTP 404.*NPSBRIDGE_DELIGHTED__BASE_URL"),
        (status(410), Gone, "HTTP 410"),
        (status(429), TryLater, "HTTP 429"),
        (status(503), TryLater, "HTTP 503"),
    ],
)
async def test_f23_f24_each_refusal_means_its_next_step(
    shop: Bench, fault: Fault, error: type[VendorError], words: str
) -> None:
    shop.server.faults.add(fault)
    with pytest.raises(error, match=words):
        await shop.read()


async def test_f24_a_service_that_ended_says_so_in_every_round(shop: Bench) -> None:
    checkpoint = await shop.caught_up()
    shop.server.change_switches({"standing": "retired"})
    with pytest.raises(Gone):
        await shop.read(checkpoint)


async def test_f22_retry_after_is_handed_on(shop: Bench) -> None:
    shop.server.faults.add(status(429, retry_after=17))
    _, error = await stopped(shop)
    assert isinstance(error, TryLater)
    assert error.after == 17


async def test_f20_reading_goes_on_behind_a_broken_connection(shop: Bench) -> None:
    shop.load(450)
    shop.server.faults.add(ResetAfterReading(), times=None, path=_is_by_answer(after=4))
    kept, error = await stopped(shop)
    assert isinstance(error, AnswerLost)
    shop.server.faults.clear()
    kept += await shop.read(kept[-1].checkpoint)
    assert set(said(kept)) == shop.truth


async def test_f17_an_outage_is_tried_later(shop: Bench) -> None:
    await shop.server.stop()
    with pytest.raises(NotSent):
        await shop.read()


# --- the key ----------------------------------------------------------------------------------------------------


async def test_the_key_is_the_user_name_of_basic_authentication(shop: Bench) -> None:
    await shop.read()
    given = shop.server.requests[0].headers["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(given).decode() == f"{shop.server.api_key}:"


async def test_f27_a_redirect_gets_neither_a_request_nor_the_key(shop: Bench) -> None:
    async with DelightedServer(api_key=shop.server.api_key) as elsewhere:
        shop.server.faults.add(redirect(f"{elsewhere.base_url}/survey_responses.json"))
        _, error = await stopped(shop)
        assert isinstance(error, UnreadablePage)
        assert len(elsewhere.requests) == 0


async def test_f29_a_link_to_another_page_is_not_followed(shop: Bench) -> None:
    async with DelightedServer(api_key=shop.server.api_key) as elsewhere:
        link = f'<{elsewhere.base_url}/survey_responses.json?page=2>; rel="next"'
        shop.server.faults.add(Answer(headers={"Link": link}, body="[]"), times=None)
        await shop.read()
        assert len(elsewhere.requests) == 0


async def test_i19_no_error_says_the_key(shop: Bench) -> None:
    for fault in (status(401), status(404), status(429), html(), redirect("http://127.0.0.1:9/")):
        shop.server.faults.add(fault)
        _, error = await stopped(shop)
        assert shop.server.api_key not in str(error)


def _is_by_answer(*, after: int) -> Callable[[str], bool]:
    """Whether a request is for history, from the given one on."""
    seen = [0]

    def matches(target: str) -> bool:
        seen[0] += "order=asc&" in target
        return seen[0] > after

    return matches

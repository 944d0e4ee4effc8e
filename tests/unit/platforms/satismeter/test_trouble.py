"""What the vendor's refusals, faults and nonsense mean, and that none of them moves the checkpoint."""

import asyncio

import pytest

from npsbridge.core.pace import RateWindow
from npsbridge.core.ports import Page
from npsbridge.errors import AnswerLost, Gone, NotSent, PersonMustAct, TryLater, UnreadablePage
from npsbridge.metrics import Metrics
from npsbridge.net.client import HttpClient, open_session
from npsbridge.sandbox.faults import (
    Answer,
    CorruptGzip,
    CutConnection,
    Truncated,
    empty,
    error_object,
    html,
    null,
    redirect,
    status,
)
from npsbridge.sandbox.rate import RateLimit
from npsbridge.sandbox.satismeter import SatisMeterServer
from unit.platforms.satismeter.driving import DAY, MINUTE, Bench, ids
from unit.sandbox.calling import NEW_YEAR, Hands


@pytest.fixture
async def checkpoint(project: Bench) -> bytes:
    project.load(150, since=NEW_YEAR - DAY, every=1)
    return await project.caught_up()


@pytest.mark.parametrize(
    "fault",
    [
        html(),
        empty(),
        null(),
        error_object(),
        Truncated(),
        CorruptGzip(),
        Answer(body='{"data":[]}'),
        Answer(body="[]"),
    ],
)
async def test_f26_a_200_that_is_no_list_is_an_unreadable_page(
    project: Bench, checkpoint: bytes, fault: Answer
) -> None:
    project.server.faults.add(fault)
    with pytest.raises(UnreadablePage) as trouble:
        await project.read(checkpoint)
    assert trouble.value.location.startswith(f"/v3/projects/{project.server.project_id}/responses?startDate=")


async def test_f26_html_in_the_midst_of_pages_leaves_the_rest_to_the_next_round(project: Bench) -> None:
    wanted = project.load(350, since=NEW_YEAR - DAY, every=1)
    project.server.faults.add(html(), path="pageCursor")
    seen: list[Page] = []
    with pytest.raises(UnreadablePage):
        await project.read_into(seen)
    assert set(wanted) == {*ids(seen), *ids(await project.read(seen[-1].checkpoint))}


async def test_a_promised_page_without_a_cursor_is_unreadable(project: Bench, checkpoint: bytes) -> None:
    project.server.faults.add(Answer(body='{"data":[],"page":{"hasNextPage":true,"nextPageCursor":null}}'))
    with pytest.raises(UnreadablePage, match="no cursor leads there"):
        await project.read(checkpoint)


async def test_a_cursor_alone_leads_on(project: Bench, checkpoint: bytes) -> None:
    project.server.faults.add(Answer(body='{"data":[],"page":{"nextPageCursor":"WzBd"}}'))
    before = len(project.server.requests)
    await project.read(checkpoint)
    assert project.server.requests[before + 1].target.endswith("pageCursor=WzBd")


async def test_f29_a_cursor_that_leads_back_ends_the_round(project: Bench, checkpoint: bytes) -> None:
    body = '{"data":[],"page":{"hasNextPage":true,"nextPageCursor":"round"}}'
    project.server.faults.add(Answer(body=body), times=None)
    with pytest.raises(TryLater, match="in circles"):
        await project.read(checkpoint)
    assert len(project.server.requests) < 60


async def test_f29_cursors_that_go_round_with_rows_end_the_round(project: Bench, checkpoint: bytes) -> None:
    for number in range(8):
        row = f'{{"id":"{number % 2}","created":"2026-01-01T00:00:00Z"}}'
        body = f'{{"data":[{row}],"page":{{"hasNextPage":true,"nextPageCursor":"c{number % 2}"}}}}'
        project.server.faults.add(Answer(body=body))
    before = project.asked
    with pytest.raises(TryLater, match="in circles"):
        await project.read(checkpoint)
    assert project.asked - before == 3


async def test_f29_a_list_that_ignores_its_cursor_ends_the_round(project: Bench, checkpoint: bytes) -> None:
    row = '{"id":"1","created":"2026-01-01T00:00:00Z"}'
    for number in range(5):
        body = f'{{"data":[{row}],"page":{{"hasNextPage":true,"nextPageCursor":"c{number}"}}}}'
        project.server.faults.add(Answer(body=body))
    before = project.asked
    with pytest.raises(TryLater, match="in circles"):
        await project.read(checkpoint)
    assert project.asked - before == 2


async def test_f29_pages_without_rows_do_not_go_on_for_ever(project: Bench, checkpoint: bytes) -> None:
    for number in range(50):
        body = f'{{"data":[],"page":{{"hasNextPage":true,"nextPageCursor":"c{number}"}}}}'
        project.server.faults.add(Answer(body=body))
    with pytest.raises(TryLater, match="in circles"):
        await project.read(checkpoint)


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        (401, PersonMustAct, "check NPSBRIDGE_SATISMETER__API_KEY"),
        (403, PersonMustAct, "check NPSBRIDGE_SATISMETER__API_KEY"),
        (404, PersonMustAct, "check NPSBRIDGE_SATISMETER__PROJECT_ID"),
        (400, PersonMustAct, "NPSBRIDGE_SATISMETER__BASE_URL"),
        (410, Gone, "410"),
        (429, TryLater, "429"),
        (500, TryLater, "500"),
        (503, TryLater, "503"),
    ],
)
async def test_f23_f24_a_refusal_says_what_has_to_happen_next(
    project: Bench, checkpoint: bytes, code: int, error: type[Exception], words: str
) -> None:
    project.server.faults.add(status(code), times=None)
    with pytest.raises(error, match=words):
        await project.read(checkpoint)


async def test_f23_a_key_that_is_withdrawn_while_paging_is_not_tried_on_the_old_export(project: Bench) -> None:
    project.load(150, since=NEW_YEAR - DAY, every=1)
    project.server.faults.add(status(401), path="pageCursor")
    with pytest.raises(PersonMustAct, match="NPSBRIDGE_SATISMETER__API_KEY"):
        await project.read()
    assert all(request.path.startswith("/api/v3/") for request in project.server.requests)


async def test_an_unknown_project_is_the_projects_fault(project: Bench) -> None:
    with pytest.raises(PersonMustAct, match="NPSBRIDGE_SATISMETER__PROJECT_ID"):
        await project.read(project_id="5f00000000000000000000ff")


@pytest.mark.parametrize(("said", "after"), [("7", 7.0), ("Thu, 01 Jan 2026 00:00:09 GMT", 9.0), (None, None)])
async def test_f22_a_429_is_waited_out_as_long_as_it_says(
    project: Bench, checkpoint: bytes, said: str | None, after: float | None
) -> None:
    project.server.faults.add(status(429, retry_after=said))
    with pytest.raises(TryLater) as trouble:
        await project.read(checkpoint)
    assert trouble.value.after == after


async def test_f20_a_broken_answer_is_asked_for_again(project: Bench, checkpoint: bytes) -> None:
    project.server.faults.add(CutConnection())
    with pytest.raises(AnswerLost):
        await project.read(checkpoint)


async def test_f17_a_server_that_is_not_there_was_never_asked(project: Bench, checkpoint: bytes) -> None:
    await project.server.stop()
    with pytest.raises(NotSent):
        await project.read(checkpoint)


async def test_f27_a_redirect_is_not_followed_and_takes_no_key_along(project: Bench, checkpoint: bytes) -> None:
    async with SatisMeterServer() as elsewhere:
        project.server.faults.add(redirect(f"{elsewhere.base_url}/v3/projects/x/responses"))
        with pytest.raises(UnreadablePage, match="redirects are not followed"):
            await project.read(checkpoint)
        assert len(elsewhere.requests) == 0


async def test_i19_no_error_holds_the_key(project: Bench, checkpoint: bytes) -> None:
    for code in (401, 403, 404, 429, 500):
        project.server.faults.add(status(code), times=2)
        with pytest.raises((PersonMustAct, TryLater)) as trouble:
            await project.read(checkpoint)
        assert project.server.api_key not in str(trouble.value)
        project.server.faults.clear()


@pytest.mark.looptime
async def test_i7_at_the_vendors_own_rate_nothing_is_refused_in_ten_minutes() -> None:
    loop, hands = asyncio.get_running_loop(), Hands()
    limit = RateLimit(requests=60, seconds=60)
    async with SatisMeterServer(now=lambda: hands() + loop.time()) as server, open_session() as session:
        server.change_switches({"rate_limit": limit})
        http = HttpClient(session, Metrics(), connection="satismeter", window=RateWindow(60, 60))
        project = Bench(server, hands, http)
        wanted = set(project.load(9000, since=NEW_YEAR - 20 * DAY, every=MINUTE))
        pages = await project.read()
        seam = next(page.checkpoint for page in pages if not page.backfilling)
        while loop.time() < 600:
            await project.read(seam)
    assert wanted == set(ids(pages))
    assert {request.status for request in server.requests} == {200}

"""The first round: everything that was answered before we came, in windows of a month."""

import pytest

from npsbridge.core.ports import Page
from npsbridge.platforms.retently.place import Place
from unit.platforms.retently.bench import DAY, NOW_MS, Bench, Round, read, read_while, without_repeats


def window_starts(bench: Bench) -> list[str]:
    """Where the passes of history began, in order."""
    return without_repeats(request.partition("startDate=")[2][:10] for request in bench.asked if "endDate=" in request)


async def test_every_answer_is_read_oldest_first(bench: Bench) -> None:
    ids = bench.load(250)
    assert without_repeats((await read(bench.source())).ids) == ids


async def test_history_is_read_in_windows_of_a_month_from_the_first_answer_on(bench: Bench) -> None:
    bench.load(120, days=100, step_ms=DAY * 800)
    await read(bench.source())
    assert window_starts(bench) == ["2025-09-22", "2025-10-22", "2025-11-21", "2025-12-21"]


async def test_each_window_ends_a_day_inside_the_next_one(bench: Bench) -> None:
    bench.load(2, days=100, step_ms=DAY * 99_000)
    bench.load(200, days=99)
    await read(bench.source())
    [first, *_] = [request for request in bench.asked if "endDate=" in request]
    assert "startDate=2025-09-22T23:59:59Z&endDate=2025-10-24T00:00:00Z" in first


async def test_finding_the_first_answer_costs_one_small_request(bench: Bench) -> None:
    bench.load(250)
    await read(bench.source())
    assert bench.asked[:2] == ["/feedback?limit=100&sort=-createdDate", "/feedback?limit=1&sort=createdDate"]


async def test_of_a_small_account_the_first_answer_is_on_the_page_of_the_newest(bench: Bench) -> None:
    bench.load(100)
    await read(bench.source())
    assert "page=1" in bench.asked[1]


@pytest.mark.parametrize(("paging", "windows"), [("data", 4), ("nowhere", 0)])
async def test_a_server_that_does_not_sort_tells_the_first_answer_by_its_last_page_or_not_at_all(
    bench: Bench, paging: str, windows: int
) -> None:
    ids = bench.load(120, days=100, step_ms=DAY * 800)
    bench.server.change_switches({"sort": "ignored", "paging_at": paging})
    assert set((await read(bench.source())).ids) == set(ids)
    assert len(window_starts(bench)) == windows


async def test_only_the_last_page_of_history_is_followed_by_one_that_says_so(bench: Bench) -> None:
    bench.load(120, days=100, step_ms=DAY * 800)
    flags = [page.backfilling for page in (await read(bench.source())).pages]
    assert flags == sorted(flags, reverse=True)
    assert flags[0]
    assert not flags[-1]


async def test_progress_rises_to_one(bench: Bench) -> None:
    bench.load(120, days=100, step_ms=DAY * 800)
    pages = (await read(bench.source())).pages
    progress = [page.progress for page in pages if page.progress is not None]
    assert progress == sorted(progress)
    assert 0 < progress[0] < 0.5
    assert progress[-1] == 1.0


async def restart(bench: Bench, crash_after: int, *, is_last_stored: bool) -> list[str]:
    """Read with a crash after so many pages, and again to the end; what was stored, in order."""
    stored: list[Page] = []
    async for page in bench.source().read(None):
        if len(stored) + 1 == crash_after and not is_last_stored:
            break
        stored.append(page)
        if len(stored) == crash_after:
            break
    checkpoint = stored[-1].checkpoint if stored else None
    return Round([*stored, *(await read(bench.source(), checkpoint)).pages]).ids


@pytest.mark.parametrize("is_last_stored", [True, False])
@pytest.mark.parametrize("crash_after", range(1, 12))
async def test_i11_a_restart_at_any_page_loses_nothing(bench: Bench, crash_after: int, *, is_last_stored: bool) -> None:
    ids = bench.load(320, days=50, step_ms=DAY * 150)
    assert without_repeats(await restart(bench, crash_after, is_last_stored=is_last_stored)) == ids


async def test_a_restart_goes_on_at_the_page_where_it_was(bench: Bench) -> None:
    bench.load(320)
    pages = (await read(bench.source())).pages
    before = len(bench.asked)
    await read(bench.source(), pages[2].checkpoint)
    assert "page=3" in bench.asked[before]


async def test_what_is_answered_while_history_is_read_is_found_in_the_same_round(bench: Bench) -> None:
    ids = bench.load(150)

    def act(page: int) -> None:
        if page == 2:
            ids.append(bench.server.answer("late@example.org", 3))

    assert set((await read_while(bench.source(), None, act)).ids) == set(ids)


async def test_what_is_edited_while_history_is_read_is_found_in_the_same_round(bench: Bench) -> None:
    ids = bench.load(150, days=20, step_ms=600_000)

    def act(page: int) -> None:
        if page == 3:
            bench.server.edit(ids[0], comment="on second thoughts")

    rows = (await read_while(bench.source(), None, act)).rows
    assert "on second thoughts" in [row["comment"] for row in rows if row["id"] == ids[0]]


async def test_an_empty_account_is_followed_from_its_first_answer_on(bench: Bench) -> None:
    first = await read(bench.source())
    answered = bench.server.answer("ana@example.org", 9)
    assert first.ids == []
    assert (await read(bench.source(), first.checkpoint)).ids == [answered]


async def test_backfill_since_leaves_out_what_is_older_for_good(bench: Bench) -> None:
    bench.load(10, days=20)
    younger = bench.load(10, days=5)
    source = bench.source(backfill_since="2025-12-26")
    first = await read(source)
    bench.hands.forward(DAY)
    second = await read(source, first.checkpoint)
    assert set(first.ids) == set(second.ids) == set(younger)
    assert min(request.partition("startDate=")[2] for request in bench.asked[2:]) >= "2025-12-25T23:59:59"


async def test_without_backfill_only_what_comes_from_now_on_is_read(bench: Bench) -> None:
    bench.load(10)
    source = bench.source(backfill=False)
    first = await read(source)
    fresh = bench.server.answer("ana@example.org", 9)
    bench.hands.forward(DAY)
    assert first.ids == []
    assert set((await read(source, first.checkpoint)).ids) == {fresh}


async def test_without_backfill_an_answer_of_the_very_millisecond_we_came_is_read(bench: Bench) -> None:
    bench.server.answer("ana@example.org", 9, created_ms=NOW_MS)
    first = await read(bench.source(backfill=False))
    fresh = bench.server.answer("ben@example.org", 9, created_ms=NOW_MS)
    assert (await read(bench.source(backfill=False), first.checkpoint)).ids == [fresh]


async def test_an_answer_dated_in_the_future_makes_no_endless_history(bench: Bench) -> None:
    ids = bench.load(3)
    future = bench.server.answer("ana@example.org", 9, created_ms=NOW_MS + 40_000 * DAY * 1000)
    assert set((await read(bench.source())).ids) == {*ids, future}
    assert len(bench.asked) < 10


async def test_the_checkpoint_stays_small(bench: Bench) -> None:
    bench.load(320)
    assert all(len(page.checkpoint) < 500 for page in (await read(bench.source())).pages)


async def test_a_checkpoint_reads_as_it_was_written(bench: Bench) -> None:
    bench.load(320)
    checkpoints = [page.checkpoint for page in (await read(bench.source())).pages]
    assert [Place.decode(checkpoint).encode() for checkpoint in checkpoints] == checkpoints

"""Reading what was answered before we came: in stretches, oldest first, whatever happens meanwhile."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from npsbridge.core.ports import Page
from npsbridge.errors import TryLater
from npsbridge.sandbox.faults import status
from npsbridge.sandbox.satismeter import PastAnswer
from unit.platforms.satismeter.driving import DAY, HOUR, MINUTE, Bench, bench, ids, new, place, responses
from unit.sandbox.calling import NEW_YEAR

MONTH = 30 * DAY


async def history(project: Bench, checkpoint: bytes | None = None, **settings: Any) -> list[Page]:
    return [page for page in await project.read(checkpoint, **settings) if page.backfilling]


async def test_every_answer_is_read_once_whatever_its_age(project: Bench) -> None:
    wanted = project.load(500, since=NEW_YEAR - 3 * 365 * DAY, every=2 * DAY)
    assert sorted(ids(await history(project))) == sorted(wanted)


async def test_both_bounds_are_always_asked_for_and_v3_is(project: Bench) -> None:
    project.load(150)
    await project.read()
    lists = [request for request in project.server.requests if not request.path.endswith("/campaigns")]
    assert len(lists) == project.asked > 0
    for request in lists:
        assert request.path == f"/api/v3/projects/{project.server.project_id}/responses"
        assert "startDate=" in request.target
        assert "endDate=" in request.target


async def test_months_come_oldest_first(project: Bench) -> None:
    project.load(1200, since=NEW_YEAR - 6 * MONTH, every=MONTH / 250)
    pages = await history(project)
    months = [(page.records, place(page)["backfill"]) for page in pages if page.records]
    ends = [end for _, end in months]
    assert ends == sorted(ends)
    assert len(set(ends)) > 4


@pytest.mark.parametrize(("count", "most"), [(0, 12), (50, 14), (150, 20)])
async def test_empty_years_cost_few_requests(project: Bench, count: int, most: int) -> None:
    project.load(count)
    await project.read()
    assert project.asked <= most


async def test_a_gap_of_years_costs_few_requests(project: Bench) -> None:
    old = project.load(120, since=NEW_YEAR - 12 * 365 * DAY)
    late = project.load(120)
    assert sorted(ids(await history(project))) == sorted([*old, *late])
    assert project.asked <= 40


async def test_a_busy_account_costs_little_more_than_its_pages(project: Bench) -> None:
    project.load(6000, since=NEW_YEAR - 20 * MONTH, every=20 * MONTH / 6000)
    await history(project)
    assert project.asked <= 60 + 20 + 30


async def test_progress_rises_to_the_end(project: Bench) -> None:
    project.load(1000, since=NEW_YEAR - 10 * MONTH, every=10 * MONTH / 1000)
    told = [page.progress for page in await history(project) if page.progress is not None]
    assert told == sorted(told)
    assert told[0] < 0.3
    assert told[-1] > 0.9


async def test_progress_counts_a_month_only_when_it_is_read(project: Bench) -> None:
    project.load(20, since=NEW_YEAR - 3 * MONTH, every=DAY)
    project.load(950, since=NEW_YEAR - 20 * DAY, every=MINUTE)
    told = [page.progress for page in await history(project) if page.records]
    assert told[-1] == 1
    assert max(share for share in told[:-1] if share is not None) < 1


async def test_history_ends_with_a_page_that_says_so(project: Bench) -> None:
    project.load(30)
    pages = await project.read()
    ended = [page.backfilling for page in pages].index(False)
    assert all(not page.backfilling for page in pages[ended:])
    assert (pages[ended].records, place(pages[ended]).get("backfill")) == ([], None)


async def test_history_begins_where_the_setting_says(project: Bench) -> None:
    project.load(100, every=HOUR)
    since = datetime.fromtimestamp(NEW_YEAR - 20 * DAY + 60 * HOUR, UTC)
    pages = await project.read(backfill_since=since)
    assert len(set(ids(pages))) == 40
    assert min(response.created_at for response in responses(pages)) == since


async def test_nothing_below_the_beginning_is_asked_for_even_by_the_look_back(project: Bench) -> None:
    await project.read(backfill_since=datetime.fromtimestamp(NEW_YEAR - DAY, UTC))
    asked = {request.target.partition("startDate=")[2].partition("&")[0] for request in project.server.requests}
    assert asked == {"2025-12-30T23:59:59.000Z"}


async def test_an_answer_at_the_very_beginning_is_read_even_if_bounds_are_exclusive() -> None:
    async with bench(bounds="exclusive") as project:
        number = project.server.answer("ada@example.org", 9, created_at=NEW_YEAR - DAY)
        assert number in ids(await project.read(backfill_since=datetime.fromtimestamp(NEW_YEAR - DAY, UTC)))


async def test_without_backfill_only_what_comes_after_the_start_is_read(project: Bench) -> None:
    project.load(150)
    project.server.answer("now@example.org", 9)
    start = await project.read(backfill=False)
    fresh = project.server.answer("later@example.org", 3)
    project.hands.forward(DAY)
    late = project.server.answer("tomorrow@example.org", 4)
    assert ids(start) == []
    assert set(ids(await project.read(start[-1].checkpoint, backfill=False))) == {fresh, late}


async def test_without_backfill_an_empty_account_hears_its_first_answer(project: Bench) -> None:
    start = await project.read(backfill=False)
    first = project.server.answer("ada@example.org", 9)
    assert ids(await project.read(start[-1].checkpoint, backfill=False)) == [first]


async def test_without_backfill_a_row_dated_in_the_future_hides_nothing(project: Bench) -> None:
    project.server.answer("odd@example.org", 9, created_at=NEW_YEAR + 400 * DAY)
    start = await project.read(backfill=False)
    fresh = project.server.answer("ada@example.org", 9)
    assert ids(await project.read(start[-1].checkpoint, backfill=False)) == [fresh]


# --- crashes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("switches", [{}, {"cursor": "offset"}, {"order": "oldest"}, {"tie_order": "shuffled"}])
async def test_i11_a_restart_at_any_page_loses_nothing(switches: dict[str, Any]) -> None:
    async with bench(**switches) as project:
        wanted = set(project.load(700, since=NEW_YEAR - 2 * MONTH, every=2 * HOUR))
        whole = await project.read()
        for number in range(len(whole)):
            resumed = await project.read(whole[number].checkpoint)
            assert wanted <= {*ids(whole[: number + 1]), *ids(resumed)}


async def test_a_restart_in_a_month_goes_on_below_what_is_stored(project: Bench) -> None:
    project.load(900, since=NEW_YEAR - 20 * DAY, every=MINUTE)
    whole = await history(project)
    third = [page for page in whole if page.records][2]
    assert len(ids(await history(project, third.checkpoint))) <= 900 - 300 + 1


async def test_f25_every_second_request_failing_only_slows_it(project: Bench) -> None:
    wanted = set(project.load(900, since=NEW_YEAR - 20 * DAY, every=MINUTE))
    project.server.faults.add(status(503), times=None, every=2)
    checkpoint, found = None, set[str]()
    for _ in range(40):
        checkpoint = await as_far_as_it_goes(project, checkpoint, found)
    assert found == wanted


async def as_far_as_it_goes(project: Bench, checkpoint: bytes | None, found: set[str]) -> bytes | None:
    with suppress(TryLater):
        async for page in project.source(backfill_since=datetime(2025, 11, 1, tzinfo=UTC)).read(checkpoint):
            found.update(ids([page]))
            checkpoint = page.checkpoint
    return checkpoint


# --- what happens while history is read ---------------------------------------------------------------------------


async def test_i13_an_answer_that_is_given_meanwhile_is_found(project: Bench) -> None:
    project.load(400)
    seen, given = [], ""
    async for page in project.source().read(None):
        seen.append(page)
        if page.records and not given:
            project.hands.forward(1)
            given = project.server.answer("new@example.org", 2)
    checkpoint = seen[-1].checkpoint
    assert given in ids([*seen, *await project.read(checkpoint)])


async def test_i13_an_answer_that_is_edited_behind_us_is_found_at_the_seam(project: Bench) -> None:
    numbers = project.load(400)
    seen: list[Page] = []
    async for page in project.source().read(None):
        seen.append(page)
        if len(seen) > 2 and seen[-2].records and seen[-1].backfilling:
            project.server.edit(numbers[-1], comment="On second thought")
    comments = {response.comment for response in responses(seen) if response.id == numbers[-1]}
    assert comments == {None, "On second thought"}


@pytest.mark.parametrize("cursor", ["keyset", "offset"])
async def test_i13_rows_deleted_while_paging_hide_no_others(cursor: str) -> None:
    async with bench(cursor=cursor) as project:
        numbers = project.load(600, since=NEW_YEAR - 10 * DAY, every=MINUTE)
        gone = set(numbers[-60:-50])
        seen: list[Page] = []
        async for page in project.source().read(None):
            seen.append(page)
            for number in gone & set(project.server.responses) if page.records else ():
                project.server.remove(number)
        assert set(numbers) - gone <= set(ids(seen))


async def test_i13_an_answer_that_is_listed_late_is_found_by_the_look_back(project: Bench) -> None:
    project.load(150)
    late = project.server.answer("late@example.org", 1, created_at=NEW_YEAR - 2 * DAY, visible_after=HOUR)
    start = await project.read()
    project.hands.forward(DAY)
    assert late not in ids(start)
    assert [response.id for response in new(await project.read(start[-1].checkpoint), start)] == [late]


async def test_i13_ties_on_the_border_of_a_page_are_all_read(project: Bench) -> None:
    wanted = project.server.load(
        PastAnswer(email=f"p{number}@example.org", score=9, created_at=NEW_YEAR - HOUR) for number in range(350)
    )
    assert set(ids(await project.read())) == set(wanted)


@pytest.mark.parametrize(
    "switches",
    [
        {"bounds": "exclusive"},
        {"last_cursor": "absent"},
        {"size_says": "listed"},
        {"longest_page": 7},
        {"page_size_out_of_range": "clamp"},
        {"order": "oldest"},
        {"tie_order": "shuffled"},
    ],
)
async def test_f29_whatever_the_list_is_like_nothing_is_missing(switches: dict[str, Any]) -> None:
    async with bench(**switches) as project:
        wanted = set(project.load(230, since=NEW_YEAR - 2 * MONTH, every=5 * HOUR))
        assert set(ids(await project.read())) == wanted

"""Following an account: what is new, and what was said later of what is old."""

from collections.abc import Callable
from typing import Any

import pytest

from unit.platforms.retently.bench import DAY, NOW_MS, Bench, read, read_while

HOUR = 3600


async def caught_up(bench: Bench, **settings: Any) -> bytes:
    """The checkpoint of an account that is read to the end, the look back after history included."""
    return (await read(bench.source(**settings))).checkpoint


async def test_an_idle_round_costs_one_request_and_changes_nothing(bench: Bench) -> None:
    ids = bench.load(50)
    checkpoint = await caught_up(bench)
    before = len(bench.asked)
    idle = await read(bench.source(), checkpoint)
    assert len(bench.asked) - before == 1
    assert idle.checkpoint == checkpoint
    assert set(idle.ids) <= set(ids)


@pytest.mark.parametrize("paging_at", ["data", "top"])
async def test_what_the_server_says_of_its_pages_saves_requests(bench: Bench, paging_at: str) -> None:
    bench.load(50)
    bench.server.change_switches({"paging_at": paging_at})
    checkpoint = await caught_up(bench)
    before = len(bench.asked)
    await read(bench.source(), checkpoint)
    assert len(bench.asked) - before == 1


async def test_an_unchanged_answer_comes_as_the_same_bytes(bench: Bench) -> None:
    bench.load(5)
    first = await read(bench.source())
    again = await read(bench.source(), first.checkpoint)
    assert {record for page in again.pages for record in page.records} <= {
        record for page in first.pages for record in page.records
    }


async def test_a_new_answer_is_found(bench: Bench) -> None:
    bench.load(5)
    checkpoint = await caught_up(bench)
    answered = bench.server.answer("ana@example.org", 9)
    assert answered in (await read(bench.source(), checkpoint)).ids


@pytest.mark.parametrize("overlap", [0, 600])
async def test_at_least_ten_minutes_are_read_again(bench: Bench, overlap: int) -> None:
    bench.load(5, days=1)
    bench.server.answer("now@example.org", 9)
    checkpoint = await caught_up(bench)
    late = bench.server.answer("late@example.org", 9, created_ms=NOW_MS - 595_000)
    assert late in (await read(bench.source(overlap=overlap), checkpoint)).ids


async def test_an_answer_that_becomes_visible_late_is_found(bench: Bench) -> None:
    bench.load(5)
    checkpoint = await caught_up(bench)
    hidden = bench.server.answer("slow@example.org", 9, visible_after=300)
    bench.hands.forward(60)
    bench.server.answer("quick@example.org", 9)
    second = await read(bench.source(), checkpoint)
    bench.hands.forward(300)
    assert hidden not in second.ids
    assert hidden in (await read(bench.source(), second.checkpoint)).ids


@pytest.mark.parametrize("days_later", [1, 20, 28])
async def test_a_comment_that_comes_days_later_is_found(bench: Bench, days_later: int) -> None:
    answered = bench.server.answer("ana@example.org", 2)
    checkpoint = await caught_up(bench)
    bench.hands.forward(days_later * DAY)
    bench.server.answer("ben@example.org", 9)
    checkpoint = (await read(bench.source(), checkpoint)).checkpoint
    bench.server.edit(answered, comment="I have thought about it")
    bench.hands.forward(DAY)
    found = await read(bench.source(), checkpoint)
    assert {row["comment"] for row in found.rows if row["id"] == answered} == {"I have thought about it"}


async def test_a_comment_of_yesterday_s_answer_is_found_within_the_hour(bench: Bench) -> None:
    [answered] = bench.load(1, days=1)
    bench.server.answer("now@example.org", 9)
    checkpoint = await caught_up(bench)
    bench.server.edit(answered, comment="late")
    assert answered not in (await read(bench.source(), checkpoint)).ids
    bench.hands.forward(HOUR)
    assert answered in (await read(bench.source(), checkpoint)).ids


async def test_rescan_says_how_far_back_comments_are_looked_for(bench: Bench) -> None:
    [old] = bench.load(1, days=20)
    [young] = bench.load(1, days=9)
    bench.server.answer("now@example.org", 9)
    checkpoint = await caught_up(bench)
    bench.hands.forward(DAY)
    found = (await read(bench.source(rescan="10d"), checkpoint)).ids
    assert young in found
    assert old not in found


async def test_a_rescan_is_not_made_again_before_its_time(bench: Bench) -> None:
    bench.load(5)
    checkpoint = await caught_up(bench)
    costs = []
    for hours in (1, 0.5, 0.5, 22, 0.5):
        bench.hands.forward(hours * HOUR)
        before = len(bench.asked)
        checkpoint = (await read(bench.source(), checkpoint)).checkpoint
        costs.append(len(bench.asked) - before)
    assert costs == [2, 1, 2, 2, 1]


async def test_f15_a_clock_that_jumps_stops_no_rescan(bench: Bench) -> None:
    bench.load(5)
    bench.hands.forward(30 * DAY)
    checkpoint = await caught_up(bench)
    bench.hands.forward(-30 * DAY)
    await read(bench.source(), checkpoint)
    assert "startDate=2025-12-01" in bench.asked[-1]


async def test_i13_answers_of_the_same_millisecond_fill_several_pages(bench: Bench) -> None:
    bench.load(1, days=1)
    checkpoint = await caught_up(bench)
    ids = {bench.server.answer(f"p{n}@example.org", 9, created_ms=NOW_MS) for n in range(250)}
    assert ids <= set((await read(bench.source(), checkpoint)).ids)


async def test_i13_ties_in_an_order_of_their_own_are_all_found(bench: Bench) -> None:
    bench.server.change_switches({"tie_order": "shuffled"})
    ids = set(bench.load(250, step_ms=0))
    assert set((await read(bench.source())).ids) == ids


async def changed_while_paging(bench: Bench, act: Callable[[list[str]], object]) -> set[str]:
    """What a round over 350 new answers finds when something happens after its first page."""
    bench.load(1, days=2)
    checkpoint = await caught_up(bench)
    ids = bench.load(350)
    pages = await read_while(bench.source(), checkpoint, lambda page: act(ids) if page == 1 else None)
    return set(pages.ids)


@pytest.mark.parametrize("count", [1, 100, 170])
async def test_i13_answers_deleted_while_paging_hide_no_other(bench: Bench, count: int) -> None:
    def act(ids: list[str]) -> None:
        for gone in ids[:count]:
            bench.server.delete(gone)

    assert await changed_while_paging(bench, act) >= set(bench.server.responses)


@pytest.mark.parametrize("created_ms", [NOW_MS, NOW_MS - DAY * 1000 + 5500], ids=["ahead", "behind"])
async def test_i13_an_answer_that_comes_while_paging_is_found(bench: Bench, created_ms: int) -> None:
    found = await changed_while_paging(
        bench, lambda _: bench.server.answer("new@example.org", 1, created_ms=created_ms)
    )
    assert found >= set(bench.server.responses)


async def test_i13_an_edit_while_paging_hides_nothing(bench: Bench) -> None:
    found = await changed_while_paging(bench, lambda ids: bench.server.edit(ids[0], comment="late"))
    assert found >= set(bench.server.responses)


@pytest.mark.parametrize(
    "switches",
    [
        {"sort": "ignored"},
        {"sort": "ignored", "paging_at": "nowhere"},
        {"start_date": "exclusive"},
        {"start_date": "exclusive", "precision": "seconds"},
        {"precision": "seconds"},
        {"paging_at": "top"},
        {"paging_at": "nowhere"},
        {"rows_at": "top"},
        {"rows_at": "bare", "paging_at": "top"},
        {"rows_at": "bare", "paging_at": "nowhere"},
        {"short_by": 30},
        {"short_by": 30, "paging_at": "nowhere"},
        {"metrics_type": "upper", "missing_comment": "absent"},
    ],
    ids=str,
)
async def test_i13_whatever_nobody_knows_of_the_server_no_answer_is_lost(
    bench: Bench, switches: dict[str, str]
) -> None:
    bench.server.change_switches(switches)
    ids = bench.load(230, days=40, step_ms=DAY * 170)
    first = await read(bench.source())
    fresh = [bench.server.answer(f"n{n}@example.org", 9) for n in range(130)]
    second = await read(bench.source(), first.checkpoint)
    assert set(first.ids) == set(ids)
    assert set(fresh) <= set(second.ids)


async def test_the_last_millisecond_before_a_restart_without_backfill_is_asked_for_again(bench: Bench) -> None:
    bench.server.change_switches({"start_date": "exclusive", "precision": "seconds"})
    bench.server.answer("ana@example.org", 9, created_ms=NOW_MS)
    checkpoint = await caught_up(bench, backfill=False)
    fresh = bench.server.answer("ben@example.org", 9, created_ms=NOW_MS + 500)
    assert (await read(bench.source(), checkpoint)).ids == [fresh]


async def test_one_answer_dated_in_the_future_does_not_hide_those_that_follow(bench: Bench) -> None:
    bench.server.answer("odd@example.org", 9, created_ms=NOW_MS + 400 * DAY * 1000)
    checkpoint = await caught_up(bench)
    fresh = bench.server.answer("ana@example.org", 9)
    assert fresh in (await read(bench.source(), checkpoint)).ids


async def test_an_outage_of_three_days_is_caught_up_with(bench: Bench) -> None:
    bench.load(5)
    checkpoint = await caught_up(bench)
    bench.hands.forward(3 * DAY)
    fresh = {bench.server.answer(f"n{n}@example.org", 9, created_ms=NOW_MS + n * HOUR * 200) for n in range(350)}
    assert fresh <= set((await read(bench.source(), checkpoint)).ids)


async def test_a_long_rescan_goes_on_a_little_in_each_round(bench: Bench) -> None:
    bench.load(60, days=20)
    bench.server.answer("now@example.org", 9)
    checkpoint = await caught_up(bench)
    bench.server.change_switches({"short_by": 99})
    bench.hands.forward(DAY)
    costs = []
    for _ in range(3):
        before = len(bench.asked)
        checkpoint = (await read(bench.source(), checkpoint)).checkpoint
        costs.append(len(bench.asked) - before)
    assert costs == [1 + 50, 11 + 1, 1]

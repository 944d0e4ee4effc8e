"""Every later round: news by the time of the change, and looks back for what that does not show."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from npsbridge.sandbox.faults import Answer
from unit.platforms.delighted.driving import DAY, HOUR, MINUTE, Bench, bench, ids, place, said
from unit.sandbox.calling import NEW_YEAR

KINDS_OF_ACCOUNTS: list[dict[str, Any]] = [
    {"updated_at": updated_at, "updated_since_matches_null": matches_null, "tie_order": tie_order}
    for updated_at in ("set", "null_until_edited", "always_null")
    for matches_null in (True, False)
    for tie_order in ("id", "shuffled")
]


@pytest.fixture
async def shop() -> AsyncIterator[Bench]:
    async with bench() as shop:
        yield shop


# --- news -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("switches", KINDS_OF_ACCOUNTS)
async def test_a_new_answer_is_told_in_the_next_round(switches: dict[str, Any]) -> None:
    async with bench(**switches) as shop:
        shop.load(30)
        checkpoint = await shop.caught_up()
        shop.forward(MINUTE)
        new = shop.server.answer(None, 9)
        pages, _ = await shop.next_round(checkpoint)
        assert new in ids(pages)


@pytest.mark.parametrize("switches", [kind for kind in KINDS_OF_ACCOUNTS if kind["updated_at"] != "always_null"])
async def test_a_comment_added_later_is_told_in_the_next_round(switches: dict[str, Any]) -> None:
    async with bench(**switches) as shop:
        loaded = shop.load(130, every=DAY // 2)
        checkpoint = await shop.caught_up()
        shop.forward(MINUTE)
        shop.server.edit(loaded[0], comment="late thought")
        pages, _ = await shop.next_round(checkpoint)
        assert (loaded[0], "late thought") in said(pages)


async def test_a_new_answer_is_told_though_only_edited_ones_show_by_their_change() -> None:
    async with bench(updated_at="null_until_edited", updated_since_matches_null=False) as shop:
        shop.server.edit(shop.load(1)[0], comment="late thought")
        checkpoint = await shop.caught_up()
        shop.forward(MINUTE)
        _, checkpoint = await shop.next_round(checkpoint)
        new = shop.server.answer(None, 9)
        pages, _ = await shop.next_round(checkpoint)
    assert new in ids(pages)


@pytest.mark.parametrize("matches_null", [True, False])
async def test_a_comment_is_told_even_if_no_row_ever_has_an_updated_at(*, matches_null: bool) -> None:
    async with bench(updated_at="always_null", updated_since_matches_null=matches_null) as shop:
        new = shop.server.answer(None, 9)
        checkpoint = await shop.caught_up()
        shop.forward(MINUTE)
        shop.server.edit(new, comment="late thought")
        pages, _ = await shop.next_round(checkpoint)
        assert (new, "late thought") in said(pages)


async def test_i11_a_restart_behind_any_page_of_a_backlog_loses_nothing(shop: Bench) -> None:
    checkpoint = await shop.caught_up()
    shop.forward(3 * DAY)
    shop.load(450, since=NEW_YEAR + DAY, every=1)
    kept = await shop.some(checkpoint, count=1)
    for _ in range(12):
        kept += await shop.some(kept[-1].checkpoint, count=1)
    kept += await shop.read(kept[-1].checkpoint)
    assert set(said(kept)) == shop.truth


async def test_i13_edits_while_a_backlog_is_read_are_told(shop: Bench) -> None:
    checkpoint = await shop.caught_up()
    loaded = shop.load(450, since=NEW_YEAR - HOUR, every=1)
    kept = []
    async for page in shop.pages(checkpoint):
        kept.append(page)
        shop.theirs.forward(1)
        shop.server.edit(loaded[len(kept) * 30], comment=f"after page {len(kept)}")
        if len(kept) == 12:
            break
    kept += await shop.read(kept[-1].checkpoint)
    assert shop.truth <= set(said(kept))


# --- late and misdated rows -------------------------------------------------------------------------------------


async def test_f31_an_edit_that_shows_late_is_told_within_the_overlap(shop: Bench) -> None:
    loaded = shop.load(1)
    shop.server.account.edit(loaded[0], comment="late thought", visible_after=250)
    shop.forward(10)
    shop.server.answer(None, 5)
    checkpoint = await shop.caught_up()
    shop.forward(245)
    pages, _ = await shop.next_round(checkpoint)
    assert (loaded[0], "late thought") in said(pages)


async def test_f31_an_answer_without_updated_at_that_shows_late_is_told_within_the_overlap() -> None:
    async with bench(updated_at="null_until_edited", updated_since_matches_null=False) as shop:
        late = shop.server.account.answer(None, 9, visible_after=250).id
        shop.forward(10)
        shop.server.answer(None, 5)
        checkpoint = await shop.caught_up()
        shop.forward(245)
        pages, _ = await shop.next_round(checkpoint)
    assert late in ids(pages)


async def test_f31_a_row_that_shows_late_is_told_though_reading_went_on_for_long(shop: Bench) -> None:
    checkpoint = await shop.caught_up()
    late = shop.server.account.answer(None, 9, visible_after=100).id
    shop.forward(50)
    shop.load(90, since=NEW_YEAR - 40, every=1)
    kept = []
    async for page in shop.pages(checkpoint):
        kept.append(page)
        shop.forward(400)
        shop.load(30, since=shop.server.account.second() - 30, every=1)
        if len(kept) == 3:
            break
    assert late not in ids(kept)
    assert late in ids(await shop.read(kept[-1].checkpoint))


async def test_each_round_of_a_source_goes_on_from_its_own_beginning(shop: Bench) -> None:
    source = shop.source()
    checkpoint = [page async for page in source.read(None)][-1].checkpoint
    shop.forward(HOUR)
    shop.server.answer(None, 9)
    pages = [page async for page in source.read(checkpoint)]
    assert place(pages[-1]).updated == NEW_YEAR + HOUR


async def test_one_answer_dated_in_the_future_hides_no_others(shop: Bench) -> None:
    shop.server.answer(None, 1, created_at=NEW_YEAR + 9 * DAY, updated_at=NEW_YEAR + 9 * DAY)
    checkpoint = await shop.caught_up()
    shop.forward(HOUR)
    new = shop.server.answer(None, 9)
    pages, _ = await shop.next_round(checkpoint)
    assert new in ids(pages)


async def test_nothing_below_the_overlap_is_read_again(shop: Bench) -> None:
    loaded = shop.load(60)
    pages, _ = await shop.next_round(await shop.caught_up(), overlap=5 * MINUTE)
    assert ids(pages) == set(loaded[-6:])


# --- looking back -----------------------------------------------------------------------------------------------


def backdate(shop: Bench, days: int) -> str:
    """An answer of days ago appears, and pretends not to have changed since."""
    at = shop.server.account.second() - days * DAY
    return shop.server.answer(None, 9, created_at=at, updated_at=at)


@pytest.mark.parametrize(("days", "wait"), [(1, HOUR), (20, DAY)])
async def test_a_backdated_answer_is_found_by_looking_back(shop: Bench, days: int, wait: int) -> None:
    shop.server.answer(None, 5)
    checkpoint = await shop.caught_up()
    hidden = backdate(shop, days)
    shop.ours.forward(wait - 1)
    pages, checkpoint = await shop.next_round(checkpoint)
    assert hidden not in ids(pages)
    shop.ours.forward(1)
    pages, _ = await shop.next_round(checkpoint)
    assert hidden in ids(pages)


async def test_rescan_says_how_far_the_daily_look_back_goes(shop: Bench) -> None:
    shop.server.answer(None, 5)
    checkpoint = await shop.caught_up()
    hidden = backdate(shop, 40)
    shop.ours.forward(DAY)
    assert hidden not in ids(await shop.read(checkpoint))
    assert hidden in ids(await shop.read(checkpoint, rescan=50 * DAY))


async def test_after_a_look_back_the_next_one_waits_for_its_time(shop: Bench) -> None:
    shop.server.answer(None, 5)
    checkpoint = await shop.caught_up()
    shop.ours.forward(DAY)
    _, checkpoint = await shop.next_round(checkpoint)
    hidden = backdate(shop, 1)
    pages, _ = await shop.next_round(checkpoint)
    assert hidden not in ids(pages)


async def test_i11_a_look_back_that_was_cut_short_is_made_again(shop: Bench) -> None:
    shop.load(350, since=NEW_YEAR - DAY, every=1)
    checkpoint = await shop.caught_up()
    hidden = backdate(shop, 1)
    shop.ours.forward(HOUR)
    async for page in shop.pages(checkpoint):
        checkpoint = page.checkpoint
        if place(page).created and hidden not in ids([page]):
            break
    assert hidden in ids(await shop.read(checkpoint))


async def test_f15_a_clock_set_back_delays_no_look_back(shop: Bench) -> None:
    shop.server.answer(None, 5)
    checkpoint = await shop.caught_up()
    hidden = backdate(shop, 20)
    shop.ours.forward(-2 * DAY)
    assert hidden in ids(await shop.read(checkpoint))


async def test_f15_our_clock_decides_nothing_but_when_to_look_back(shop: Bench) -> None:
    loaded = shop.load(30)
    shop.ours.forward(30 * DAY)
    checkpoint = await shop.caught_up()
    new = shop.server.answer(None, 9)
    assert {new} <= ids(await shop.read(checkpoint)) <= {new, *loaded}


# --- what a round costs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("switches", KINDS_OF_ACCOUNTS)
async def test_an_idle_round_costs_two_requests_and_moves_nothing(switches: dict[str, Any]) -> None:
    async with bench(**switches) as shop:
        shop.load(250)
        _, checkpoint = await shop.next_round(await shop.caught_up())
        before = len(shop.server.requests)
        shop.forward(MINUTE)
        _, after = await shop.next_round(checkpoint)
        assert (len(shop.server.requests) - before <= 2, after) == (True, checkpoint)


async def test_an_account_that_shows_rows_without_updated_at_costs_one_request() -> None:
    async with bench(updated_at="null_until_edited") as shop:
        shop.load(250)
        _, checkpoint = await shop.next_round(await shop.caught_up())
        before = len(shop.server.requests)
        await shop.next_round(checkpoint)
        assert len(shop.server.requests) - before == 1


async def test_f29_a_page_that_was_short_by_mistake_is_made_up_for(shop: Bench) -> None:
    shop.load(50)
    checkpoint = await shop.caught_up()
    new = shop.load(30, since=NEW_YEAR - MINUTE, every=1)
    shop.server.faults.add(Answer(body="[]"), path="updated_since")
    _, checkpoint = await shop.next_round(checkpoint, overlap=0)
    assert set(new) <= ids(await shop.read(checkpoint, overlap=0))

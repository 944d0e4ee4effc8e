"""The first round: history by the time of the answer, then the seam to following."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from npsbridge.sandbox.faults import Answer
from unit.platforms.delighted.driving import DAY, HOUR, LONG_AGO, MINUTE, Bench, backfilled, bench, ids, place, said
from unit.sandbox.calling import NEW_YEAR


@pytest.fixture
async def shop() -> AsyncIterator[Bench]:
    async with bench() as shop:
        yield shop


# --- all of it --------------------------------------------------------------------------------------------------


async def test_history_is_read_to_the_last_answer(shop: Bench) -> None:
    loaded = shop.load(250)
    assert ids(backfilled(await shop.read())) == set(loaded)


async def test_history_comes_in_the_order_it_was_answered(shop: Bench) -> None:
    loaded = shop.load(250)
    told = [response_id for response_id, _ in said(backfilled(await shop.read()))]
    assert list(dict.fromkeys(told)) == loaded


async def test_an_empty_account_has_a_checkpoint_too(shop: Bench) -> None:
    pages = await shop.read()
    assert [page.records for page in pages] == [[], []]
    assert place(pages[-1]).backfill is None


async def test_the_first_checkpoint_is_there_before_any_row(shop: Bench) -> None:
    shop.load(3)
    first = await anext(shop.pages())
    assert (first.records, first.backfilling, place(first).updated) == ([], True, LONG_AGO + 2 * MINUTE)


async def test_progress_goes_from_nothing_to_all(shop: Bench) -> None:
    shop.load(450)
    shares = [page.progress for page in backfilled(await shop.read()) if page.progress is not None]
    assert all(one <= other for one, other in pairwise(shares))
    assert [*shares[:2], shares[-1]] == pytest.approx([99 / 449, 198 / 449, 1.0])


async def test_a_crowded_second_is_read_whole(shop: Bench) -> None:
    loaded = shop.load(450, every=0)
    assert ids(await shop.read()) == set(loaded)


@pytest.mark.parametrize(
    "switches", [{"tie_order": "shuffled"}, {"updated_at": "always_null"}, {"expanded_person": "full"}]
)
async def test_history_is_read_from_every_kind_of_account(switches: dict[str, Any]) -> None:
    async with bench(**switches) as shop:
        loaded = shop.load(250, every=0)
        assert ids(await shop.read()) == set(loaded)


async def test_history_asks_for_everything_a_response_needs(shop: Bench) -> None:
    shop.load(1)
    await shop.read()
    assert {(query["per_page"], query["expand%5B%5D"]) for query in shop.asked()} == {("100", "person")}


# --- restart at every page --------------------------------------------------------------------------------------


@pytest.mark.parametrize("survived", range(1, 8))
async def test_i11_a_restart_behind_any_page_loses_nothing(shop: Bench, survived: int) -> None:
    shop.load(450, every=1)
    kept = await shop.some(count=survived)
    kept += await shop.read(kept[-1].checkpoint)
    assert set(said(kept)) == shop.truth


async def test_i11_a_crash_behind_every_third_page_still_comes_to_the_end(shop: Bench) -> None:
    shop.load(850, every=1)
    kept = await shop.some()
    while place(kept[-1]).backfill is not None:
        assert len(kept) < 30
        kept += await shop.some(kept[-1].checkpoint)
    assert set(said(kept)) == shop.truth


async def test_progress_goes_on_after_a_restart(shop: Bench) -> None:
    shop.load(450)
    kept = backfilled(await shop.read())
    again = backfilled(await shop.read(kept[3].checkpoint))
    assert again[0].progress == kept[4].progress


# --- the seam ---------------------------------------------------------------------------------------------------


async def test_i13_what_is_edited_while_history_is_read_is_seen_again(shop: Bench) -> None:
    loaded = shop.load(250)
    kept = []
    async for page in shop.pages():
        kept.append(page)
        shop.theirs.forward(1)
        shop.server.edit(loaded[len(kept)], comment=f"after page {len(kept)}")
    kept += await shop.read(kept[-1].checkpoint)
    assert shop.truth <= set(said(kept))


async def test_i13_what_is_answered_while_history_is_read_is_seen(shop: Bench) -> None:
    shop.load(250)
    kept = []
    async for page in shop.pages():
        kept.append(page)
        shop.theirs.forward(1)
        shop.server.answer(None, 5, comment=f"after page {len(kept)}", created_at=shop.server.account.second())
        if len(kept) == 12:
            break
    kept += await shop.read(kept[-1].checkpoint)
    assert set(said(kept)) == shop.truth


async def test_f31_what_vanishes_while_history_is_read_takes_nothing_else_with_it(shop: Bench) -> None:
    loaded = shop.load(450, every=0)
    kept = []
    async for page in shop.pages():
        kept.append(page)
        if shop.server.people and len(kept) < 6:
            shop.server.delete_person(f"p{len(kept)}@example.org")
    assert ids(kept) >= set(shop.server.responses)
    assert len(shop.server.responses) == len(loaded) - 5


# --- BACKFILL and BACKFILL_SINCE --------------------------------------------------------------------------------


async def test_without_backfill_nothing_old_is_told(shop: Bench) -> None:
    shop.load(250, every=1)
    pages = await shop.read(backfill=False)
    assert (said(pages), any(page.backfilling for page in pages)) == ([], False)


@pytest.mark.parametrize("updated_at", ["set", "null_until_edited", "always_null"])
@pytest.mark.parametrize("matches_null", [True, False])
async def test_without_backfill_the_newest_second_is_old_as_well(updated_at: str, *, matches_null: bool) -> None:
    async with bench(updated_at=updated_at, updated_since_matches_null=matches_null) as shop:
        old = shop.load(250, every=0)
        checkpoint = await shop.caught_up(backfill=False)
        shop.server.answer(None, 9, comment="new in the same second", created_at=LONG_AGO, updated_at=LONG_AGO)
        pages, _ = await shop.next_round(checkpoint, backfill=False)
        assert not ids(pages) & set(old)
        assert [comment for _, comment in said(pages)][:1] == ["new in the same second"]


async def test_without_backfill_an_edit_of_something_old_is_told(shop: Bench) -> None:
    old = shop.load(3)
    checkpoint = await shop.caught_up(backfill=False)
    shop.theirs.forward(5)
    shop.server.edit(old[0], comment="late thought")
    pages, _ = await shop.next_round(checkpoint, backfill=False)
    assert set(said(pages)) == {(old[0], "late thought")}


async def test_without_backfill_looking_back_tells_nothing_old(shop: Bench) -> None:
    shop.load(50, since=NEW_YEAR - DAY, every=1)
    checkpoint = await shop.caught_up(backfill=False)
    shop.forward(DAY)
    pages, _ = await shop.next_round(checkpoint, backfill=False)
    assert said(pages) == []


async def test_backfill_since_leaves_out_what_was_answered_before(shop: Bench) -> None:
    loaded = shop.load(10, every=DAY)
    since = datetime.fromtimestamp(LONG_AGO + 7 * DAY, UTC)
    pages = await shop.read(backfill_since=since)
    assert ids(pages) == set(loaded[7:])


async def test_backfill_since_tells_a_later_edit_of_what_was_answered_before(shop: Bench) -> None:
    loaded = shop.load(10, every=DAY)
    since = datetime.fromtimestamp(LONG_AGO + 7 * DAY, UTC)
    checkpoint = await shop.caught_up(backfill_since=since)
    shop.server.edit(loaded[0], comment="late thought")
    pages, _ = await shop.next_round(checkpoint, backfill_since=since)
    assert (loaded[0], "late thought") in said(pages)


async def test_backfill_since_before_1970_is_everything(shop: Bench) -> None:
    loaded = shop.load(3)
    pages = await shop.read(backfill_since=datetime(1969, 7, 20, tzinfo=UTC))
    assert ids(pages) == set(loaded)
    assert all(int(query.get("since", 0)) >= 0 for query in shop.asked())


async def test_without_backfill_rows_that_the_list_of_changes_does_not_show_are_old_as_well() -> None:
    async with bench(updated_at="always_null", updated_since_matches_null=False) as shop:
        shop.load(3, since=NEW_YEAR - MINUTE, every=1)
        shop.server.faults.add(Answer(body="[]"), path="updated_at")
        pages, _ = await shop.next_round(await shop.caught_up(backfill=False), backfill=False)
    assert said(pages) == []


async def test_without_backfill_an_answer_dated_in_the_future_hides_no_new_ones(shop: Bench) -> None:
    shop.server.answer(None, 1, created_at=NEW_YEAR + 9 * DAY, updated_at=NEW_YEAR + 9 * DAY)
    checkpoint = await shop.caught_up(backfill=False)
    shop.forward(HOUR)
    shop.server.answer(None, 9, comment="new")
    pages, _ = await shop.next_round(checkpoint, backfill=False)
    assert "new" in {comment for _, comment in said(pages)}

"""Reading an account: its history, what is new, and what was edited."""

import random
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from npsbridge.errors import TryLater
from npsbridge.platforms.promoter.parse import parse
from npsbridge.sandbox.promoter import PromoterServer
from unit.platforms.promoter.engine import DAY, Engine, load, number_of
from unit.sandbox.calling import Hands

HISTORY = [900, 899.5, 400, 399, 120, 30, 5, 1, 0.1]


async def test_the_first_round_reads_all_history_oldest_first(server: PromoterServer, engine: Engine) -> None:
    ids = load(server, HISTORY)
    assert await engine.poll() == ids
    told = [page.backfilling for page in engine.pages]
    assert told == sorted(told, reverse=True)
    assert next(page.backfilling for page in engine.pages if ids[-1] in map(number_of, page.records))
    assert not told[-1]


async def test_progress_runs_to_the_end(server: PromoterServer, engine: Engine) -> None:
    load(server, [day / 4 for day in range(2000, 0, -1)])
    await engine.poll()
    shares = [page.progress for page in engine.pages if page.backfilling and page.progress is not None]
    assert shares == sorted(shares)
    assert shares[0] < 0.3
    assert shares[-1] == pytest.approx(1, abs=0.01)


async def test_two_years_of_history_take_few_more_requests_than_they_have_pages(
    server: PromoterServer, engine: Engine
) -> None:
    load(server, [730 - day / 5 for day in range(3650)])
    assert await engine.cost() <= 37 * 2


async def test_an_account_without_answers_costs_little_and_then_shows_its_first(
    server: PromoterServer, engine: Engine
) -> None:
    assert await engine.cost() <= 5
    first = server.answer("ana@acme.test", 9)
    assert await engine.poll() == [first]


@pytest.mark.parametrize("count", [0, 7, 350])
async def test_an_idle_round_costs_one_request_and_brings_nothing(
    server: PromoterServer, engine: Engine, count: int
) -> None:
    load(server, [at / 1000 for at in range(count)])
    await engine.poll()
    pages = len(engine.pages)
    assert [await engine.cost() for _ in range(3)] == [1, 1, 1]
    assert len(engine.pages) == pages


async def test_new_answers_come_with_the_next_round(server: PromoterServer, engine: Engine, hands: Hands) -> None:
    load(server, [at / 200 for at in range(350)])
    await engine.poll()
    hands.forward(120)
    new = [server.answer("ana@acme.test", 9), server.answer(None, 0, comment="no\0thing")]
    assert sorted(await engine.poll()) == new
    assert engine.comment(new[1]) == "nothing"


async def test_an_edit_on_a_page_that_is_read_anyway_is_seen_at_once(server: PromoterServer, engine: Engine) -> None:
    [old] = load(server, [1])
    await engine.poll()
    server.edit(old, comment="at second thought")
    assert await engine.poll() == [old]


async def test_an_edit_on_a_later_page_is_found_within_an_hour(
    server: PromoterServer, engine: Engine, hands: Hands
) -> None:
    ids = load(server, [at / 200 for at in range(350)])
    await engine.poll()
    server.edit(max(ids), comment="late")
    assert await engine.poll() == []
    hands.forward(3600)
    assert await engine.poll() == [max(ids)]


async def test_f31_a_comment_twenty_days_later_is_found_within_a_day(
    server: PromoterServer, engine: Engine, hands: Hands
) -> None:
    ids = load(server, [40, 5, 4, 3])
    await engine.poll()
    server.answer("ana@acme.test", 9, posted_at=int(hands()))
    hands.forward(15 * DAY)
    await engine.poll()
    server.edit(ids[1], comment="twenty days later")
    hands.forward(DAY)
    assert await engine.poll() == [ids[1]]
    assert engine.comment(ids[1]) == "twenty days later"


async def test_a_longer_rescan_reaches_further(
    server: PromoterServer, connect: Callable[..., Engine], hands: Hands
) -> None:
    ids = load(server, [100, 1])
    near, far = connect(rescan="30d"), connect(rescan="120d")
    await near.poll()
    await far.poll()
    server.edit(ids[0], score=3)
    hands.forward(DAY)
    assert (await near.poll(), await far.poll()) == ([], [ids[0]])


async def test_f15_a_clock_that_was_set_back_does_not_stop_the_rescans(
    server: PromoterServer, engine: Engine, hands: Hands
) -> None:
    ids = load(server, [20, 1])
    await engine.poll()
    hands.forward(-2 * DAY)
    server.edit(ids[0], comment="late")
    assert await engine.poll() == [ids[0]]


async def test_i13_an_answer_that_shows_late_is_found(server: PromoterServer, engine: Engine, hands: Hands) -> None:
    server.change_switches({"visibility_lag": 10 * DAY})
    late = server.answer("ana@acme.test", 9)
    early = server.answer("ben@acme.test", 8, posted_at=int(hands()) - 10 * DAY)
    assert await engine.poll() == [early]
    hands.forward(9 * DAY)
    server.change_switches({"visibility_lag": 0.0})
    seen = await engine.poll()
    assert seen == [late]


@pytest.mark.parametrize("zone", [-12, 0, 14])
@pytest.mark.parametrize("last_day", ["inclusive", "exclusive"])
async def test_neither_the_zone_nor_the_last_day_of_the_filters_hides_anything(
    server: PromoterServer, engine: Engine, hands: Hands, zone: int, last_day: str
) -> None:
    server.change_switches({"zone_hours": zone, "last_day": last_day})
    ids = load(server, [20 - at / 80 for at in range(1600)])
    assert sorted(await engine.poll()) == ids
    for _ in range(15):
        hands.forward(2 * 3600)
        new = server.answer("ana@acme.test", 5)
        assert await engine.poll() == [new]


@pytest.mark.parametrize("order", ["id", "newest", "shuffled"])
async def test_the_order_of_the_list_does_not_matter(server: PromoterServer, engine: Engine, order: str) -> None:
    server.change_switches({"order": order, "page_size": 20})
    ids = load(server, [200 - at / 10 for at in range(2000)])
    assert sorted(await engine.poll()) == ids


async def test_an_order_that_changes_with_each_request_does_no_harm_where_a_day_fits_on_a_page(
    server: PromoterServer, engine: Engine
) -> None:
    server.change_switches({"order": "random"})
    ids = load(server, [60 - at / 20 for at in range(1190)])
    assert sorted(await engine.poll()) == ids


async def test_many_answers_of_one_second_are_all_read(server: PromoterServer, engine: Engine) -> None:
    ids = load(server, [3] * 730)
    assert sorted(await engine.poll()) == ids


async def test_an_unreadable_row_is_handed_on_for_the_shelf(server: PromoterServer, engine: Engine) -> None:
    server.account.answer("ana@acme.test", 11)
    pages = [page async for page in engine.source.read(None)]
    assert b'"score":11' in pages[1].records[0]


# --- switches of the operator -----------------------------------------------------------------------------------


async def test_without_backfill_only_what_comes_after_the_start_counts(
    server: PromoterServer, connect: Callable[..., Engine], hands: Hands
) -> None:
    engine = connect(backfill=False)
    old = [*load(server, [400, 20, 1]), server.answer("now@acme.test", 3)]
    assert await engine.poll() == []
    new = server.answer("ana@acme.test", 9)
    assert await engine.poll() == [new]
    hands.forward(DAY)
    server.edit(old[1], comment="edited after the start")
    assert await engine.poll() == [old[1]]


async def test_backfill_since_a_day_leaves_out_what_is_older_and_untouched(
    server: PromoterServer, connect: Callable[..., Engine], hands: Hands
) -> None:
    since = datetime.fromtimestamp(hands() - 10 * DAY, UTC)
    ids = load(server, [400, 11, 10.5, 9.5, 2])
    engine = connect(backfill_since=since.isoformat())
    assert await engine.poll() == ids[3:]
    assert not any("2000-" in target for target in engine.asked())
    hands.forward(DAY)
    server.edit(ids[1], comment="now it counts")
    assert await engine.poll() == [ids[1]]


# --- the seam ---------------------------------------------------------------------------------------------------


async def test_what_is_added_or_edited_while_history_is_read_is_found(
    server: PromoterServer, engine: Engine, hands: Hands
) -> None:
    ids = load(server, [28 - at / 100 for at in range(2800)])
    added: list[int] = []
    async for page in engine.steps():
        if page.records and not added:
            hands.forward(5)
            server.edit(ids[0], comment="while you read")
            added.append(server.answer("ana@acme.test", 9))
    assert engine.comment(ids[0]) == "while you read"
    assert added[0] in map(number_of, engine.stored)


async def test_i11_a_restart_at_any_page_loses_nothing_and_comes_to_an_end(
    server: PromoterServer, engine: Engine
) -> None:
    server.change_switches({"page_size": 25})
    ids = load(server, [90 - at / 10 for at in range(900)])
    rounds = 0
    while not engine.pages or engine.place.get("is_backfilling") or engine.place.get("swept", 0) == 0:
        rounds += 1
        assert rounds < 400
        taken = 0
        async for page in engine.steps():
            taken += bool(page.records)
            if taken == 1 + rounds % 25:
                break
        engine.restarted()
    await engine.poll()
    assert {number_of(record) for record in engine.stored} == set(ids)


@pytest.mark.parametrize("seed", range(6))
async def test_i13_whatever_happens_between_two_pages_the_end_is_the_truth(
    server: PromoterServer, engine: Engine, hands: Hands, seed: int
) -> None:
    dice = random.Random(seed)  # noqa: S311 - a repeatable mess
    server.change_switches({"page_size": 10, "order": dice.choice(["id", "newest", "shuffled"])})
    load(server, [25 - at / 20 for at in range(490)])
    for pause in (0, 300, 300, DAY):
        hands.forward(pause)
        await _round_amid(server, engine, dice)
    hands.forward(DAY)
    await engine.poll()
    told = {number_of(record): record for record in engine.stored}
    assert {number: parse("promoter", told[number]).comment for number in server.feedback} == {
        number: row.comment for number, row in server.feedback.items()
    }


async def _round_amid(server: PromoterServer, engine: Engine, dice: random.Random) -> None:
    """A round, again when it must be, during which answers come, go and change."""
    for _ in range(50):
        try:
            async for _ in engine.steps():
                if dice.random() < 0.2:
                    _meddle(server, dice)
        except TryLater:
            continue
        return


def _meddle(server: PromoterServer, dice: random.Random) -> None:
    row = dice.choice(list(server.feedback.values()))
    match dice.randrange(3):
        case 0:
            server.answer("ana@acme.test", dice.randrange(11))
        case 1:
            server.remove(row.id)
        case _:
            server.edit(row.id, comment=f"edit {dice.random()}")


async def test_after_an_outage_of_two_months_everything_of_it_is_read(
    server: PromoterServer, engine: Engine, hands: Hands
) -> None:
    load(server, [3, 2, 1])
    await engine.poll()
    hands.forward(60 * DAY)
    ids = load(server, [59 - at / 20 for at in range(1180)])
    engine.restarted()
    assert sorted(await engine.poll()) == ids

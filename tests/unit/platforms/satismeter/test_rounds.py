"""Following an account: what is new, what comes late, what is edited, and what a quiet round costs."""

from datetime import UTC, datetime
from typing import Any

import pytest

from npsbridge.core.ports import Page
from npsbridge.sandbox.faults import Answer
from npsbridge.sandbox.satismeter import PastAnswer
from unit.platforms.satismeter.driving import DAY, HOUR, MINUTE, Bench, bench, ids, new, responses
from unit.sandbox.calling import NEW_YEAR


async def rounds(project: Bench, checkpoint: bytes, every: float, count: int) -> list[Page]:
    """Several rounds in a row; the pages of all."""
    seen: list[Page] = []
    for _ in range(count):
        project.hands.forward(every)
        seen += await project.read(checkpoint)
        checkpoint = seen[-1].checkpoint
    return seen


async def test_an_answer_is_found_in_the_next_round(project: Bench) -> None:
    project.load(20)
    checkpoint = await project.caught_up()
    project.hands.forward(MINUTE)
    number = project.server.answer("ada@example.org", 9, comment="Fast")
    [page] = await project.read(checkpoint)
    assert number in ids([page])
    assert not page.backfilling


async def test_an_idle_round_is_one_request_and_the_same_checkpoint(project: Bench) -> None:
    project.load(20)
    checkpoint = await project.caught_up()
    before = project.asked
    project.hands.forward(MINUTE)
    [page] = await project.read(checkpoint)
    assert (project.asked - before, page.checkpoint) == (1, checkpoint)


@pytest.mark.parametrize("count", [150, 1000])
async def test_an_idle_round_after_a_busy_minute_is_two_requests(project: Bench, count: int) -> None:
    project.load(count, since=NEW_YEAR - MINUTE, every=0.05)
    checkpoint = await project.caught_up()
    before = project.asked
    project.hands.forward(MINUTE)
    pages = await project.read(checkpoint)
    assert project.asked - before == 2
    assert {page.checkpoint for page in pages} == {checkpoint}


async def test_a_burst_larger_than_a_round_is_read_to_its_end(project: Bench) -> None:
    project.load(5)
    checkpoint = await project.caught_up()
    project.hands.forward(HOUR / 2)
    burst = project.load(730, since=NEW_YEAR + MINUTE, every=1)
    assert set(burst) <= set(ids(await project.read(checkpoint)))


async def test_i11_a_restart_in_a_burst_loses_nothing(project: Bench) -> None:
    project.load(5)
    checkpoint = await project.caught_up()
    project.hands.forward(HOUR / 2)
    burst = set(project.load(730, since=NEW_YEAR + MINUTE, every=1))
    whole = await project.read(checkpoint)
    for number in range(len(whole)):
        resumed = await project.read(whole[number].checkpoint)
        assert burst <= {*ids(whole[: number + 1]), *ids(resumed)}


async def test_a_comment_some_minutes_after_the_score_is_found_in_the_next_round(project: Bench) -> None:
    number = project.server.answer("ada@example.org", 9)
    start = await project.read()
    project.hands.forward(5 * MINUTE)
    project.server.edit(number, comment="Fast")
    [found] = new(await project.read(start[-1].checkpoint), start)
    assert (found.id, found.comment) == (number, "Fast")


async def test_a_comment_hours_after_the_score_is_found_within_the_hour(project: Bench) -> None:
    number = project.server.answer("ada@example.org", 9)
    start = await project.read()
    project.hands.forward(5 * HOUR)
    project.server.answer("bob@example.org", 1)
    project.server.edit(number, comment="Fast")
    seen = await rounds(project, start[-1].checkpoint, 20 * MINUTE, 3)
    assert (number, "Fast") in {(response.id, response.comment) for response in responses(seen)}


async def test_f31_an_answer_edited_20_days_later_is_found_within_a_day(project: Bench) -> None:
    number = project.server.answer("ada@example.org", 9)
    checkpoint = await project.caught_up()
    project.hands.forward(20 * DAY)
    project.server.answer("bob@example.org", 1)
    checkpoint = (await project.read(checkpoint))[-1].checkpoint
    project.server.edit(number, score=2, comment="Slow")
    seen = await rounds(project, checkpoint, 6 * HOUR, 4)
    assert (number, 2, "Slow") in {(response.id, response.score, response.comment) for response in responses(seen)}


async def test_the_look_back_reaches_as_far_as_rescan_says(project: Bench) -> None:
    number = project.server.answer("ada@example.org", 9)
    checkpoint = await project.caught_up()
    project.hands.forward(20 * DAY)
    project.server.answer("bob@example.org", 1)
    checkpoint = (await project.read(checkpoint))[-1].checkpoint
    project.hands.forward(DAY)
    assert number not in ids(await project.read(checkpoint, rescan="10d"))
    assert number in ids(await project.read(checkpoint, rescan="30d"))


async def test_i13_every_answer_that_is_listed_late_is_found_within_an_hour(project: Bench) -> None:
    checkpoint = await project.caught_up()
    lags = [0, MINUTE, 10 * MINUTE, HOUR, 5 * HOUR]
    wanted = [project.server.answer(f"p{lag}@example.org", 9, visible_after=lag) for lag in lags]
    quick = project.load(60, since=NEW_YEAR, every=MINUTE)
    seen = await rounds(project, checkpoint, 5 * MINUTE, 80)
    assert {*wanted, *quick} <= set(ids(seen))


async def test_i13_more_ties_with_the_newest_than_a_round_has_pages_are_all_read(project: Bench) -> None:
    project.server.answer("ada@example.org", 9)
    checkpoint = await project.caught_up()
    ties = [PastAnswer(email=f"p{number}@example.org", score=1, created_at=NEW_YEAR) for number in range(350)]
    assert set(project.server.load(ties)) <= set(ids(await project.read(checkpoint)))


async def test_after_an_outage_of_days_everything_is_read(project: Bench) -> None:
    checkpoint = await project.caught_up()
    project.hands.forward(3 * DAY)
    wanted = project.load(900, since=NEW_YEAR + HOUR, every=MINUTE)
    assert set(wanted) <= set(ids(await project.read(checkpoint)))


# --- clocks -------------------------------------------------------------------------------------------------------


async def test_f15_a_clock_that_is_behind_delays_nothing_for_longer_than_a_round(project: Bench) -> None:
    project.load(20)
    source = project.source()
    checkpoint = [page async for page in source.read(None)][-1].checkpoint
    server_now, project.server.now = project.hands(), lambda: server_now + 2 * DAY
    number = project.server.answer("ada@example.org", 9, created_at=NEW_YEAR + 2 * DAY)
    first = [page async for page in source.read(checkpoint)]
    second = [page async for page in source.read(first[-1].checkpoint)]
    assert number in ids([*first, *second])


async def test_f15_a_clock_set_back_looks_back_at_once_and_goes_on(project: Bench) -> None:
    number = project.server.answer("ada@example.org", 9, created_at=NEW_YEAR - 20 * DAY)
    project.server.answer("bob@example.org", 1)
    checkpoint = await project.caught_up()
    project.server.edit(number, comment="Fast")
    project.hands.forward(-2 * DAY)
    assert "Fast" in {response.comment for response in responses(await project.read(checkpoint))}


async def test_a_row_dated_in_the_future_does_not_hide_what_comes_before_it(project: Bench) -> None:
    odd = project.server.answer("odd@example.org", 9, created_at=NEW_YEAR + 400 * DAY)
    checkpoint = await project.caught_up()
    project.hands.forward(MINUTE)
    number = project.server.answer("ada@example.org", 9)
    seen = await project.read(checkpoint)
    assert number in ids(seen)
    project.hands.forward(401 * DAY)
    assert odd in ids(await project.read(seen[-1].checkpoint))


async def test_a_list_that_ignores_its_bounds_does_not_move_us_into_the_future(project: Bench) -> None:
    project.server.faults.add(future())
    checkpoint = await project.caught_up(backfill_since=datetime.fromtimestamp(NEW_YEAR - DAY, UTC))
    project.hands.forward(MINUTE)
    number = project.server.answer("ada@example.org", 9)
    assert number in ids(await project.read(checkpoint))


async def test_without_backfill_such_a_list_hides_nothing_either(project: Bench) -> None:
    project.server.faults.add(future())
    start = await project.read(backfill=False)
    number = project.server.answer("ada@example.org", 9)
    assert number in ids(await project.read(start[-1].checkpoint))


def future() -> Answer:
    return Answer(body='{"data":[{"id":"1","created":"2033-01-01T00:00:00Z"}],"page":{"hasNextPage":false}}')


@pytest.mark.parametrize("switches", [{"order": "oldest"}, {"cursor": "offset"}, {"bounds": "exclusive"}])
async def test_i13_following_needs_no_promise_of_the_list(switches: dict[str, Any]) -> None:
    async with bench(**switches) as project:
        project.load(130, since=NEW_YEAR - 10 * MINUTE, every=1)
        checkpoint = await project.caught_up()
        project.hands.forward(MINUTE)
        wanted = {project.server.answer("ada@example.org", 9)}
        wanted |= {
            *project.server.load(
                PastAnswer(email=f"n{number}@example.org", score=1, created_at=NEW_YEAR + 30) for number in range(250)
            )
        }
        assert wanted <= set(ids(await project.read(checkpoint)))


async def test_a_record_that_cannot_be_placed_is_handed_on_for_the_shelf(project: Bench) -> None:
    checkpoint = await project.caught_up()
    body = '{"data":[{"id":"1","created":"soon"}],"page":{"hasNextPage":false,"size":1}}'
    project.server.faults.add(Answer(body=body, headers={"Content-Type": "application/json"}))
    [page] = await project.read(checkpoint)
    assert page.records == [b'{"id":"1","created":"soon"}']

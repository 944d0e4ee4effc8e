"""The state of every connection: what is shown, told once, and noted."""

import pytest

from end_to_end.harness import log_kept
from npsbridge.engine.board import COMES_AND_GOES, Board, Condition, Direction
from npsbridge.engine.pauses import by_hand
from unit.engine.doubles import NOW, MemoryStore, seams_of

PULL, FORWARD = Direction.PULL, Direction.FORWARD


def a_board(store: MemoryStore) -> Board:
    return seams_of(store).board


async def test_a_change_is_told_and_noted_and_its_repetition_is_not() -> None:
    store = MemoryStore()
    board = a_board(store)
    with log_kept() as told:
        for reason in ("HTTP 500", "HTTP 502"):
            await board.note("shop", PULL, Condition.RETRYING, reason=reason)
    assert [(line.level, line.extra["reason"]) for line in told] == [("WARNING", "HTTP 500")]
    assert [(health.state, health.reason) for health in store.health_noted] == [("retrying", "HTTP 500")]


async def test_the_reason_that_is_shown_is_the_latest() -> None:
    board = a_board(MemoryStore())
    for reason in ("HTTP 500", "HTTP 502"):
        await board.note("shop", PULL, Condition.RETRYING, reason=reason)
    assert [line.reason for line in board.lines()] == ["HTTP 502"]


async def test_a_repetition_does_not_move_the_beginning() -> None:
    moments = iter([1.0, 2.0, 3.0])
    board = seams_of(MemoryStore(), wall=lambda: next(moments)).board
    for _ in range(3):
        await board.note("shop", PULL, Condition.RETRYING)
    assert [line.since for line in board.lines()] == [1000]


@pytest.mark.parametrize(
    ("condition", "level", "status"),
    [
        (Condition.WAITING_FOR_DATA, "INFO", "pass"),
        (Condition.BACKFILLING, "INFO", "pass"),
        (Condition.CONNECTED, "INFO", "pass"),
        (Condition.RETRYING, "WARNING", "warn"),
        (Condition.PAUSED, "ERROR", "fail"),
        (Condition.RETIRED, "WARNING", "warn"),
    ],
)
async def test_each_state_has_its_level_and_its_status(condition: Condition, level: str, status: str) -> None:
    board = a_board(MemoryStore())
    with log_kept() as told:
        await board.note("shop", PULL, condition, reason="why")
    assert [line.level for line in told] == [level]
    assert board.status == status


async def test_the_end_of_an_outage_says_how_long_it_was() -> None:
    moments = iter([10.0, 130.0])
    board = seams_of(MemoryStore(), wall=lambda: next(moments)).board
    with log_kept() as told:
        await board.note("shop", PULL, Condition.PAUSED, reason="key")
        await board.note("shop", PULL, Condition.CONNECTED)
    assert told[-1].level == "INFO"
    assert (told[-1].extra["was"], told[-1].extra["seconds"]) == ("paused", 120)


async def a_life(*minutes: int) -> list[tuple[str, str]]:
    """What is told of a connection that is in trouble and works again in turn, at these minutes."""
    moments = iter(minutes)
    board = seams_of(MemoryStore(), wall=lambda: 60.0 * next(moments)).board
    with log_kept() as told:
        for number in range(len(minutes)):
            await board.note("shop", PULL, Condition.CONNECTED if number % 2 else Condition.RETRYING, reason="HTTP 503")
    return [(line.level, line.message) for line in told]


TROUBLE = ("WARNING", "The connection is in trouble and is tried again until it works; nothing is lost")
WELL = ("INFO", "The connection works again")
STEADY = ("INFO", "The connection works steadily again")


async def test_outages_far_apart_are_two_lines_each() -> None:
    assert await a_life(0, 1, 60, 61, 120, 121) == [TROUBLE, WELL] * 3


async def test_what_fails_every_other_time_is_told_of_once_until_it_is_steady() -> None:
    told = await a_life(*range(100))
    assert told == [TROUBLE, WELL, TROUBLE, WELL, ("WARNING", COMES_AND_GOES)]


async def test_what_came_and_went_is_told_of_again_once_it_has_been_steady() -> None:
    moments = iter([0, 1, 2, 3, 4, 5, 6, 21, 22, 23, 24])
    board = seams_of(MemoryStore(), wall=lambda: 60.0 * next(moments)).board
    with log_kept() as told:
        for well in (False, True, False, True, False, True, True, True, True, False, True):
            await board.note("shop", PULL, Condition.CONNECTED if well else Condition.RETRYING)
    said = [(line.level, line.message) for line in told]
    assert said[4:] == [("WARNING", COMES_AND_GOES), STEADY, TROUBLE, WELL]


async def test_an_outage_of_what_came_and_went_is_told_of_once_it_lasts() -> None:
    moments = iter([0, 1, 2, 3, 4, 5, 6, 20, 21, 22, 30])
    board = seams_of(MemoryStore(), wall=lambda: 60.0 * next(moments)).board
    with log_kept() as told:
        for well in (False, True, False, True, False, True, False, False, False, False, True):
            await board.note("shop", PULL, Condition.CONNECTED if well else Condition.RETRYING)
    said = [(line.level, line.message) for line in told]
    assert said[4:] == [("WARNING", COMES_AND_GOES), TROUBLE, WELL]


async def test_a_refused_key_is_told_of_however_often_the_connection_came_and_went() -> None:
    board = a_board(MemoryStore())
    with log_kept("ERROR") as told:
        for condition in [Condition.RETRYING, Condition.CONNECTED] * 5 + [Condition.PAUSED]:
            await board.note("shop", PULL, condition)
    assert [line.level for line in told] == ["ERROR"]


async def test_the_worst_line_decides() -> None:
    board = a_board(MemoryStore())
    assert board.status == "pass"
    for name, condition in [("a", Condition.CONNECTED), ("b", Condition.RETRYING), ("c", Condition.PAUSED)]:
        await board.note(name, FORWARD, condition)
    assert board.status == "fail"


async def test_both_directions_of_a_connection_have_their_own_line() -> None:
    board = a_board(MemoryStore())
    await board.note("shop", PULL, Condition.PAUSED)
    await board.note("shop", FORWARD, Condition.CONNECTED)
    assert [line.condition for line in board.lines()] == [Condition.PAUSED, Condition.CONNECTED]
    assert board.find("shop", FORWARD) is board.lines()[1]
    assert board.find("other", FORWARD) is None


async def test_f6_a_full_store_does_not_keep_a_state_from_being_shown() -> None:
    store = MemoryStore()
    store.full = {"note_health"}
    board = a_board(store)
    await board.note("shop", PULL, Condition.RETRYING)
    assert board.status == "warn"


async def test_a_pause_by_hand_wakes_nobody() -> None:
    board = a_board(MemoryStore())
    with log_kept() as told:
        await board.note("shop", PULL, Condition.PAUSED, reason=by_hand("shop"))
    assert ([line.level for line in told], board.status) == (["INFO"], "warn")


async def test_a_refused_key_behind_a_pause_by_hand_is_a_failure_again() -> None:
    board = a_board(MemoryStore())
    for reason in (by_hand("shop"), "HTTP 401"):
        await board.note("shop", PULL, Condition.PAUSED, reason=reason)
    assert board.status == "fail"


async def test_when_it_is_asked_again_is_known_until_it_is_noted_anew() -> None:
    board = a_board(MemoryStore())
    board.expect("shop", PULL, NOW + 60_000)
    await board.note("shop", PULL, Condition.CONNECTED)
    board.expect("shop", PULL, NOW + 60_000)
    assert [line.next_at for line in board.lines()] == [NOW + 60_000]
    await board.note("shop", PULL, Condition.CONNECTED)
    assert [line.next_at for line in board.lines()] == [None]


async def test_the_time_left_of_a_history_goes_by_what_this_process_has_read() -> None:
    moments = iter([100.0, 150.0])
    board = seams_of(MemoryStore(), wall=lambda: next(moments)).board
    await board.note("shop", PULL, Condition.BACKFILLING, progress=0.5)
    assert board.lines()[0].time_left(100_000) is None
    await board.note("shop", PULL, Condition.BACKFILLING, progress=0.75)
    assert board.lines()[0].time_left(150_000) == 50

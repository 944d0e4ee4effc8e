"""What the first page says: decided from the board, the ledger and the queues."""

from typing import Any

import pytest

from npsbridge.core.model import State
from npsbridge.core.records import Ledger
from npsbridge.core.views import Scored
from npsbridge.engine.board import Condition, Direction, Line
from npsbridge.engine.pauses import by_hand
from npsbridge.engine.roster import Roster
from npsbridge.web.dashboard.overview import Card, Facts, Level, cards, notices, put_together, verdict
from npsbridge.web.dashboard.score import DAY_MS
from npsbridge.web.usage import Limit

NOW = 1_772_366_400_000


def a_line(
    connection: str = "delighted",
    direction: Direction = Direction.PULL,
    condition: Condition = Condition.CONNECTED,
    **fields: Any,
) -> Line:
    return Line(connection=connection, direction=direction, condition=condition, **{"since": NOW - 60_000, **fields})


def shown(*lines: Line, **facts: Any) -> list[Card]:
    usual: dict[str, Any] = {
        "platforms": {},
        "depths": {},
        "oldest": {},
        "last_answers": {},
        "limits": {},
        "holders": {},
    }
    return cards(lines, now=NOW, **{**usual, **facts})


def told(*lines: Line, imbalance: int = 0, held: int = 0, dead: int = 0) -> list[tuple[Level, str, str]]:
    found = notices(shown(*lines), imbalance=imbalance, held=held, dead=dead, now=NOW)
    return [(one.level, one.text.replace("\N{NO-BREAK SPACE}", " "), one.link) for one in found]


def words_of(*lines: Line, held: int = 0) -> tuple[str, str]:
    found = notices(shown(*lines), imbalance=0, held=held, dead=0, now=NOW)
    return verdict(found, has_connections=bool(lines))


def test_all_is_well_when_every_connection_works() -> None:
    assert words_of(a_line(), a_line("segment", Direction.FORWARD)) == ("pass", "All is well")


def test_waiting_and_reading_history_is_well() -> None:
    assert words_of(a_line(condition=Condition.BACKFILLING), a_line("b", condition=Condition.WAITING_FOR_DATA)) == (
        "pass",
        "All is well",
    )


def test_nothing_configured_is_said() -> None:
    assert words_of() == ("warn", "No connection is configured yet")


def test_an_outage_mends_itself_and_is_said_once_for_both_directions() -> None:
    lines = [a_line("promoter", direction, Condition.RETRYING, since=NOW - 120_000) for direction in Direction]
    assert words_of(*lines)[0] == "warn"
    text = "Promoter.io has been in trouble for 2 min; it is tried again, nothing is lost."
    assert told(*lines) == [(Level.TROUBLE, text, "#promoter-pull")]


def test_what_needs_a_person_comes_first_and_is_counted() -> None:
    lines = [a_line("promoter", condition=Condition.RETRYING), a_line("retently", condition=Condition.PAUSED)]
    assert words_of(*lines) == ("fail", "1 thing needs you")
    assert words_of(*lines, held=2) == ("fail", "2 things need you")
    assert [level for level, _, _ in told(*lines, held=2)] == [Level.PERSON, Level.PERSON, Level.TROUBLE]


def test_a_pause_by_hand_needs_nobody() -> None:
    line = a_line(condition=Condition.PAUSED, reason=by_hand("delighted"))
    assert words_of(line) == ("pass", "All is well")
    assert [level for level, _, _ in told(line)] == [Level.NOTE]


@pytest.mark.parametrize(
    ("given", "text", "link"),
    [
        ({"held": 1}, "1 delivery is in doubt", "/deliveries?state=held"),
        ({"held": 1_200}, "1,200 deliveries are in doubt", "/deliveries?state=held"),
        ({"dead": 1}, "1 delivery will never work", "/deliveries?state=dead"),
        ({"imbalance": -3}, "3 accepted records are unaccounted for", "#ledger"),
    ],
)
def test_what_needs_a_person_leads_to_where_it_can_be_done(given: dict[str, int], text: str, link: str) -> None:
    ((level, words, place),) = told(a_line(), **given)
    assert (level, place) == (Level.PERSON, link)
    assert words.startswith(text)


def test_cards_of_one_connection_stand_side_by_side_what_reads_first() -> None:
    lines = [a_line("a", Direction.FORWARD), a_line("b"), a_line("a")]
    assert [(card.connection, card.direction) for card in shown(*lines)] == [
        ("a", "pull"),
        ("a", "forward"),
        ("b", "pull"),
    ]


def test_a_card_that_sends_has_its_queue_and_one_that_reads_its_last_answer() -> None:
    facts: dict[str, Any] = {
        "depths": {("a", State.QUEUED): 2, ("a", State.INFLIGHT): 1, ("a", State.HELD): 4, ("b", State.QUEUED): 9},
        "oldest": {"a": NOW - 5},
        "last_answers": {"a": NOW - 7},
        "limits": {"a": Limit(used=3, most=60.0)},
    }
    reads, sends = shown(a_line("a"), a_line("a", Direction.FORWARD), **facts)
    assert (reads.owed, reads.last_answer, reads.oldest) == (0, NOW - 7, None)
    assert (sends.owed, sends.held, sends.oldest, sends.last_answer) == (3, 4, NOW - 5, None)
    assert (reads.used, reads.limit) == (3, 60.0)


def test_a_backfill_says_how_long_it_will_take() -> None:
    line = a_line(condition=Condition.BACKFILLING, progress=0.75, since=NOW - 90_000)
    assert shown(line)[0].seconds_left == 30
    resumed = a_line(condition=Condition.BACKFILLING, progress=0.75, progress_before=0.5, since=NOW - 90_000)
    assert shown(resumed)[0].seconds_left == 90
    assert shown(a_line(condition=Condition.BACKFILLING, progress=0.0))[0].seconds_left is None


def test_the_score_is_that_of_30_days_beside_the_30_before() -> None:
    today = NOW // DAY_MS
    by_day = [
        Scored(key=(today - 60,), score=0, count=50),
        Scored(key=(today - 59,), score=0, count=1),
        Scored(key=(today - 30,), score=8, count=1),
        Scored(key=(today - 29,), score=9, count=3),
        Scored(key=(today,), score=1, count=1),
    ]
    facts = Facts(
        ledger=Ledger(accepted=1),
        depths={("b", State.QUEUED): 1},
        oldest={"a": 7, "b": 5},
        last_answers={},
        by_day=by_day,
    )
    found = put_together([], facts, now=NOW, roster=Roster())
    assert (found.nps, found.nps_before) == (50, -50)
    assert (found.imbalance, found.owed, found.oldest, found.oldest_connection) == (1, 1, 5, "b")


def test_what_another_replica_does_says_which_one_does_it() -> None:
    reads, sends = shown(a_line("a"), a_line("a", Direction.FORWARD), holders={"forward a": "web-2"})
    assert (reads.holder, sends.holder) == (None, "web-2")


def test_replicas_that_do_not_agree_are_a_caution_behind_everything_else() -> None:
    found = notices(shown(a_line()), imbalance=0, held=0, dead=1, now=NOW, warnings=["Replicas differ"])
    assert [(one.level, one.text, one.link) for one in found][1:] == [(Level.CAUTION, "Replicas differ.", "#fleet")]
    assert verdict(found[1:], has_connections=True) == ("warn", "Everything works, but the replicas do not agree")

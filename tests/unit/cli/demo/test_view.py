"""How a connection is, in words."""

import pytest

from npsbridge.cli.demo.view import in_words
from npsbridge.engine.board import Condition, Direction, Line


def line(direction: Direction, condition: Condition, reason: str | None = None) -> Line:
    return Line(connection="x", direction=direction, condition=condition, since=0, reason=reason)


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (Condition.WAITING_FOR_DATA, "waits for the first answer"),
        (Condition.BACKFILLING, "reads the history"),
        (Condition.CONNECTED, "connected, looks for news every second"),
        (Condition.RETRYING, "away (HTTP 500); it is asked again"),
        (Condition.PAUSED, "paused: HTTP 500"),
    ],
)
def test_a_connection_that_is_read(condition: Condition, words: str) -> None:
    assert in_words(line(Direction.PULL, condition, "HTTP 500"), 0) == words


def test_a_connection_that_is_sent_to_says_what_is_on_its_way() -> None:
    assert in_words(line(Direction.FORWARD, Condition.CONNECTED), 0) == "connected"
    assert in_words(line(Direction.FORWARD, Condition.CONNECTED), 1200) == "connected, 1,200 on their way"


def test_a_connection_that_is_away_says_what_waits() -> None:
    words = in_words(line(Direction.FORWARD, Condition.RETRYING, "HTTP 503"), 9)
    assert words == "away (HTTP 503); 9 wait on disk, and it is tried again"

"""What a watched status looks like in terminals of any size."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console

from npsbridge.cli.status_view import ago, one_line, view

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
REASON = "HTTP 401: the key is refused; check NPSBRIDGE_RETENTLY__API_KEY"


def connection(name: str, state: str = "connected", direction: str = "pull", **more: Any) -> dict[str, Any]:
    given = {"since": "2026-03-01T11:00:00.000Z", "reason": None, "progress": None} | more
    return {"connection": name, "direction": direction, "state": state, **given}


def found(*connections: dict[str, Any], **more: Any) -> dict[str, Any]:
    ledger = {"accepted": 40, "delivered": 30, "waiting": 6, "dead": 1, "held": 3, "filtered": 0, "imbalance": 0}
    deliveries = [
        {"connection": "segment", "state": state, "count": count}
        for state, count in {"queued": 1200, "waiting": 34, "held": 3, "dead": 1}.items()
    ]
    usual = {"daemon": {"running": True}, "ledger": ledger, "deliveries": deliveries, "replicas": [], "warnings": []}
    return {**usual, "connections": list(connections), **more}


def drawn(snapshot: dict[str, Any], width: int = 80, height: int = 24) -> list[str]:
    shown = io.StringIO()
    Console(width=width, file=shown).print(view(snapshot, now=NOW, width=width, height=height))
    return [line.rstrip() for line in shown.getvalue().splitlines()]


EVERYTHING = found(
    connection("delighted"),
    connection("retently", "paused", reason=REASON),
    connection("satismeter", "backfilling", progress=0.25),
    connection("segment", direction="forward"),
    connection("promoter", "retrying", "forward", reason="HTTP 503"),
)


def test_what_needs_a_person_stands_first_with_the_setting_to_mend() -> None:
    lines = drawn(EVERYTHING)
    assert lines[0] == "npsbridge is running, the ledger balances"
    assert lines[2].split() == ["retently:pull", "paused", "1h"]
    assert lines[3].strip() == REASON
    assert lines[4].startswith("promoter:forward")


def test_a_history_has_its_bar_and_a_destination_what_it_is_owed() -> None:
    shown = "\n".join(drawn(EVERYTHING))
    assert "backfilling 25%" in shown
    assert "━━━" in shown
    assert "1,234 owed, 3 held, 1 dead" in shown


def test_the_ledger_is_the_sum_that_it_is() -> None:
    assert "40 accepted = 30 delivered + 6 waiting + 1 dead + 3 held" in drawn(EVERYTHING)


def test_a_ledger_that_does_not_balance_cannot_be_overlooked() -> None:
    out_of_balance = found(ledger={"accepted": 1, "imbalance": 1})
    assert drawn(out_of_balance)[0] == "npsbridge is running, THE LEDGER IS OUT BY 1"


def test_a_stopped_daemon_is_said_to_be_one() -> None:
    assert drawn(found(daemon={"running": False}))[0].startswith("npsbridge is not running; as it was left")


def test_what_has_no_room_is_counted_and_what_is_worst_is_kept() -> None:
    many = [connection(f"shop-{number:02}") for number in range(40)] + [connection("z", "paused", reason=REASON)]
    lines = drawn(found(*many), height=24)
    assert lines[2].startswith("z:pull")
    assert any(line.startswith("... and ") for line in lines)
    assert len(lines) <= 24


@example(24, 14, [("a", "paused"), ("a", "paused")])
@given(
    st.integers(24, 200),
    st.integers(14, 60),
    st.lists(st.tuples(st.text("abcé-漢", min_size=1, max_size=64), st.sampled_from(["paused", "connected"]))),
)
def test_the_view_fits_every_terminal(width: int, height: int, connections: list[tuple[str, str]]) -> None:
    lines = drawn(
        found(*(connection(name, state, reason=REASON if state == "paused" else None) for name, state in connections)),
        width,
        height,
    )
    assert len(lines) <= height
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize(
    ("passed", "shown"), [(-5, "0s"), (59, "59s"), (60, "1m"), (7200, "2h"), (90_000, "1d"), (86_400 * 400, "400d")]
)
def test_how_long_ago_is_told_in_the_largest_unit(passed: int, shown: str) -> None:
    assert ago((NOW - timedelta(seconds=passed)).isoformat(), NOW) == shown


def test_through_a_pipe_it_is_one_line_that_grep_finds_its_way_in() -> None:
    assert one_line(found(connection("delighted"), connection("segment", "retrying", "forward")), NOW) == (
        "2026-03-01T12:00:00Z running delighted:pull=connected segment:forward=retrying "
        "waiting=6 held=3 dead=1 imbalance=0"
    )

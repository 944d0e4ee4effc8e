"""What a watched status looks like in terminals of any size."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console

from npsbridge.cli.status_view import ago, one_line, page, view

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
    fleet: dict[str, Any] = {"replicas": [], "unheld": [], "warnings": []}
    usual = {"daemon": {"running": True}, "ledger": ledger, "deliveries": deliveries, **fleet}
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


def test_only_what_is_still_to_be_done_is_listed_as_not_finished() -> None:
    shown = io.StringIO()
    states = ("queued", "held", "dead", "filtered", "expired", "erased", "duplicate")
    counted = [{"connection": "shop", "state": state, "count": 1} for state in states]
    Console(width=80, file=shown).print(page(found(deliveries=counted)))
    listed = [line.split()[1] for line in shown.getvalue().splitlines() if line.startswith("shop")]
    assert listed == ["queued", "held", "dead"]


# --- replicas ---------------------------------------------------------------------------------------------------


def a_replica(name: str, *work: str, **more: Any) -> dict[str, Any]:
    usual = {"version": "0.1.0", "settings": "5f3a0c11", "differs_in": [], "since": "2026-03-01T09:00:00.000Z"}
    return {"id": name, "work": list(work), "heard_at": "2026-03-01T11:59:58.000Z", **usual, **more}


TWO = [a_replica("web-1", "router", "poll shop"), a_replica("web-2", settings="0badcafe", differs_in=["settings"])]
DIFFERENT = "replicas run with different settings"


def test_replicas_are_watched_with_what_they_do_and_what_differs_is_said_first() -> None:
    lines = drawn(found(connection("shop"), replicas=TWO, warnings=[DIFFERENT]), width=120)
    assert lines[0] == "npsbridge is running, the ledger balances, 2 replicas, 1 warning"
    assert lines[4:7] == [
        DIFFERENT,
        "web-1 0.1.0 5f3a0c11 up 3h, heard of 2s ago, 2 leases: router, poll shop",
        "web-2 0.1.0 0badcafe up 3h, heard of 2s ago, no lease",
    ]


def test_more_replicas_than_there_is_room_for_are_counted() -> None:
    many = [a_replica(f"web-{number}") for number in range(9)]
    lines = drawn(found(connection("shop"), replicas=many), height=24)
    assert [line.partition(" ")[0] for line in lines[4:7]] == ["web-0", "web-1", "web-2"]
    assert lines[7] == "... and 6 more"


@given(st.integers(24, 200), st.integers(14, 60), st.integers(0, 12), st.integers(0, 40))
def test_the_view_of_a_fleet_fits_every_terminal(width: int, height: int, replicas: int, connections: int) -> None:
    fleet = [a_replica(f"web-{number}", "router") for number in range(replicas)]
    many = [connection(f"c{one}", "paused", reason=REASON) for one in range(connections)]
    lines = drawn(found(*many, replicas=fleet, warnings=[DIFFERENT]), width, height)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width


def test_the_page_has_a_table_of_replicas_and_says_what_is_wrong() -> None:
    shown = io.StringIO()
    fleet = found(replicas=TWO, warnings=[DIFFERENT], unheld=["poll bank"])
    Console(width=200, file=shown).print(page(fleet))
    text = shown.getvalue()
    assert text.startswith("2 replicas are running.")
    assert "0badcafe (differs)" in text
    assert "5f3a0c11 (differs)" not in text
    assert "router, poll shop" in text
    assert "Done by nobody at this moment: poll bank" in text
    assert DIFFERENT in text


def test_through_a_pipe_replicas_are_counted() -> None:
    assert "running replicas=2 warnings=1 " in one_line(found(replicas=TWO, warnings=[DIFFERENT]), NOW)

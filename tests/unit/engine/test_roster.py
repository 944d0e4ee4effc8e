"""What an operator is told of a fleet."""

import pytest

from npsbridge.core.leases import Fleet, Holding, Replica
from npsbridge.engine.roster import Roster, disagreements, document, roster_of


def a_replica(name: str, **more: object) -> Replica:
    usual = {"version": "1", "settings": "x", "works": ("router", "poll shop"), "started_at": 1_000, "heard_at": 2_000}
    return Replica(id=name, host=name, **{**usual, **more})  # type: ignore[arg-type]


def fleet_of(*replicas: Replica, **holders: str | None) -> Fleet:
    held = tuple(Holding(name=name.replace("_", " "), holder=holder, fence=1) for name, holder in holders.items())
    return Fleet(now=3_000, replicas=replicas, holdings=held)


def told(*replicas: Replica) -> list[str]:
    return [one.text for one in disagreements(fleet_of(*replicas))]


def test_where_there_is_one_daemon_there_is_nothing_to_tell() -> None:
    assert roster_of(Fleet(now=0)) == Roster()
    assert document(Roster()) == {"replicas": [], "unheld": [], "warnings": []}


def test_each_replica_is_told_with_what_it_does() -> None:
    found = roster_of(fleet_of(a_replica("a"), a_replica("b"), router="b", poll_shop="a"))
    assert [(one.id, one.work) for one in found.replicas] == [("a", ("poll shop",)), ("b", ("router",))]
    assert (found.unheld, found.warnings) == ((), ())


def test_what_nobody_does_is_named_and_what_nobody_can_do_any_more_is_not() -> None:
    found = roster_of(fleet_of(a_replica("a"), router=None, poll_closed=None))
    assert found.unheld == ("poll shop", "router")


@pytest.mark.parametrize("name", ["settings", "version"])
def test_who_is_not_as_most_are_is_marked_and_of_two_halves_both(name: str) -> None:
    def marked(*values: str) -> list[str]:
        replicas = [a_replica(str(number), **{name: value}) for number, value in enumerate(values)]
        return [one.id for one in roster_of(fleet_of(*replicas)).replicas if one.differs_in == (name,)]

    assert marked("x", "x", "y") == ["2"]
    assert marked("x", "y") == ["0", "1"]
    assert marked("x", "x") == []


def test_replicas_that_do_not_do_the_same_are_told_of() -> None:
    assert told(a_replica("a"), a_replica("b")) == []
    (text,) = told(a_replica("a"), a_replica("b", settings="y"))
    assert "different settings: a (x), b (y)" in text
    (text,) = told(a_replica("a"), a_replica("b", version="2"))
    assert "different versions: a (1), b (2)" in text


def test_a_clock_that_is_wrong_is_told_of() -> None:
    (text,) = told(a_replica("a", skew=-61_000), a_replica("b", skew=4_000))
    assert text.startswith("The clock of a is 61 s behind the database's")


def test_as_json_times_are_those_of_everything_else() -> None:
    ((shown,),) = [document(roster_of(fleet_of(a_replica("a", skew=7), router="a")))["replicas"]]
    assert shown == {
        "id": "a",
        "host": "a",
        "version": "1",
        "settings": "x",
        "differs_in": [],
        "since": "1970-01-01T00:00:01.000Z",
        "heard_at": "1970-01-01T00:00:02.000Z",
        "clock_skew_ms": 7,
        "work": ["router"],
    }

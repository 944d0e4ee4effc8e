"""How the work is divided among replicas."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.core.leases import Fleet, Holding, Replica, Shares, shares

NAMES = ("a", "b", "c", "d")
WORKS = (*(f"forward {name}" for name in "abcd"), *(f"poll {name}" for name in "abc"), "purge", "router")
LANES = tuple(f"forward c{number:02}" for number in range(50))
POLLERS = tuple(f"poll c{number:02}" for number in range(50))
ALL = (*LANES, *POLLERS, "purge", "router")


def replica(name: str, works: tuple[str, ...] = WORKS) -> Replica:
    return Replica(id=name, host=name, version="1", settings="x", works=works, started_at=0)


def fleet(replicas: list[Replica], held: dict[str, str | None]) -> Fleet:
    holdings = tuple(Holding(name=name, holder=holder, fence=1) for name, holder in sorted(held.items()))
    return Fleet(now=0, replicas=tuple(replicas), holdings=holdings)


replicas = st.lists(st.sampled_from(NAMES), unique=True, min_size=1).map(lambda names: [replica(one) for one in names])
holdings = st.dictionaries(st.sampled_from(WORKS), st.none() | st.sampled_from((*NAMES, "gone")))


def test_the_only_replica_takes_everything() -> None:
    assert shares(fleet([replica("a")], {}), "a") == Shares(take=WORKS)


def test_a_second_one_is_given_half() -> None:
    share = shares(fleet([replica("a"), replica("b")], dict.fromkeys(WORKS, "a")), "a")
    assert (share.take, len(share.give)) == ((), 4)


def test_what_only_one_can_do_stays_with_it() -> None:
    alone = fleet([replica("a"), replica("b", WORKS[:1])], dict.fromkeys(WORKS, "a"))
    assert shares(alone, "a").give == WORKS[:1]
    assert shares(fleet([replica("a"), replica("b", ())], dict.fromkeys(WORKS, "a")), "a") == Shares()


@given(replicas, holdings)
def test_whatever_is_free_is_taken_by_exactly_one(some: list[Replica], held: dict[str, str | None]) -> None:
    seen = fleet(some, held)
    taken = Counter(work for one in some for work in shares(seen, one.id).take)
    free = {work for work in WORKS if held.get(work) not in {one.id for one in some}}
    assert taken == dict.fromkeys(free, 1)


def divided(some: list[Replica], held: dict[str, str | None]) -> dict[str, str | None]:
    """Who does what after a few heartbeats."""
    for _ in range(4):
        for one in some:
            share = shares(fleet(some, held), one.id)
            held = held | dict.fromkeys(share.give) | dict.fromkeys(share.take, one.id)
    return held


def loads(held: dict[str, str | None], works: tuple[str, ...]) -> list[int]:
    """How many of these each replica does that does any, in order."""
    return sorted(Counter(held[work] for work in works).values())


def test_fifty_connections_are_spread_evenly_lanes_and_pollers_each_whoever_joins_and_leaves() -> None:
    held: dict[str, str | None] = {}
    for names, lanes in (("a", [50]), ("ab", [25, 25]), ("abc", [16, 17, 17]), ("bc", [25, 25]), ("bcd", [16, 17, 17])):
        before = held
        held = divided([replica(name, ALL) for name in names], held)
        assert loads(held, LANES) == loads(held, POLLERS) == lanes
        assert max(loads(held, ALL)) - min(loads(held, ALL)) <= 1
        moved = sum(held[work] != holder for work, holder in before.items() if holder in {*names})
        assert moved <= len(ALL) // len(names) + 1, f"more moved than whoever came was to have: {moved}"


@pytest.mark.parametrize("works", [("poll a", "poll b", "purge", "router"), ("forward a", "router")])
def test_what_there_is_one_of_goes_to_whoever_does_least(works: tuple[str, ...]) -> None:
    held = divided([replica("a", works), replica("b", works)], dict.fromkeys(works, "a"))
    assert loads(held, works) == [len(works) // 2] * 2


@given(replicas, holdings)
def test_after_a_few_heartbeats_the_shares_are_even_and_nothing_moves(
    some: list[Replica], held: dict[str, str | None]
) -> None:
    held = divided(some, held)
    load = Counter(held[work] for work in WORKS)
    assert max(load.values()) - min(load.get(one.id, 0) for one in some) <= 1
    assert all(shares(fleet(some, held), one.id) == Shares() for one in some)

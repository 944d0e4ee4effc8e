"""How the work is divided among replicas."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from npsbridge.core.leases import Fleet, Holding, Replica, Shares, shares

NAMES = ("a", "b", "c", "d")
WORKS = tuple(f"w{number}" for number in range(9))


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


@given(replicas, holdings)
def test_after_a_few_heartbeats_the_shares_are_even_and_nothing_moves(
    some: list[Replica], held: dict[str, str | None]
) -> None:
    for _ in range(4):
        for one in some:
            share = shares(fleet(some, held), one.id)
            held = held | dict.fromkeys(share.give) | dict.fromkeys(share.take, one.id)
    load = Counter(held[work] for work in WORKS)
    assert max(load.values()) - min(load.get(one.id, 0) for one in some) <= 1
    assert all(shares(fleet(some, held), one.id) == Shares() for one in some)

"""Reading a list that moves."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npsbridge.errors import TryLater
from npsbridge.net.keyset import PASSES, Fetch, Keyset, Leaf, Row
from unit.net.toy import OVERLAP, Reader, ToyList, read_by_keyset, watch


def rows(times: Sequence[int | None]) -> list[Row]:
    return [Row(id=str(number), at=at, raw=b"") for number, at in enumerate(times)]


class Server:
    """A list that stands still, and the questions it was asked."""

    def __init__(self, times: Sequence[int | None], *, size: int = 3) -> None:
        self.rows = rows(times)
        self.size = size
        self.asked: list[tuple[int, int]] = []

    async def fetch(self, bound: int, page: int) -> list[Row]:
        self.asked.append((bound, page))
        listed = [row for row in self.rows if row.at is None or row.at >= bound]
        return listed[(page - 1) * self.size : page * self.size]


async def read(fetch: Fetch, since: int = 0, *, short: int = 0) -> list[Leaf]:
    return [leaf async for leaf in Keyset(fetch, short=short).read(since)]


def ids(leaves: Sequence[Leaf]) -> set[str]:
    return {row.id for leaf in leaves for row in leaf.rows}


# --- a list that stands still -----------------------------------------------------------------------------------


async def test_the_next_page_is_asked_for_by_the_time_of_the_last_row() -> None:
    server = Server([1, 2, 3, 4, 5])
    leaves = await read(server.fetch, short=2)
    assert [[row.at for row in leaf.rows] for leaf in leaves] == [[1, 2, 3], [3, 4, 5], [5]]
    assert server.asked == [(0, 1), (3, 1), (5, 1)]


async def test_a_page_number_is_used_only_inside_a_second_that_fills_a_page() -> None:
    server = Server([1, 5, 5, 5, 5, 6])
    await read(server.fetch, short=2)
    assert {bound for bound, page in server.asked if page > 1} == {5}


async def test_a_crowded_second_is_read_twice_before_it_is_passed() -> None:
    leaves = await read(Server([5, 5, 5, 5, 6]).fetch, 5, short=2)
    assert [leaf.bound for leaf in leaves] == [5, 5, 5, 6, 6]


async def test_an_empty_list_costs_one_question() -> None:
    server = Server([])
    assert await read(server.fetch) == []
    assert server.asked == [(0, 1)]


async def test_a_short_page_is_the_last_one_where_that_is_trusted() -> None:
    server = Server([1, 2, 3, 4], size=10)
    await read(server.fetch, short=5)
    assert server.asked == [(0, 1)]


async def test_f29_pages_shorter_than_asked_for_end_nothing_where_that_is_not_trusted() -> None:
    assert len(ids(await read(Server(range(50), size=7).fetch))) == 50


async def test_rows_without_a_readable_time_are_handed_on() -> None:
    leaves = await read(Server([None, None, None, 1, 2]).fetch)
    assert len(ids(leaves)) == 5


@given(times=st.lists(st.integers(0, 12), max_size=40).map(sorted), size=st.integers(1, 9), since=st.integers(0, 14))
async def test_every_row_of_a_sorted_list_is_read_and_the_bound_never_passes_an_unseen_one(
    times: list[int], size: int, since: int
) -> None:
    server = Server(times, size=size)
    wanted = {row.id: row.at for row in server.rows if row.at is not None and row.at >= since}
    seen: set[str] = set()
    async for leaf in Keyset(server.fetch, short=0).read(since):
        seen |= {row.id for row in leaf.rows}
        assert all(at >= leaf.bound for row, at in wanted.items() if row not in seen)
    assert seen == set(wanted)


# --- a list that is not what it should be -----------------------------------------------------------------------


async def test_an_unsorted_list_is_read_to_its_end_by_page_numbers() -> None:
    server = Server([3, 1, 2, 9, 4, 7, 8])
    leaves = await read(server.fetch)
    assert len(ids(leaves)) == 7
    assert {bound for bound, _ in server.asked} == {0}


async def test_the_bound_does_not_move_in_an_unsorted_list() -> None:
    leaves = await read(Server([3, 1, 2, 9, 4, 7, 8]).fetch, 1)
    assert {leaf.bound for leaf in leaves} == {1}


async def test_a_list_that_ignores_the_bound_counts_as_unsorted() -> None:
    async def everything(_: int, page: int) -> list[Row]:
        return await server.fetch(0, page)

    server = Server(range(8))
    leaves = await read(everything, 6)
    assert (len(ids(leaves)), leaves[-1].bound) == (8, 6)


async def test_f29_a_page_that_repeats_the_one_before_ends_the_reading() -> None:
    async def always_the_first(bound: int, _: int) -> list[Row]:
        return await server.fetch(bound, 1)

    server = Server([5, 5, 5, 5])
    with pytest.raises(TryLater, match="page 2 repeats page 1"):
        await read(always_the_first)


async def test_f29_pages_in_a_circle_end_the_reading() -> None:
    async def in_a_circle(bound: int, page: int) -> list[Row]:
        return await server.fetch(bound, (page - 1) % 2 + 1)

    server = Server([5] * 6)
    with pytest.raises(TryLater, match="does not end"):
        await read(in_a_circle, 5)


async def test_a_second_that_never_holds_still_ends_the_reading() -> None:
    async def growing(bound: int, page: int) -> list[Row]:
        if page == 1:
            server.rows = rows([5] * (len(server.rows) + 1))
        return await server.fetch(bound, page)

    server = Server([5] * 4)
    with pytest.raises(TryLater, match="second 5"):
        await read(growing, 5)
    assert sum(page == 1 for _, page in server.asked) == PASSES + 1


async def test_the_bound_stays_before_a_second_that_was_not_read_whole() -> None:
    async def slipping(bound: int, page: int) -> list[Row]:
        if (bound, page) == (5, 2) and len(server.rows) == 6:
            del server.rows[0]
        return await server.fetch(bound, page)

    server = Server([5, 5, 5, 5, 5, 6])
    seen: set[str] = set()
    async for leaf in Keyset(slipping, short=0).read(5):
        seen |= {row.id for row in leaf.rows}
        assert leaf.bound == 5 or seen == {"0", "1", "2", "3", "4", "5"}
    assert "3" in seen


async def test_what_the_server_raises_comes_through() -> None:
    async def failing(_: int, __: int) -> list[Row]:
        raise TryLater("HTTP 503", after=7)

    with pytest.raises(TryLater, match="HTTP 503"):
        await read(failing)


# --- a list that moves ------------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(
    seed=st.integers(0, 2**32),
    size=st.integers(3, 20),
    shuffles=st.booleans(),
    lag=st.integers(0, OVERLAP),
    crowd=st.sampled_from([1, 4, 40, 120]),
)
async def test_i13_f30_no_last_version_is_lost_while_rows_move(
    *, seed: int, size: int, shuffles: bool, lag: int, crowd: int
) -> None:
    toy = ToyList(seed, size=size, shuffles=shuffles, lag=lag, crowd=crowd)
    assert await watch(toy, read_by_keyset) == 0


async def read_after_the_watermark(toy: ToyList, watermark: int) -> int:
    """What most pollers do: strictly later than the last time seen, page numbers within the round."""
    return await read_by_page_numbers(toy, watermark + 1)


async def read_by_page_numbers(toy: ToyList, watermark: int) -> int:
    since, page = watermark, 1
    while rows := await toy.page(since, page):
        watermark = max(watermark, *(row.at or 0 for row in rows))
        page += 1
    return watermark


async def read_without_overlap(toy: ToyList, watermark: int) -> int:
    return await read_by_keyset(toy, watermark, overlap=0)


async def lost_in_sixty_worlds(reader: Reader, *, lag: int) -> int:
    return sum([await watch(ToyList(seed, lag=lag, crowd=4), reader) for seed in range(60)])


@pytest.mark.parametrize(
    ("reader", "lag"),
    [
        pytest.param(read_after_the_watermark, 0, id="exclusive"),
        pytest.param(read_by_page_numbers, 0, id="page numbers"),
        pytest.param(read_by_page_numbers, 5, id="page numbers, late rows"),
        pytest.param(read_without_overlap, 5, id="no overlap, late rows"),
    ],
)
async def test_the_same_worlds_cost_other_ways_of_reading_dearly(reader: Reader, lag: int) -> None:
    assert await lost_in_sixty_worlds(reader, lag=lag) > 30


@pytest.mark.parametrize("lag", [0, 5])
async def test_i13_sixty_worlds_of_the_evidence_lose_nothing(lag: int) -> None:
    assert await lost_in_sixty_worlds(read_by_keyset, lag=lag) == 0

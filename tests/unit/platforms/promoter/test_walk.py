"""Walks over a list in memory that may change between two requests."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npsbridge.errors import TryLater
from npsbridge.platforms.promoter.place import Row
from npsbridge.platforms.promoter.walk import LONGEST_PASS, Listing, Walk, Window

START = date(2026, 1, 1)
SPAN = Window(first=START, last=START + timedelta(days=400))


_DATES = [(START + timedelta(days=day)).isoformat() for day in range(401)]


class Shelf:
    """Rows by day, listed in order of their numbers; `mischief` happens after so many requests."""

    def __init__(self, days: Mapping[int, int], size: int = 100) -> None:
        self.rows = [(day, number) for day, count in sorted(days.items()) for number in range(count)]
        self.size = size
        self.asked: list[dict[str, str]] = []
        self.mischief: dict[int, Any] = {}

    async def __call__(self, query: Mapping[str, str], *, may_be_missing: bool) -> Listing | None:
        if act := self.mischief.get(len(self.asked)):
            act(self)
        self.asked.append(dict(query))
        rows = [row for row in self.rows if _is_in(row[0], query)]
        at = (int(query.get("page", "1")) - 1) * self.size
        if at and at >= len(rows):
            assert may_be_missing
            return None
        more = {"page": str(at // self.size + 2)} if at + self.size < len(rows) else None
        return Listing(rows=[_row(*row) for row in rows[at : at + self.size]], count=len(rows), next=more)


def _is_in(day: int, query: Mapping[str, str]) -> bool:
    if "posted_date_0" not in query:
        return True
    return query["posted_date_0"] <= _DATES[day] <= query["posted_date_1"]


def _row(day: int, number: int) -> Row:
    return Row(id=f"{day}/{number}", raw=b"{}", posted=day * 86_400, changed=0)


async def walked(shelf: Shelf, span: Window | None = SPAN) -> tuple[set[str], list[int]]:
    """Everything that was seen, and the ends of the windows that were read whole."""
    walk, seen, ends = Walk(shelf, span), set(), []
    while not walk.is_over:
        leaf = await walk.step()
        seen |= {row.id for row in leaf.rows}
        ends += [] if leaf.posted is None else [leaf.posted // 86_400]
    return seen, ends


def everything(shelf: Shelf) -> set[str]:
    return {f"{day}/{number}" for day, number in shelf.rows}


@settings(max_examples=40)
@given(st.dictionaries(st.integers(0, 400), st.integers(1, 2000), max_size=8), st.sampled_from([60, 100, 1000]))
async def test_everything_is_seen_once_the_walk_is_over(days: dict[int, int], size: int) -> None:
    shelf = Shelf(days, size)
    seen, ends = await walked(shelf)
    assert seen == everything(shelf)
    assert ends == sorted(ends) or 0 in ends


async def test_an_empty_span_costs_one_request_however_long_it_is() -> None:
    shelf = Shelf({})
    assert await walked(shelf, Window(first=date(2000, 1, 1), last=date(2030, 1, 1))) == (set(), [0])
    assert len(shelf.asked) == 1


async def test_long_empty_stretches_are_passed_in_strides() -> None:
    shelf = Shelf({0: 300, 399: 400})
    await walked(shelf)
    assert len(shelf.asked) < 20


async def test_even_days_cost_little_more_requests_than_they_have_pages() -> None:
    shelf = Shelf(dict.fromkeys(range(400), 40))
    seen, _ = await walked(shelf)
    assert len(seen) == 16_000
    assert len(shelf.asked) <= 160 * 1.5


async def test_no_pass_over_several_days_is_longer_than_that() -> None:
    shelf = Shelf(dict.fromkeys(range(400), 40))
    await walked(shelf)
    assert max(int(query.get("page", "1")) for query in shelf.asked) <= LONGEST_PASS


async def test_a_crowded_day_is_read_whole() -> None:
    shelf = Shelf({5: 2500})
    seen, _ = await walked(shelf)
    assert len(seen) == 2500


async def test_i13_a_row_that_leaves_while_we_read_makes_the_pass_start_again() -> None:
    shelf = Shelf({5: 250})
    shelf.mischief[1] = lambda self: self.rows.pop(0)
    seen, ends = await walked(shelf)
    assert seen >= everything(shelf)
    assert (ends, [query.get("page") for query in shelf.asked]) == ([5], [None, "2", "3", None, "2", "3"])


async def test_i13_a_row_that_joins_at_the_front_is_seen_as_well() -> None:
    shelf = Shelf({5: 250})
    shelf.mischief[2] = lambda self: self.rows.insert(0, (5, 999))
    seen, _ = await walked(shelf)
    assert "5/999" in seen


async def test_a_page_that_vanished_is_no_end_while_rows_are_missing() -> None:
    shelf = Shelf({5: 201})
    shelf.mischief[2] = lambda self: self.rows.pop(0)
    seen, ends = await walked(shelf)
    assert seen >= everything(shelf)
    assert (ends, len(shelf.asked)) == ([5], 5)


async def test_new_rows_in_every_pass_do_not_keep_a_walk_from_its_end() -> None:
    shelf = Shelf({400: 250})
    for request in range(1, 40):
        shelf.mischief[request] = lambda self: self.rows.append((400, len(self.rows)))
    seen, _ = await walked(shelf, Window(first=SPAN.last, last=SPAN.last))
    assert {f"400/{number}" for number in range(250)} <= seen
    assert len(shelf.asked) == 9


class Liar(Shelf):
    """Counts one row more than it shows."""

    async def __call__(self, query: Mapping[str, str], *, may_be_missing: bool) -> Listing | None:
        found = await super().__call__(query, may_be_missing=may_be_missing)
        return found and Listing(rows=found.rows, count=found.count + 1, next=found.next)


async def test_a_day_with_rows_missing_is_told_after_the_others_were_given_and_asked_for_again() -> None:
    walk = Walk(Liar({0: 250}), Window(first=START, last=START + timedelta(days=1)))
    for _ in range(2):
        leaves = [await walk.step() for _ in range(9)]
        assert len({row.id for leaf in leaves for row in leaf.rows}) == 250
        with pytest.raises(TryLater, match="2026-01-01 do not hold still: 250 of 251"):
            await walk.step()
    assert not walk.is_over


class LiarAtLarge(Liar):
    """Lies about wide windows only."""

    async def __call__(self, query: Mapping[str, str], *, may_be_missing: bool) -> Listing | None:
        is_wide = query.items() >= SPAN.query.items()
        kind = Liar if is_wide else Shelf
        return await kind.__call__(self, query, may_be_missing=may_be_missing)


async def test_a_wide_window_that_does_not_hold_still_is_narrowed() -> None:
    shelf = LiarAtLarge({3: 150, 300: 150})
    seen, ends = await walked(shelf)
    assert seen == everything(shelf)
    assert ends == [3, 300]


async def many_steps(walk: Walk) -> None:
    for _ in range(20):
        await walk.step()


class Circle(Shelf):
    """Every page leads to the first two."""

    async def __call__(self, query: Mapping[str, str], *, may_be_missing: bool) -> Listing | None:
        found = await super().__call__(query, may_be_missing=may_be_missing)
        page = {"page": "2" if "page" not in query else "1"}
        return found and Listing(rows=found.rows, count=found.count, next=page)


async def test_f29_pages_that_go_round_end_with_an_error() -> None:
    walk = Walk(Circle({0: 250}), Window(first=START, last=START + timedelta(days=1)))
    with pytest.raises(TryLater, match="hold still"):
        await many_steps(walk)


class Endless(Shelf):
    """There is always a next page, and it is always the first."""

    async def __call__(self, query: Mapping[str, str], *, may_be_missing: bool) -> Listing | None:
        page = int(query.get("page", "1"))
        found = await super().__call__({**query, "page": "1"}, may_be_missing=may_be_missing)
        return found and Listing(rows=found.rows, count=found.count, next={"page": str(page + 1)})


async def test_f29_a_repeated_page_ends_with_an_error() -> None:
    walk = Walk(Endless({0: 250}), Window(first=START, last=START + timedelta(days=1)))
    with pytest.raises(TryLater, match="hold still"):
        await many_steps(walk)


async def test_after_an_error_the_same_page_is_asked_for_again() -> None:
    shelf = Shelf({0: 150})

    def fail(self: Shelf) -> None:
        del self.mischief[1]
        raise TryLater("HTTP 429", after=42.0)

    shelf.mischief[1] = fail
    walk = Walk(shelf, SPAN)
    await walk.step()
    with pytest.raises(TryLater):
        await walk.step()
    await walk.step()
    assert walk.is_over
    assert [query.get("page") for query in shelf.asked] == [None, "2"]

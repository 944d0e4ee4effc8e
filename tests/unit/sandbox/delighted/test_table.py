"""The table of responses answers like a plain sorted list would, only sooner."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.sandbox.delighted.records import SurveyResponse
from npsbridge.sandbox.delighted.switches import DelightedSwitches
from npsbridge.sandbox.delighted.table import Filters, Order, ResponseTable

SECONDS = st.integers(0, 9)
BOUNDS = st.none() | SECONDS

rows = st.lists(
    st.builds(
        lambda number, person, created, lag, edits: SurveyResponse(
            id=str(number), person_id=person, score=5, created_at=created, updated_at=created + lag, edits=edits
        ),
        st.integers(1, 60),
        st.none() | st.sampled_from(["1", "2"]),
        SECONDS,
        st.integers(0, 5),
        st.integers(0, 1),
    ),
    max_size=40,
)
filters = st.builds(
    Filters,
    since=BOUNDS,
    until=BOUNDS,
    updated_since=BOUNDS,
    updated_until=BOUNDS,
    person_id=st.none() | st.just("1"),
)
switches = st.builds(
    DelightedSwitches,
    updated_at=st.sampled_from(["set", "null_until_edited", "always_null"]),
    updated_since_matches_null=st.booleans(),
)


def plainly(kept: list[SurveyResponse], wanted: Filters, order: Order, how: DelightedSwitches) -> list[str]:
    """What the list must be, worked out the slow way."""

    def shown(row: SurveyResponse) -> int | None:
        if how.updated_at == "always_null" or (how.updated_at == "null_until_edited" and not row.edits):
            return None
        return row.updated_at

    def update(row: SurveyResponse) -> int:
        value = shown(row)
        return row.created_at if value is None else value

    def inside(value: int, first: int | None, last: int | None) -> bool:
        return (first is None or first <= value) and (last is None or value <= last)

    found = [
        row
        for row in kept
        if inside(row.created_at, wanted.since, wanted.until)
        and wanted.person_id in {None, row.person_id}
        and (
            not wanted.by_update
            or (
                (how.updated_since_matches_null or shown(row) is not None)
                and inside(update(row), wanted.updated_since, wanted.updated_until)
            )
        )
    ]
    found.sort(key=lambda row: (update(row) if order.is_by_update else row.created_at, int(row.id)))
    return [row.id for row in (reversed(found) if order.is_descending else found)]


def pages(table: ResponseTable, wanted: Filters, order: Order, size: int) -> list[str]:
    """All pages, one after the other."""
    read: list[str] = []
    while page := table.page(wanted, order, skip=len(read), count=size):
        read += [row.id for row in page]
    return read


@given(rows=rows, wanted=filters, order=st.sampled_from(Order), how=switches, size=st.integers(1, 7))
def test_pages_are_those_of_a_sorted_list(
    rows: list[SurveyResponse], wanted: Filters, order: Order, how: DelightedSwitches, size: int
) -> None:
    table = ResponseTable(how)
    for row in rows:
        table.put(row)
    kept = list({row.id: row for row in rows}.values())
    assert pages(table, wanted, order, size) == plainly(kept, wanted, order, how)


@given(rows=rows, wanted=filters, order=st.sampled_from(Order))
def test_a_deleted_person_leaves_nothing(rows: list[SurveyResponse], wanted: Filters, order: Order) -> None:
    table = ResponseTable(DelightedSwitches())
    for row in rows:
        table.put(row)
    table.remove_of_person("1")
    kept = [row for row in {row.id: row for row in rows}.values() if row.person_id != "1"]
    assert pages(table, wanted, order, 5) == plainly(kept, wanted, order, DelightedSwitches())


@given(rows=rows, order=st.sampled_from(Order))
def test_shuffled_ties_keep_the_order_of_seconds_and_stay_the_same(rows: list[SurveyResponse], order: Order) -> None:
    table = ResponseTable(DelightedSwitches(tie_order="shuffled"))
    for row in rows:
        table.put(row)
    read = pages(table, Filters(), order, 3)
    seconds = [row.updated_at if order.is_by_update else row.created_at for row in map(table.rows.__getitem__, read)]
    assert seconds == sorted(seconds, reverse=order.is_descending)
    assert sorted(read) == sorted(table.rows)
    assert pages(table, Filters(), order, 4) == read


def test_shuffled_ties_are_not_in_the_order_of_ids() -> None:
    table = ResponseTable(DelightedSwitches(tie_order="shuffled"))
    for number in range(20):
        table.put(SurveyResponse(id=str(number), person_id=None, score=5, created_at=1, updated_at=1))
    assert pages(table, Filters(), Order.CREATED, 20) != [str(number) for number in range(20)]


@given(rows=rows, how=switches)
def test_changed_switches_sort_anew(rows: list[SurveyResponse], how: DelightedSwitches) -> None:
    table = ResponseTable(DelightedSwitches(tie_order="shuffled"))
    for row in rows:
        table.put(row)
    table.reorganise(how)
    kept = list({row.id: row for row in rows}.values())
    assert pages(table, Filters(), Order.UPDATED, 9) == plainly(kept, Filters(), Order.UPDATED, how)


class CountingRows(dict[str, SurveyResponse]):
    """Rows that count how many of them are looked at."""

    looked_at = 0

    def __getitem__(self, row_id: str) -> SurveyResponse:
        self.looked_at += 1
        return super().__getitem__(row_id)


@pytest.mark.parametrize(
    ("wanted", "order"),
    [
        (Filters(), Order.CREATED),
        (Filters(since=10), Order.CREATED_DESC),
        (Filters(updated_since=10), Order.UPDATED),
        (Filters(updated_since=10, updated_until=4000), Order.UPDATED_DESC),
    ],
)
def test_a_deep_page_looks_at_its_own_rows_only(wanted: Filters, order: Order) -> None:
    table = ResponseTable(DelightedSwitches())
    table.put_new(
        SurveyResponse(id=str(number), person_id=None, score=5, created_at=number, updated_at=number)
        for number in range(5000)
    )
    table._rows = rows = CountingRows(table._rows)
    assert len(table.page(wanted, order, skip=3000, count=100)) == 100
    assert rows.looked_at == 100


def test_a_further_page_of_a_searched_list_looks_at_its_own_rows_only() -> None:
    table = ResponseTable(DelightedSwitches())
    table.put_new(
        SurveyResponse(id=str(number), person_id=None, score=5, created_at=number, updated_at=number)
        for number in range(5000)
    )
    wanted = Filters(updated_since=10)
    table.page(wanted, Order.CREATED, skip=0, count=100)
    table._rows = rows = CountingRows(table._rows)
    assert len(table.page(wanted, Order.CREATED, skip=100, count=100)) == 100
    assert rows.looked_at == 100

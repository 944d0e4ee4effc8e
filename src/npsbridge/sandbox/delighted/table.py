"""Survey responses as the lists show them: kept in both orders, so that a page costs the same at any depth.

Pure: no clock, no HTTP. What is visible is decided elsewhere; what is put here is visible.
"""

import hashlib
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

from npsbridge.core.model import Record
from npsbridge.sandbox.delighted.records import SurveyResponse
from npsbridge.sandbox.delighted.switches import DelightedSwitches

_BITS = 32
_MASK = (1 << _BITS) - 1
# An odd factor permutes the numbers below 2**32, and its inverse undoes that.
_SHUFFLE = 2654435769
_UNSHUFFLE = pow(_SHUFFLE, -1, 1 << _BITS)


class Order(StrEnum):
    """The four orders of the vendor's list."""

    CREATED = "asc"
    CREATED_DESC = "desc"
    UPDATED = "asc:updated_at"
    UPDATED_DESC = "desc:updated_at"

    @property
    def is_by_update(self) -> bool:
        """Whether `updated_at` decides."""
        return self in {Order.UPDATED, Order.UPDATED_DESC}

    @property
    def is_descending(self) -> bool:
        """Newest first."""
        return self in {Order.CREATED_DESC, Order.UPDATED_DESC}


class Filters(Record, frozen=True, kw_only=True):
    """Which responses a list asks for; all bounds are inclusive."""

    since: int | None = None
    until: int | None = None
    updated_since: int | None = None
    updated_until: int | None = None
    person_id: str | None = None

    @property
    def by_creation(self) -> bool:
        """Whether `created_at` is bounded."""
        return self.since is not None or self.until is not None

    @property
    def by_update(self) -> bool:
        """Whether `updated_at` is bounded."""
        return self.updated_since is not None or self.updated_until is not None


class TimeIndex:
    """Numbers in the order of a time in seconds; numbers of one second by rank."""

    def __init__(self, *, shuffled: bool) -> None:
        self._factor, self._inverse = (_SHUFFLE, _UNSHUFFLE) if shuffled else (1, 1)
        self._keys: list[int] = []

    def key(self, second: int, number: int) -> int:
        """One integer that sorts like (second, rank of number)."""
        return (second << _BITS) | (number * self._factor & _MASK)

    def number(self, key: int) -> int:
        """The number in a key."""
        return (key & _MASK) * self._inverse & _MASK

    def add(self, second: int, number: int) -> None:
        """Insert one number."""
        insort(self._keys, self.key(second, number))

    def add_many(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Insert many (second, number) at the cost of one sort."""
        self._keys.extend(self.key(second, number) for second, number in pairs)
        self._keys.sort()

    def remove(self, second: int, number: int) -> None:
        """Take one number out; it must be there."""
        key = self.key(second, number)
        at = bisect_left(self._keys, key)
        if self._keys[at : at + 1] != [key]:
            raise KeyError(number)
        del self._keys[at]

    def after(self, key: int) -> int:
        """The position behind a key, whether or not it is there."""
        return bisect_right(self._keys, key)

    def span(self, since: int | None, until: int | None) -> range:
        """The positions of an inclusive range of seconds."""
        first = 0 if since is None else bisect_left(self._keys, since << _BITS)
        last = len(self._keys) if until is None else bisect_left(self._keys, (until + 1) << _BITS)
        return range(first, max(first, last))

    def numbers(self, positions: range) -> list[int]:
        """The numbers at these positions, in their order."""
        return [self.number(self._keys[position]) for position in positions]


class ResponseTable:
    """The visible responses."""

    def __init__(self, switches: DelightedSwitches) -> None:
        self._rows: dict[str, SurveyResponse] = {}
        self._of_person: dict[str, list[str]] = {}
        # The last list that no index answers, so that its further pages need no new search.
        self._found: tuple[tuple[Filters, Order], list[int]] | None = None
        self.reorganise(switches)

    @property
    def rows(self) -> Mapping[str, SurveyResponse]:
        """By id, not to be changed."""
        return MappingProxyType(self._rows)

    def reorganise(self, switches: DelightedSwitches) -> None:
        """Sort everything anew, as the switches for ties and for null `updated_at` say."""
        self._switches = switches
        self._created = TimeIndex(shuffled=switches.tie_order == "shuffled")
        self._updated = TimeIndex(shuffled=switches.tie_order == "shuffled")
        self._index(self._rows.values())

    def put(self, row: SurveyResponse) -> None:
        """Insert or replace one row."""
        self._take_out(row.id)
        self._note_person(row)
        self._rows[row.id] = row
        self._created.add(row.created_at, int(row.id))
        self._updated.add(self._update_second(row), int(row.id))
        self._found = None

    def put_new(self, rows: Iterable[SurveyResponse]) -> None:
        """Insert many rows that are not there yet."""
        fresh = {row.id: row for row in rows}
        self._rows.update(fresh)
        for row in fresh.values():
            self._note_person(row)
        self._index(fresh.values())

    def remove_of_person(self, person_id: str) -> None:
        """Take out all rows of a person; no trace of them stays."""
        for row_id in list(self._of_person.get(person_id, [])):
            self._take_out(row_id)
        self._found = None

    def shown_updated_at(self, row: SurveyResponse) -> int | None:
        """`updated_at` as the switch lets it be seen."""
        match self._switches.updated_at:
            case "set":
                return row.updated_at
            case "null_until_edited":
                return row.updated_at if row.edits else None
            case "always_null":
                return None

    def created_between(self, since: int | None, until: int | None) -> list[SurveyResponse]:
        """Rows of an inclusive range of `created_at`, oldest first."""
        return self._rows_of(self._created.numbers(self._created.span(since, until)))

    def page(self, filters: Filters, order: Order, *, skip: int, count: int) -> list[SurveyResponse]:
        """`count` rows after the first `skip` of the list."""
        positions = self._positions(filters, order)
        if positions is None:
            return self._rows_of(self._search(filters, order)[skip : skip + count])
        index = self._updated if order.is_by_update else self._created
        directed = positions[::-1] if order.is_descending else positions
        return self._rows_of(index.numbers(directed[skip : skip + count]))

    def _positions(self, filters: Filters, order: Order) -> range | None:
        """Where one index answers alone, the part of it; None where rows have to be searched."""
        if filters.person_id is not None or (filters.by_update and not self._switches.updated_since_matches_null):
            return None
        if order.is_by_update:
            spanned = self._updated.span(filters.updated_since, filters.updated_until)
            return None if filters.by_creation else spanned
        return None if filters.by_update else self._created.span(filters.since, filters.until)

    def _search(self, filters: Filters, order: Order) -> list[int]:
        if self._found is None or self._found[0] != (filters, order):
            self._found = ((filters, order), self._sorted(filters, order))
        return self._found[1]

    def _sorted(self, filters: Filters, order: Order) -> list[int]:
        rows = [row for row in self._candidates(filters) if self._matches(row, filters)]
        index = self._updated if order.is_by_update else self._created
        second: Callable[[SurveyResponse], int] = self._update_second if order.is_by_update else _created_second
        rows.sort(key=lambda row: index.key(second(row), int(row.id)), reverse=order.is_descending)
        return [int(row.id) for row in rows]

    def _candidates(self, filters: Filters) -> Iterable[SurveyResponse]:
        if filters.person_id is not None:
            return (self._rows[row_id] for row_id in self._of_person.get(filters.person_id, []))
        if filters.by_update:
            span = self._updated.span(filters.updated_since, filters.updated_until)
            return self._rows_of(self._updated.numbers(span))
        return self._rows.values()

    def _matches(self, row: SurveyResponse, filters: Filters) -> bool:
        if not _within(row.created_at, filters.since, filters.until):
            return False
        if not filters.by_update:
            return True
        is_null = self.shown_updated_at(row) is None
        return (self._switches.updated_since_matches_null or not is_null) and _within(
            self._update_second(row), filters.updated_since, filters.updated_until
        )

    def _update_second(self, row: SurveyResponse) -> int:
        shown = self.shown_updated_at(row)
        return row.created_at if shown is None else shown

    def _index(self, rows: Iterable[SurveyResponse]) -> None:
        listed = list(rows)
        self._created.add_many((row.created_at, int(row.id)) for row in listed)
        self._updated.add_many((self._update_second(row), int(row.id)) for row in listed)
        self._found = None

    def _take_out(self, row_id: str) -> None:
        row = self._rows.pop(row_id, None)
        if row is None:
            return
        self._created.remove(row.created_at, int(row.id))
        self._updated.remove(self._update_second(row), int(row.id))
        if row.person_id is not None:
            self._of_person[row.person_id].remove(row.id)

    def _note_person(self, row: SurveyResponse) -> None:
        if row.person_id is not None:
            self._of_person.setdefault(row.person_id, []).append(row.id)

    def _rows_of(self, numbers: Iterable[int]) -> list[SurveyResponse]:
        return [self._rows[str(number)] for number in numbers]


def permalink(response_id: str) -> str:
    """The 32 characters are made from the id: always the same, and not guessable at a glance."""
    return f"https://app.delighted.com/r/{hashlib.sha256(response_id.encode()).hexdigest()[:32]}"


def _created_second(row: SurveyResponse) -> int:
    return row.created_at


def _within(second: int, first: int | None, last: int | None) -> bool:
    return (first is None or second >= first) and (last is None or second <= last)

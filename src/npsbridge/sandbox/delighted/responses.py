"""Survey responses: what is true, and when each change of it becomes visible in the lists.

Pure state; times and chance are handed in. It knows nothing of people but their ids.
"""

import heapq
import itertools
import random
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from npsbridge.sandbox.delighted.records import SurveyResponse
from npsbridge.sandbox.delighted.switches import DelightedSwitches
from npsbridge.sandbox.delighted.table import ResponseTable

_FIRST_ID = 430_001

COUNTING_FIELDS = frozenset({"score", "comment", "person_id", "person_properties"})
"""Fields whose change certainly moves `updated_at`; others do if their switch says so."""


class Responses:
    """The truth, and `visible`, which follows it at once or after the account's visibility lag."""

    def __init__(self, switches: DelightedSwitches, dice: random.Random) -> None:
        self.visible = ResponseTable(switches)
        self._switches = switches
        self._dice = dice
        self._ids = itertools.count(_FIRST_ID)
        self._versions = itertools.count(1)
        self._unseen: dict[str, SurveyResponse] = {}
        self._appearing: list[tuple[float, int, SurveyResponse]] = []

    def reorganise(self, switches: DelightedSwitches) -> None:
        """Follow changed switches; what is on its way to being visible keeps its time."""
        self._switches = switches
        self.visible.reorganise(switches)

    @property
    def truth(self) -> Mapping[str, SurveyResponse]:
        """Every response as it really is, by id; not to be changed."""
        if not self._unseen:
            return self.visible.rows
        return MappingProxyType({**self.visible.rows, **self._unseen})

    def find(self, response_id: str) -> SurveyResponse | None:
        """One response as it really is."""
        return self._unseen.get(response_id) or self.visible.rows.get(response_id)

    def add(self, *, now: float, visible_after: float | None = None, **fields: Any) -> SurveyResponse:
        """A new response; the fields are those of `SurveyResponse` but `id`."""
        row = self._new(fields)
        self._publish(row, now, visible_after)
        return row

    def add_many(self, rows_fields: Iterable[dict[str, Any]]) -> list[str]:
        """Many new responses, visible at once."""
        rows = [self._new(fields) for fields in rows_fields]
        self.visible.put_new(rows)
        return [row.id for row in rows]

    def change(
        self, response_id: str, changes: Mapping[str, Any], *, at: int, now: float, visible_after: float | None = None
    ) -> tuple[SurveyResponse, bool]:
        """Apply changes; says whether they moved `updated_at` to `at`.

        Raises:
            KeyError: There is no such response.
        """
        old = self.find(response_id)
        if old is None:
            raise KeyError(response_id)
        changed = {name for name, value in changes.items() if getattr(old, name) != value}
        if not changed:
            return old, False
        moved = not changed.isdisjoint(self._counting())
        row = msgspec.structs.replace(
            old,
            **changes,
            updated_at=at if moved else old.updated_at,
            edits=old.edits + moved,
            version=next(self._versions),
        )
        self._publish(row, now, visible_after)
        return row, moved

    def remove_of_person(self, person_id: str) -> None:
        """Delete a person's responses, seen or not; there is no tombstone."""
        self.visible.remove_of_person(person_id)
        self._unseen = {row_id: row for row_id, row in self._unseen.items() if row.person_id != person_id}
        self._appearing = [entry for entry in self._appearing if entry[2].person_id != person_id]
        heapq.heapify(self._appearing)

    def show_due(self, now: float) -> None:
        """Let appear what has become visible by now."""
        while self._appearing and self._appearing[0][0] <= now:
            _, _, row = heapq.heappop(self._appearing)
            self._show(row)

    def _new(self, fields: dict[str, Any]) -> SurveyResponse:
        return SurveyResponse(id=str(next(self._ids)), version=next(self._versions), **fields)

    def _publish(self, row: SurveyResponse, now: float, visible_after: float | None) -> None:
        lag = self._lag() if visible_after is None else visible_after
        self._unseen[row.id] = row
        heapq.heappush(self._appearing, (now + lag, row.version, row))
        self.show_due(now)

    def _lag(self) -> float:
        longest = self._switches.visibility_lag
        return self._dice.uniform(0, longest) if longest else 0.0

    def _show(self, row: SurveyResponse) -> None:
        seen = self.visible.rows.get(row.id)
        if seen is None or seen.version < row.version:
            self.visible.put(row)
        if self._unseen.get(row.id) is row:
            del self._unseen[row.id]

    def _counting(self) -> Iterator[str]:
        yield from COUNTING_FIELDS
        if self._switches.additional_answers_count_as_update:
            yield "additional_answers"
        if self._switches.notes_and_tags_count_as_update:
            yield from ("notes", "tags")

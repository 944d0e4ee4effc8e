"""Responses: what is true, and what the lists show of it by now.

Pure state; times are handed in. It knows nothing of users but their ids.
"""

import hashlib
import heapq
import itertools
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from npsbridge.sandbox.satismeter.records import SurveyResponse


class Responses:
    """The truth, and `shown`, which follows it at once or late."""

    def __init__(self) -> None:
        self._truth: dict[str, SurveyResponse] = {}
        self._shown: dict[str, SurveyResponse] = {}
        self._order: list[tuple[int, str]] = []
        self._appearing: list[tuple[float, int, SurveyResponse]] = []
        self._versions = itertools.count(1)

    @property
    def truth(self) -> Mapping[str, SurveyResponse]:
        """Every response as it really is, by id; not to be changed."""
        return MappingProxyType(self._truth)

    def write(self, response: SurveyResponse, *, shown_at: float, now: float) -> SurveyResponse:
        """A new response, or another version of a known one."""
        written = msgspec.structs.replace(response, version=next(self._versions))
        self._truth[written.id] = written
        heapq.heappush(self._appearing, (shown_at, written.version, written))
        self.show_due(now)
        return written

    def write_many(self, responses: Iterable[SurveyResponse]) -> list[str]:
        """Many new ones, shown at once."""
        new = {response.id: response for response in responses}
        self._truth.update(new)
        self._shown.update(new)
        self._order = sorted([*self._order, *((one.created, one.id) for one in new.values())])
        return list(new)

    def remove(self, response_id: str) -> None:
        """A response is deleted; there is no tombstone. Raises KeyError if there is none."""
        gone = self._truth.pop(response_id)
        self._appearing = [entry for entry in self._appearing if entry[2].id != response_id]
        heapq.heapify(self._appearing)
        if self._shown.pop(response_id, None) is not None:
            self._order.remove((gone.created, gone.id))

    def show_due(self, now: float) -> None:
        """Let appear what is to be seen by now."""
        while self._appearing and self._appearing[0][0] <= now:
            response = heapq.heappop(self._appearing)[2]
            seen = self._shown.get(response.id)
            if seen is None:
                insort(self._order, (response.created, response.id))
            if seen is None or seen.version < response.version:
                self._shown[response.id] = response

    def between(self, since: int, until: int, *, is_shuffled: bool = False) -> list[SurveyResponse]:
        """What is shown of a stretch of time, both ends included, oldest first."""
        first, last = bisect_left(self._order, (since, "")), bisect_right(self._order, (until, "~"))
        found = [self._shown[response_id] for _, response_id in self._order[first:last]]
        return sorted(found, key=_shuffled) if is_shuffled else found


def _shuffled(response: SurveyResponse) -> tuple[int, Any]:
    return response.created, hashlib.sha256(response.id.encode()).digest()

"""What the Segment look-alike has been told so far, counted as it comes in.

Reads events as a destination would get them; must not know how they came about.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from npsbridge.core.model import Record

SUBMIT, ANSWERED = "Submit Survey", "Answered NPS Survey"


class Said(Record, frozen=True, kw_only=True):
    """The newest revision of a response, as Segment knows it."""

    revision: int
    score: int | None
    comment: str | None
    category: str | None


class Heard:
    """A tally of events; `catch_up` takes in those that have come since.

    Args:
        events: the growing list of the look-alike.
    """

    def __init__(self, events: Sequence[Mapping[str, Any]]) -> None:
        self._events = events
        self._taken = 0
        self.calls: Counter[str] = Counter()
        """By event name for tracks, `identify` for the others."""
        self.responses: dict[str, Said] = {}
        """By response id."""
        self.ratings: dict[str | None, int] = {}
        """By email: the NPS_rating that was set last."""

    def catch_up(self) -> "Heard":
        """Count what is new; returns itself."""
        while self._taken < len(self._events):
            self._take(self._events[self._taken])
            self._taken += 1
        return self

    def revision(self, response_id: str) -> int:
        """The newest revision of a response that was told; 0 for none."""
        return _revision(self.catch_up().responses.get(response_id))

    @property
    def camps(self) -> Counter[str]:
        """How many promoters, passives and detractors, by each response's newest score."""
        return Counter(said.category for said in self.responses.values() if said.category)

    def _take(self, event: Mapping[str, Any]) -> None:
        name = event["event"] if event["type"] == "track" else event["type"]
        self.calls[name] += 1
        if name == SUBMIT:
            self._note_response(event["properties"])
        elif name == "identify":
            self.ratings[event["context"]["traits"].get("email")] = event["traits"]["NPS_rating"]

    def _note_response(self, properties: Mapping[str, Any]) -> None:
        said = Said(
            revision=properties["revision"],
            score=properties["score"],
            comment=properties["comment"],
            category=properties.get("category"),
        )
        number = properties["response_id"]
        if said.revision > _revision(self.responses.get(number)):
            self.responses[number] = said


def _revision(said: Said | None) -> int:
    return said.revision if said else 0


def nps(camps: Mapping[str, int]) -> float | None:
    """Promoters minus detractors in per cent of all who gave a score; None while there is nobody."""
    total = sum(camps.values())
    return 100 * (camps.get("promoter", 0) - camps.get("detractor", 0)) / total if total else None

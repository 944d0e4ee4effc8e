"""What the Segment look-alike has been told so far, counted as it comes in, and what Heap's holds.

Reads events as a destination would get them; must not know how they came about.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from npsbridge.core.model import Record
from npsbridge.sandbox import Sandbox

SUBMIT, ANSWERED = "Submit Survey", "Answered NPS Survey"
COMPLETED, CLOSED, VIEWED = "Completed NPS Survey", "Closed NPS Survey", "Viewed NPS Survey"

Number = tuple[str, str]
"""The connection and the response's id."""


class Said(Record, frozen=True, kw_only=True):
    """The newest revision of a response, as Segment knows it."""

    revision: int
    score: int | None
    comment: str | None
    category: str | None
    user_id: str | None
    """Whose it is."""


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
        self.responses: dict[Number, Said] = {}
        self.by_connection: Counter[str] = Counter()
        """How many responses of each connection."""
        self.ratings: dict[str | None, int] = {}
        """By email: the NPS_rating that was set last."""

    def catch_up(self) -> "Heard":
        """Count what is new; returns itself."""
        while self._taken < len(self._events):
            self._take(self._events[self._taken])
            self._taken += 1
        return self

    def revision(self, connection: str, response_id: str) -> int:
        """The newest revision of a response that was told; 0 for none."""
        return _revision(self.catch_up().responses.get((connection, response_id)))

    @property
    def camps(self) -> Counter[str]:
        """How many promoters, passives and detractors, by each response's newest score."""
        return Counter(said.category for said in self.responses.values() if said.category)

    def _take(self, event: Mapping[str, Any]) -> None:
        name = event["event"] if event["type"] == "track" else event["type"]
        self.calls[name] += 1
        if name == SUBMIT:
            self._note_response(event["properties"], event.get("userId"))
        elif name == "identify":
            self.ratings[event["context"]["traits"].get("email")] = event["traits"]["NPS_rating"]

    def _note_response(self, properties: Mapping[str, Any], user_id: str | None) -> None:
        said = Said(
            revision=properties["revision"],
            score=properties["score"],
            comment=properties["comment"],
            category=properties.get("category"),
            user_id=user_id,
        )
        number = (properties["connection"], properties["response_id"])
        before = self.responses.get(number)
        self.by_connection[number[0]] += before is None
        if said.revision > _revision(before):
            self.responses[number] = said


class AtHeap(Record, frozen=True, kw_only=True):
    """What Heap holds."""

    events: Mapping[str, int]
    """How many `Submit Survey` each person has; people are known by their email."""
    ratings: Mapping[str, object]
    """The NPS_rating of each person."""

    @property
    def total(self) -> int:
        """All events."""
        return sum(self.events.values())


def at_heap(sandbox: Sandbox) -> AtHeap:
    """Look at Heap."""
    heap = sandbox.heap
    return AtHeap(
        events=Counter(event.person for event in heap.events if event.event == SUBMIT),
        ratings={person: found["NPS_rating"] for person, found in heap.users.items() if "NPS_rating" in found},
    )


def _revision(said: Said | None) -> int:
    return said.revision if said else 0


def nps(camps: Mapping[str, int]) -> float | None:
    """Promoters minus detractors in per cent of all who gave a score; None while there is nobody."""
    total = sum(camps.values())
    return 100 * (camps.get("promoter", 0) - camps.get("detractor", 0)) / total if total else None


def told_of(events: Mapping[str, int], platforms: Mapping[str, str]) -> Counter[str]:
    """By platform: how many events Heap has of its people.

    Args:
        events: by email.
        platforms: by email; whoever is missing is nobody's.
    """
    counts: Counter[str] = Counter()
    for email, number in events.items():
        counts[platforms.get(email, "nobody")] += number
    return counts

"""Whether both ends of the demo tell the same story: what is true at the vendors beside what the sinks heard.

Pure. A demo that cannot fail would prove nothing.
"""

from collections.abc import Mapping, Sequence

import msgspec

from npsbridge.cli.demo.figure import Figure, counted, disagreements
from npsbridge.cli.demo.heard import ANSWERED, CLOSED, COMPLETED, SUBMIT, VIEWED, AtHeap, Heard, nps, told_of
from npsbridge.cli.demo.titles import CONNECTED, SINKS, SURVEY_PLATFORMS, TITLES
from npsbridge.cli.demo.truth import Truth
from npsbridge.cli.demo.way_out import Way
from npsbridge.core.model import Record
from npsbridge.core.records import Ledger

_CAMPS = ("promoter", "passive", "detractor")


class Place(Record, frozen=True, kw_only=True):
    """One platform, as the last table shows it."""

    platform: str
    state: str
    """In the words of the contract."""
    answers: int | None = None
    """At the vendor; None where nobody answers."""
    segment: int | None = None
    """Answers that Segment was told of; None for Heap."""
    heap: int | None = None
    """Answers that Heap has an event of; None for Segment."""

    @property
    def title(self) -> str:
        """The vendor's name."""
        return TITLES[self.platform]

    @property
    def direction(self) -> str:
        """Where answers go: in, from a survey platform, or out, to a sink."""
        return "in" if self.platform in SURVEY_PLATFORMS else "out"

    @property
    def figures(self) -> list[Figure]:
        """What has to agree."""
        state = Figure(name=f"the state of {self.title}", true=CONNECTED, told=self.state)
        if self.answers is None:
            return [state]
        of_it = [("Segment", self.segment), ("Heap", self.heap)]
        return [state, *(counted(f"{self.title}'s answers at {sink}", self.answers, told or 0) for sink, told in of_it)]


class Verdict(Record, frozen=True, kw_only=True):
    """Everything that was compared."""

    places: Sequence[Place] = ()
    figures: Sequence[Figure] = msgspec.field(default_factory=list)
    ways: Sequence[Way] = ()
    """The way out."""
    sent: Sequence[Figure] = ()
    """What was sent beside what the vendors recorded."""

    @property
    def disagreements(self) -> list[str]:
        """What does not agree, in words."""
        of_places = [figure for place in self.places for figure in place.figures]
        of_ways = [figure for way in self.ways for figure in way.figures]
        return disagreements([*of_places, *self.figures, *of_ways, *self.sent])


def places(truth: Truth, heard: Heard, heap: AtHeap, states: Mapping[str, str]) -> list[Place]:
    """The table of platforms.

    Args:
        truth: what is so at the vendors.
        heard: what Segment was told.
        heap: what Heap holds.
        states: the state word of each connection.
    """
    answers, at_heap = truth.by_platform, told_of(heap.events, truth.platforms)
    sources = [
        Place(
            platform=name,
            state=states.get(name, "missing"),
            answers=answers[name],
            segment=heard.by_connection[name],
            heap=at_heap[name],
        )
        for name in SURVEY_PLATFORMS
    ]
    totals = {"segment": {"segment": len(heard.responses)}, "heap": {"heap": heap.total}}
    return sources + [Place(platform=name, state=states.get(name, "missing"), **totals[name]) for name in SINKS]


def figures(truth: Truth, heard: Heard, heap: AtHeap, *, dropped: int) -> list[Figure]:
    """All platforms together, both ends side by side.

    Args:
        truth: what is so at the vendors.
        heard: what Segment was told.
        heap: what Heap holds.
        dropped: calls that Segment got and did not hand on, because they came twice or make no sense.
    """
    camps, people = truth.camps, truth.newest_scores
    return [
        counted("answers", len(truth.answers), len(heard.responses)),
        *(counted(f"{camp}s", camps[camp], heard.camps[camp]) for camp in _CAMPS),
        Figure(name="NPS", true=shown_nps(camps), told=shown_nps(heard.camps)),
        counted("score and comment to the letter", len(truth.answers), _matching(truth, heard)),
        counted("people with their newest score", len(people), _matching_people(people, heard.ratings)),
        counted(ANSWERED, len(truth.answers), heard.calls[ANSWERED]),
        counted(COMPLETED, truth.commented, heard.calls[COMPLETED]),
        counted(f"{CLOSED} (SatisMeter)", truth.closed, heard.calls[CLOSED]),
        counted(f"{VIEWED} (Retently)", truth.opened, heard.calls[VIEWED]),
        counted("edits and late comments", truth.edits, heard.calls[SUBMIT] - len(heard.responses)),
        counted("calls doubled or refused", 0, dropped),
        counted("Heap: events", len(truth.answers), heap.total),
        counted("Heap: people with their newest score", len(people), _matching_people(people, heap.ratings)),
    ]


def ledger_figure(ledger: Ledger) -> Figure:
    """The daemon's own proof: what it accepted beside what became of it; nothing waits, nothing is dead."""
    settled = ledger.accepted - ledger.imbalance - ledger.waiting - ledger.dead - ledger.held
    return counted("ledger: accepted, accounted for", ledger.accepted, settled)


def shown_nps(camps: Mapping[str, int]) -> str:
    """The NPS with one decimal and its sign."""
    value = nps(camps)
    return "none yet" if value is None else f"{value:+.1f}"


def _matching(truth: Truth, heard: Heard) -> int:
    pairs = ((one, heard.responses.get((one.platform, one.id))) for one in truth.answers)
    return sum(said is not None and (said.score, said.comment) == (one.score, one.comment) for one, said in pairs)


def _matching_people(people: Mapping[str, int], ratings: Mapping[str, object] | Mapping[str | None, int]) -> int:
    known = dict(ratings)
    return sum(known.get(email) == score for email, score in people.items())

"""Whether both ends of the demo tell the same story: what is true at the vendors beside what the sinks heard.

Pure. A demo that cannot fail would prove nothing.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from npsbridge.cli.demo.heard import ANSWERED, CLOSED, COMPLETED, SUBMIT, VIEWED, AtHeap, Heard, nps, told_of
from npsbridge.cli.demo.titles import SINKS, SURVEY_PLATFORMS, TITLES
from npsbridge.cli.demo.truth import Truth
from npsbridge.core.model import Record
from npsbridge.core.ports import Ledger

CONNECTED = "connected"
_CAMPS = ("promoter", "passive", "detractor")


class Figure(Record, frozen=True, kw_only=True):
    """One thing that can be counted at both ends."""

    name: str
    true: str
    told: str

    @property
    def agrees(self) -> bool:
        """Whether both ends say the same."""
        return self.true == self.told


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
        return [state, *(_figure(f"{self.title}'s answers at {sink}", self.answers, told or 0) for sink, told in of_it)]


class Verdict(Record, frozen=True, kw_only=True):
    """Everything that was compared."""

    places: Sequence[Place] = ()
    figures: Sequence[Figure] = msgspec.field(default_factory=list)

    @property
    def disagreements(self) -> list[str]:
        """What does not agree, in words."""
        of_places = [figure for place in self.places for figure in place.figures]
        return disagreements([*of_places, *self.figures])


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
        _figure("answers", len(truth.answers), len(heard.responses)),
        *(_figure(f"{camp}s", camps[camp], heard.camps[camp]) for camp in _CAMPS),
        Figure(name="NPS", true=shown_nps(camps), told=shown_nps(heard.camps)),
        _figure("score and comment to the letter", len(truth.answers), _matching(truth, heard)),
        _figure("people with their newest score", len(people), _matching_people(people, heard.ratings)),
        _figure(ANSWERED, len(truth.answers), heard.calls[ANSWERED]),
        _figure(COMPLETED, truth.commented, heard.calls[COMPLETED]),
        _figure(f"{CLOSED} (SatisMeter)", truth.closed, heard.calls[CLOSED]),
        _figure(f"{VIEWED} (Retently)", truth.opened, heard.calls[VIEWED]),
        _figure("edits and late comments", truth.edits, heard.calls[SUBMIT] - len(heard.responses)),
        _figure("calls doubled or refused", 0, dropped),
        _figure("Heap: events", len(truth.answers), heap.total),
        _figure("Heap: people with their newest score", len(people), _matching_people(people, heap.ratings)),
    ]


def ledger_figure(ledger: Ledger) -> Figure:
    """The daemon's own proof: what it accepted beside what became of it; nothing waits, nothing is dead."""
    settled = ledger.accepted - ledger.imbalance - ledger.waiting - ledger.dead - ledger.held
    return _figure("ledger: accepted, accounted for", ledger.accepted, settled)


def shown_nps(camps: Mapping[str, int]) -> str:
    """The NPS with one decimal and its sign."""
    value = nps(camps)
    return "none yet" if value is None else f"{value:+.1f}"


def disagreements(found: Iterable[Figure]) -> list[str]:
    """What does not agree, in words."""
    return [f"{one.name}: {one.true} is true, {one.told} was told" for one in found if not one.agrees]


def _figure(name: str, true: int, told: int) -> Figure:
    return Figure(name=name, true=f"{true:,}", told=f"{told:,}")


def _matching(truth: Truth, heard: Heard) -> int:
    pairs = ((one, heard.responses.get((one.platform, one.id))) for one in truth.answers)
    return sum(said is not None and (said.score, said.comment) == (one.score, one.comment) for one, said in pairs)


def _matching_people(people: Mapping[str, int], ratings: Mapping[str, object] | Mapping[str | None, int]) -> int:
    known = dict(ratings)
    return sum(known.get(email) == score for email, score in people.items())

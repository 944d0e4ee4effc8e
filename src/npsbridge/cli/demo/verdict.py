"""Whether both ends of the demo tell the same story: figures of what is true at Delighted beside what Segment heard.

Pure. A demo that cannot fail would prove nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from npsbridge.cli.demo.heard import ANSWERED, SUBMIT, Heard, nps
from npsbridge.core.model import Record
from npsbridge.core.ports import Ledger
from npsbridge.core.translate import category
from npsbridge.sandbox import SurveyResponse

COMPLETED = "Completed NPS Survey"


class Figure(Record, frozen=True, kw_only=True):
    """One line of the summary."""

    name: str
    delighted: str
    segment: str

    @property
    def agrees(self) -> bool:
        """Whether both ends say the same."""
        return self.delighted == self.segment


class Truth(Record, frozen=True, kw_only=True):
    """What is so at Delighted."""

    responses: Mapping[str, SurveyResponse]
    emails: Mapping[str, str | None]
    """By person id."""
    edits_before: int
    """Edits that were made before the daemon came; it finds their result, not their steps."""

    @property
    def camps(self) -> Counter[str]:
        """Promoters, passives and detractors."""
        return Counter(category(row.score) for row in self.responses.values())

    @property
    def newest_scores(self) -> dict[str, int]:
        """By email: the score that each person gave last."""
        rows = sorted(self.responses.values(), key=lambda row: row.created_at)
        scores = {self.emails.get(row.person_id or ""): row.score for row in rows}
        return {email: score for email, score in scores.items() if email is not None}

    @property
    def edits(self) -> int:
        """How often a response was changed since the daemon came."""
        return sum(row.edits for row in self.responses.values()) - self.edits_before


def figures(truth: Truth, heard: Heard, *, dropped: int) -> list[Figure]:
    """The two ends side by side.

    Args:
        truth: what is so at Delighted.
        heard: what Segment was told.
        dropped: calls that Segment got and did not hand on, because they came twice or make no sense.
    """
    camps = truth.camps
    commented = sum(row.comment is not None for row in truth.responses.values())
    return [
        _figure("responses", len(truth.responses), len(heard.responses)),
        *(_figure(f"{camp}s", camps[camp], heard.camps[camp]) for camp in ("promoter", "passive", "detractor")),
        _figure("NPS", shown_nps(camps), shown_nps(heard.camps)),
        _figure("score and comment to the letter", len(truth.responses), _matching(truth, heard)),
        _figure("people with their newest score", len(truth.newest_scores), _matching_people(truth, heard)),
        _figure(ANSWERED, len(truth.responses), heard.calls[ANSWERED]),
        _figure(COMPLETED, commented, heard.calls[COMPLETED]),
        _figure("edits", truth.edits, heard.calls[SUBMIT] - len(heard.responses)),
        _figure("calls doubled or refused", 0, dropped),
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
    return [f"{one.name}: {one.delighted} at Delighted, {one.segment} at Segment" for one in found if not one.agrees]


def _figure(name: str, delighted: float | str, segment: float | str) -> Figure:
    return Figure(name=name, delighted=_shown(delighted), segment=_shown(segment))


def _shown(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:,}"


def _matching(truth: Truth, heard: Heard) -> int:
    pairs = ((row, heard.responses.get(number)) for number, row in truth.responses.items())
    return sum(said is not None and (said.score, said.comment) == (row.score, row.comment) for row, said in pairs)


def _matching_people(truth: Truth, heard: Heard) -> int:
    return sum(heard.ratings.get(email) == score for email, score in truth.newest_scores.items())

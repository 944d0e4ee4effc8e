"""The seam for those who look: what a store shows of answers and deliveries, without standing in anybody's way.

Nothing here does anything; the docstrings are the contract that the conformance suite checks. Whatever is asked, no
writer waits for it, nor does the line from journal to delivery. Times are milliseconds since 1970.
"""

from typing import Protocol

from msgspec import UNSET

from npsbridge.core.model import Record, Response, State
from npsbridge.core.records import RememberedResponse
from npsbridge.core.times import milliseconds


class Facets(Record, frozen=True, kw_only=True):
    """By what an answer is found and counted, as each store keeps it beside the answer itself."""

    answered_at: int | None
    """None for what is no answer: a survey that was only opened, or closed."""
    survey_type: str
    score: float | None
    campaign: str | None
    """Its name, or its id where the vendor gives no name."""
    has_comment: bool


def facets(response: Response) -> Facets:
    """The facets of a response."""
    campaign = None if response.campaign is UNSET else response.campaign.name or response.campaign.id
    is_answer = not (response.viewed or response.dismissed)
    return Facets(
        answered_at=milliseconds(response.created_at) if is_answer else None,
        survey_type=response.survey_type,
        score=None if response.score is None else float(response.score),
        campaign=campaign,
        has_comment=bool(response.comment),
    )


class Answers(Record, frozen=True, kw_only=True):
    """Which answers are meant; what is left out does not narrow."""

    connections: tuple[str, ...]
    """Those of these connections; of none, nothing is meant."""
    survey_type: str | None = None
    campaign: str | None = None
    lowest: float | None = None
    highest: float | None = None
    """Scores from and to, both included; an answer without score is then not meant."""
    since: int | None = None
    until: int | None = None
    """Answered from, and before."""
    with_comment: bool = False


class Scored(Record, frozen=True, kw_only=True):
    """How many answers gave one score, on one day or in one group."""

    key: tuple[int] | tuple[str, str | None]
    """The day, counted from 1970-01-01 in UTC; or connection and campaign."""
    score: float
    count: int

    @property
    def day(self) -> int:
        """Of what was counted by day: which."""
        return int(self.key[0])


class Listed(Record, frozen=True, kw_only=True):
    """A delivery or a shelved item without what it carries."""

    id: int
    connection: str
    kind: str
    state: State
    message_id: str
    subject: str | None
    attempts: int
    reason: str | None
    created_at: int
    next_attempt_at: int | None
    settled_at: int | None


class Views(Protocol):
    """What can be looked at. All of it only reads, each answer from one moment.

    Raises:
        StoreError: the store cannot be read.
    """

    async def connections(self) -> dict[str, str]:
        """By name of each connection that has an answer: the platform it is of."""

    async def last_answers(self) -> dict[str, int]:
        """By connection: when the newest answer was given."""

    async def survey_types(self, which: Answers) -> list[str]:
        """The survey types of answers, in alphabetical order."""

    async def scores_by_day(self, which: Answers) -> list[Scored]:
        """How often each score was given on each day, in order of days and scores; answers without score left out."""

    async def scores_by_group(self, which: Answers) -> list[Scored]:
        """How often each score was given in each campaign of each connection; answers without score left out."""

    async def answers(
        self, which: Answers, *, lowest_first: bool = False, skip: int = 0, limit: int = 25
    ) -> list[RememberedResponse]:
        """Answers, the newest first; with `lowest_first` by score, and the newest of equal ones first."""

    async def answer(self, connection: str, response_id: str) -> RememberedResponse | None:
        """One response by its id, be it an answer or not."""

    async def deliveries(
        self, *, state: State | None = None, connection: str | None = None, before: int | None = None, limit: int = 50
    ) -> list[Listed]:
        """Deliveries and shelved items with id < `before`, newest first."""

    async def deliveries_of(self, persons: tuple[str, ...], *, limit: int = 50) -> list[Listed]:
        """What survey platforms were or are to be told of some persons (by key), newest first."""

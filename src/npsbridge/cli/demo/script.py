"""What happens in the demo: everything that befalls a real installation in its first week, in half a minute.

It acts at the look-alikes, as people, vendors and outages would; the daemon is left alone, and is only waited for.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import anyio

from npsbridge.cli.demo.stage import Pace, Stage
from npsbridge.cli.demo.story import Story
from npsbridge.core.translate import category
from npsbridge.errors import NpsbridgeError
from npsbridge.net.client import open_session
from npsbridge.sandbox import Answer, DelightedServer, Hang, SegmentServer, SurveyResponse

_LONGEST_QUOTE: Final = 48
_NOTICED: Final = 0.1
_REFUSED: Final = 401
_AWAY: Final = Answer(status=503, body="away for a moment")


class Unheard(NpsbridgeError):
    """Something that happened at Delighted did not reach Segment."""


class Script:
    """Plays the demo on a stage and tells it as a story."""

    def __init__(self, stage: Stage, story: Story, pace: Pace) -> None:
        self._stage = stage
        self._story = story
        self._pace = pace
        self._delighted = stage.sandbox.delighted
        self._segment = stage.sandbox.segment

    async def play(self) -> None:
        """Let everything happen, one after the other.

        Raises:
            Unheard: the daemon did not do its part in time.
        """
        await self._history()
        for scene in (self._answer, self._comment, self._edit, self._webhook, self._forgery, self._outage):
            await anyio.sleep(self._pace.pause)
            await scene()
        await self._quiet()

    # --- scenes ---------------------------------------------------------------------------------------------------

    async def _history(self) -> None:
        """The first start: two years of answers, a page at a time, as slowly as a real vendor gives them."""
        total = len(self._delighted.responses)
        slow = Hang(seconds=self._pace.page)
        self._delighted.faults.add(slow, times=None, method="GET", path="survey_responses")
        with self._story.beat(f"the history: {total:,} answers of {self._pace.people:,} people in two years") as beat:
            seconds = await self._until(
                beat.text,
                lambda: len(self._stage.heard.catch_up().responses) >= total,
                patience=2 * self._pace.patience,
            )
            beat.outcome = f"read and told to Segment in {seconds:.1f} s"
        self._delighted.faults.clear()

    async def _answer(self) -> None:
        row = self._row(self._stage.sandbox.respondents.answer())
        with self._story.beat(f"{self._name(row)} gives {row.score} of 10") as beat:
            seconds = await self._told(beat.text, row.id, 1)
            beat.outcome = f"a {category(row.score)}; Segment knows {_later(seconds)}"

    async def _comment(self) -> None:
        row = self._row(self._stage.sandbox.respondents.comment() or "")
        with self._story.beat(f"… and says why: {_quoted(row.comment)}") as beat:
            seconds = await self._told(beat.text, row.id, 2)
            beat.outcome = f"revision 2, {_later(seconds)}"

    async def _edit(self) -> None:
        """Somebody thinks better of an old answer."""
        old = next(
            row for row in self._delighted.responses.values() if category(row.score) == "detractor" and row.comment
        )
        day = datetime.fromtimestamp(old.created_at, UTC).date()
        with self._story.beat(f"{self._name(old)} turns the {old.score} of {day} into 8") as beat:
            self._delighted.edit(old.id, score=8, comment="Fixed since, thank you!")
            seconds = await self._told(beat.text, old.id, 2)
            beat.outcome = f"revision 2, {_later(seconds)}"

    async def _webhook(self) -> None:
        """Delighted announces an answer by a signed webhook, twice; the next poll brings it once more."""
        self._delighted.webhook_url = self._stage.webhook_url
        self._delighted.change_switches({"webhooks": {"copies": 2}})
        row = self._row(self._stage.sandbox.respondents.answer())
        with self._story.beat(f"a signed webhook comes twice: {self._name(row)} gives {row.score} of 10") as beat:
            seconds = await self._told(beat.text, row.id, 1)
            await self._until(beat.text, lambda: self._delighted.webhooks.waiting == 0, at=self._delighted)
            beat.outcome = f"told once, {_later(seconds)}; the second was recognised"
        self._delighted.change_switches({"webhooks": {"copies": 1}})

    async def _forgery(self) -> None:
        """Somebody else pretends to be Delighted."""
        headers, body = self._delighted.signed_webhook("survey_response.created", next(iter(self._delighted.responses)))
        forged = body.replace(b'"score":', b'"score":1', 1)
        with self._story.beat("a forged webhook comes") as beat:
            async with (
                open_session() as session,
                session.post(self._stage.webhook_url, data=forged, headers=headers) as answer,
            ):
                status = answer.status
            if status != _REFUSED:
                raise Unheard(f"a forged webhook was answered {status}")
            beat.outcome = f"refused ({status}), nothing kept"

    async def _outage(self) -> None:
        """Segment is away while people go on answering."""
        with self._story.beat("Segment is away (503) while three more people answer") as beat:
            self._segment.faults.add(_AWAY, times=None)
            numbers = [self._stage.sandbox.respondents.answer() for _ in range(3)]
            await anyio.sleep(self._pace.outage)
            self._segment.faults.clear()
            seconds = [await self._told(beat.text, number, 1) for number in numbers]
            refused = sum(request.status == _AWAY.status for request in self._segment.requests)
            beat.outcome = f"{refused} attempts refused, nothing lost; all told {sum(seconds):.1f} s after it came back"

    async def _quiet(self) -> None:
        """Two more rounds of polling, in which the daemon could say something twice if it did not know better."""
        asked = self._polls()
        await self._until("the end", lambda: self._polls() >= asked + 2, at=self._delighted)

    def _polls(self) -> int:
        return sum("survey_responses" in request.target for request in self._delighted.requests)

    # --- waiting --------------------------------------------------------------------------------------------------

    async def _told(self, what: str, response_id: str, revision: int) -> float:
        """Wait until Segment knows a revision; returns the seconds it took."""
        return await self._until(what, lambda: self._stage.heard.revision(response_id) >= revision)

    async def _until(
        self,
        what: str,
        holds: Callable[[], bool],
        *,
        at: DelightedServer | SegmentServer | None = None,
        patience: float | None = None,
    ) -> float:
        """Wait until something that happened has had its effect; returns the seconds it took.

        Args:
            what: what happened, for the message.
            holds: whether the effect is there; it is looked at after every request to a look-alike.
            at: that look-alike; Segment's if nothing is said.
            patience: the seconds it may take; the usual ones if nothing is said.

        Raises:
            Unheard: it is not there after all patience.
        """
        began, patience = anyio.current_time(), patience or self._pace.patience
        try:
            await (at or self._segment).until(holds, patience)
        except TimeoutError:
            raise Unheard(f"{what}: not all of it came through in {patience:g} s") from None
        return anyio.current_time() - began

    # --- words ----------------------------------------------------------------------------------------------------

    def _row(self, response_id: str) -> SurveyResponse:
        return self._delighted.responses[response_id]

    def _name(self, row: SurveyResponse) -> str:
        person = self._delighted.people.get(row.person_id or "")
        return (person.name if person else None) or "somebody"


def _later(seconds: float) -> str:
    return f"{seconds:.1f} s later" if seconds >= _NOTICED else "at once"


def _quoted(comment: str | None) -> str:
    text = " ".join((comment or "").split())
    return f'"{text}"' if len(text) <= _LONGEST_QUOTE else f'"{text[: _LONGEST_QUOTE - 1].rstrip()}…"'

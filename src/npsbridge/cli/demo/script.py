"""What happens in the demo: everything that befalls a real installation in its first week, in less than a minute.

It acts at the look-alikes, as people, vendors and outages would; but for one crash the daemon is left alone, and is
only waited for.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

import anyio

from npsbridge.cli.demo.heard import CLOSED, SUBMIT, VIEWED
from npsbridge.cli.demo.outward import play_outward
from npsbridge.cli.demo.stage import Pace, Stage
from npsbridge.cli.demo.story import Story
from npsbridge.cli.demo.titles import TITLES
from npsbridge.cli.demo.truth import AnyAccount
from npsbridge.cli.demo.waiting import Answered, Unheard, Waiting, later
from npsbridge.core.translate import category
from npsbridge.net.client import open_session
from npsbridge.sandbox import Answer, Hang, SatisMeterServer
from npsbridge.sandbox.history import Comment, believable_comment, believable_score
from npsbridge.sandbox.server import fixed_dice

_LONGEST_QUOTE: Final = 48
_REFUSED: Final = (401, 404)
"""A signature that does not fit; a hook that does not exist."""
_AWAY: Final = Answer(status=503, body="away for a moment")
_LISTS: Final = {
    "delighted": "/survey_responses",
    "retently": "/feedback",
    "satismeter": "/responses",
    "promoter": "/feedback",
}
"""A part of the address of each vendor's list of answers."""
_REQUESTS: Final = {"delighted": 10, "retently": 70, "satismeter": 30, "promoter": 9}
"""About how many requests two years of answers take, by each vendor's pages."""
_ROUNDS: Final = 2


class Script:
    """Plays the demo on a stage and tells it as a story."""

    def __init__(self, stage: Stage, story: Story, pace: Pace) -> None:
        self._stage = stage
        self._story = story
        self._pace = pace
        self._sandbox = stage.sandbox
        self._wait = Waiting(stage, pace)
        self._dice = fixed_dice()

    async def play(self) -> None:
        """Let everything happen, one after the other.

        Raises:
            Unheard: the daemon did not do its part in time.
        """
        await self._history()
        for scene in (
            self._answers,
            self._edit,
            self._webhooks,
            self._forgeries,
            self._closed_and_opened,
            self._vendor_outage,
            self._crash,
        ):
            await anyio.sleep(self._pace.pause)
            await scene()
        await play_outward(self._stage, self._story, self._pace)
        await self._quiet()

    # --- answers ----------------------------------------------------------------------------------------------------

    async def _history(self) -> None:
        """The first start: two years of answers, a page at a time, as slowly as real vendors give them."""
        total, accounts = self._stage.history, self._sandbox.accounts
        for account in accounts:
            slow = Hang(seconds=self._pace.history / _REQUESTS[account.kind])
            account.faults.add(slow, times=None, method="GET")
        with self._story.beat(f"the history: {total:,} answers of {self._pace.people:,} people in two years") as beat:
            seconds = await self._wait.until(
                beat.text,
                lambda: len(self._stage.heard.catch_up().responses) >= total,
                patience=2 * self._pace.patience,
            )
            seconds += await self._known_at_heap(beat.text)
            beat.outcome = f"read at {len(accounts)} platforms, told to Segment and Heap in {seconds:.1f} s"
        for account in accounts:
            account.faults.clear()

    async def _answers(self) -> None:
        """Somebody answers at each platform, and says why a little later; polling finds both."""
        answered = [self._answered(account) for account in self._sandbox.accounts]
        with self._story.beat(f"new answers: {self._scores(answered)}") as beat:
            seconds = await self._wait.told(beat.text, answered)
            beat.outcome = f"found by polling, Segment knows all {later(seconds)}"
        with self._story.beat(f"the same people say why, one of them {_quoted(self._comments(answered))}") as beat:
            seconds = await self._wait.told(beat.text, answered, 2)
            beat.outcome = f"late comments are revision 2, all told {later(seconds)}"

    async def _edit(self) -> None:
        """Somebody thinks better of an old answer."""
        delighted = self._sandbox.delighted
        old = next(row for row in delighted.responses.values() if category(row.score) == "detractor" and row.comment)
        person = delighted.people.get(old.person_id or "")
        day = datetime.fromtimestamp(old.created_at, UTC).date()
        name = (person.name if person else None) or "somebody"
        with self._story.beat(f"{name} turns the {old.score} of {day} into 8 (Delighted)") as beat:
            self._stage.change(delighted, old.id, score=8, comment="Fixed since, thank you!")
            seconds = await self._wait.told(beat.text, [(delighted, old.id)], 2)
            beat.outcome = f"revision 2, {later(seconds)}"

    # --- webhooks ---------------------------------------------------------------------------------------------------

    async def _webhooks(self) -> None:
        """Every vendor announces an answer, Delighted twice and signed; the next poll brings each once more."""
        delighted = self._sandbox.delighted
        self._sandbox.send_webhooks_to(self._stage.daemon.public)
        delighted.change_switches({"webhooks": {"copies": 2}})
        submitted = self._stage.heard.catch_up().calls[SUBMIT]
        answered = [self._answered(account, with_comment=True) for account in self._sandbox.accounts]
        with self._story.beat(f"webhooks, Delighted's signed and sent twice: {self._scores(answered)}") as beat:
            seconds = await self._wait.told(beat.text, answered)
            await self._wait.until(beat.text, lambda: delighted.webhooks.waiting == 0, at=delighted)
            accepted = sum(len(account.webhooks.attempts) for account in self._sandbox.accounts)
            told = self._stage.heard.catch_up().calls[SUBMIT] - submitted
            beat.outcome = f"{accepted} webhooks sent, {told} answers told, {later(seconds)}"
        delighted.change_switches({"webhooks": {"copies": 1}})

    async def _forgeries(self) -> None:
        """Somebody else pretends to be a vendor."""
        delighted, hooks = self._sandbox.delighted, f"{self._stage.daemon.public}/hooks"
        headers, body = delighted.signed_webhook("survey_response.created", next(iter(delighted.responses)))
        forged = body.replace(b'"score":', b'"score":1', 1)
        with self._story.beat("forged webhooks: a wrong signature, and a wrong token") as beat:
            signature = await _posted(f"{hooks}/delighted", forged, headers)
            token = await _posted(f"{hooks}/retently/guessed", b"{}", {"Content-Type": "application/json"})
            if (signature, token) != _REFUSED:
                raise Unheard(f"forged webhooks were answered {signature} and {token}")
            beat.outcome = f"refused ({signature}, {token})"

    async def _closed_and_opened(self) -> None:
        """What is no answer, and two vendors tell nevertheless."""
        satismeter, retently = self._sandbox.satismeter, self._sandbox.retently
        calls = self._stage.heard.catch_up().calls
        closed, viewed = calls[CLOSED] + 1, calls[VIEWED] + 1
        with self._story.beat("somebody closes a survey of SatisMeter's, somebody opens one of Retently's") as beat:
            satismeter.dismiss(self._dice.choice(satismeter.emails))
            retently.open(retently.send(self._dice.choice(retently.emails)))
            seconds = await self._wait.called(beat.text, CLOSED, closed)
            seconds += await self._wait.called(beat.text, VIEWED, viewed)
            beat.outcome = f"{CLOSED} and {VIEWED}, both told {later(seconds)}"

    # --- trouble ----------------------------------------------------------------------------------------------------

    async def _vendor_outage(self) -> None:
        """A vendor's API is away while people go on answering."""
        promoter = self._sandbox.promoter
        with self._story.beat("Promoter.io is away (503) while three people answer there") as beat:
            promoter.faults.add(_AWAY, times=None)
            answered = [self._answered(promoter) for _ in range(3)]
            await anyio.sleep(self._pace.outage)
            promoter.faults.clear()
            seconds = await self._wait.told(beat.text, answered)
            refused = sum(request.status == _AWAY.status for request in promoter.requests)
            beat.outcome = f"{refused} requests refused, nothing lost; all told {later(seconds)}"

    async def _crash(self) -> None:
        """Segment is away, and the daemon is cut off with everything it owes."""
        segment, daemon = self._sandbox.segment, self._stage.daemon
        with self._story.beat("Segment is away (503), people answer everywhere, and the daemon crashes") as beat:
            segment.faults.add(_AWAY, times=None)
            twice_before = segment.drop_counts.total()
            before = await self._wait.owed("segment")
            answered = [self._answered(account) for account in self._sandbox.accounts]
            await self._known_at_heap(beat.text)
            # Heap is there, and what it has must not be in doubt.
            await self._wait.nothing_owed(beat.text, "heap")
            owed = await self._wait.owed("segment") - before
            await daemon.cut_off()
            segment.faults.clear()
            await anyio.sleep(self._pace.pause)
            await daemon.start()
            seconds = await self._wait.told(beat.text, answered)
            twice = segment.drop_counts.total() - twice_before
            beat.outcome = (
                f"{owed} calls were on disk; started again, told them {later(seconds)}, {twice} of them twice"
            )

    async def _known_at_heap(self, what: str) -> float:
        """Wait until Heap has every answer that there is; returns the seconds it took."""
        heap, wanted = self._sandbox.heap, len(self._stage.truth.answers)
        return await self._wait.until(what, lambda: len(heap.events) >= wanted, at=heap)

    async def _quiet(self) -> None:
        """More rounds of polling, in which the daemon could say something twice if it did not know better."""
        asked = {account.kind: _polls(account) + _ROUNDS for account in self._sandbox.accounts}
        for account in self._sandbox.accounts:
            await self._wait.until("the end", _has_polled(account, asked), at=account)

    # --- people -----------------------------------------------------------------------------------------------------

    def _answered(self, account: AnyAccount, *, with_comment: bool = False) -> Answered:
        """Somebody answers; SatisMeter announces only who says why as well."""
        email = self._dice.choice(account.emails)
        score = believable_score(self._dice, str(account.properties_of(email).get("plan", "")))
        if with_comment and isinstance(account, SatisMeterServer):
            return account, account.answer(email, score, comment=believable_comment(self._dice, score).text)
        return account, account.answer_again(email, score)

    def _comments(self, answered: list[Answered]) -> str:
        """All of them add a comment; returns that of the last."""
        comment = Comment(text="", tags=())
        for account, response_id in answered:
            comment = believable_comment(self._dice, account.responses[response_id].score)
            tags = {"tags": comment.tags} if account.has_tags else {}
            self._stage.change(account, response_id, comment=comment.text, **tags)
        return comment.text

    def _scores(self, answered: list[Answered]) -> str:
        return ", ".join(
            f"{account.responses[response_id].score:g} at {TITLES[account.kind]}" for account, response_id in answered
        )


async def _posted(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """The status that a webhook is answered with."""
    async with open_session() as session, session.post(url, data=body, headers=headers) as answer:
        return answer.status


def _polls(account: AnyAccount) -> int:
    return sum(_LISTS[account.kind] in request.target for request in account.requests)


def _has_polled(account: AnyAccount, asked: Mapping[str, int]) -> Callable[[], bool]:
    return lambda: _polls(account) >= asked[account.kind]


def _quoted(comment: str) -> str:
    text = " ".join(comment.split())
    return f'"{text}"' if len(text) <= _LONGEST_QUOTE else f'"{text[: _LONGEST_QUOTE - 1].rstrip()}…"'

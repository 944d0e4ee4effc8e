"""The way out in the demo: a shop tells of its people and orders, and the survey platforms are asked for surveys.

It sends to the daemon's public listener and acts at the look-alikes; the daemon is only waited for.
"""

from collections.abc import Collection
from functools import partial
from typing import Final

import anyio

from npsbridge.cli.demo.sdk import Sdk
from npsbridge.cli.demo.shop import Message
from npsbridge.cli.demo.stage import Pace, Stage
from npsbridge.cli.demo.story import Story
from npsbridge.cli.demo.titles import SURVEY_PLATFORMS, TITLES
from npsbridge.cli.demo.waiting import Unheard, Waiting, later
from npsbridge.cli.demo.way_out import DESCRIBED, came_home, is_told_all
from npsbridge.net.client import open_session

_IN_STORM: Final = 50
_CHANGES_EVERY: Final = 5
"""In each changing round, every so many-th person has something new."""
_CHANGING_ROUNDS: Final = 4
"""The rounds of the storm are divided by this; something changes at the end of each part but the last."""
_BATCH: Final = 100
"""Calls in one request, as SDKs have it."""
_BUYERS: Final = 11
_BY_WEBHOOK: Final = 3
_IN_OUTAGE: Final = 2
"""So many who have bought before buy again while a vendor is away, and so many who have not."""
_TIMES: Final = 2
"""How often each of them does."""
_SCORES: Final = (9, 3, 10, 7)


class Outward:
    """Plays its scenes on a stage, one after the other, and tells them as a story."""

    def __init__(self, stage: Stage, story: Story, pace: Pace, sdk: Sdk) -> None:
        self._stage = stage
        self._story = story
        self._pace = pace
        self._sdk = sdk
        self._shop = stage.shop
        self._asked = stage.asked
        self._wait = Waiting(stage, pace)
        self._purchases: list[Message] = []
        self._hooked: list[Message] = []

    async def play(self) -> None:
        """Let everything happen.

        Raises:
            Unheard: the daemon did not do its part in time.
            Refused: it did not take a call.
        """
        for scene in (self._storm, self._orders, self._webhook, self._duplicates, self._outage, self._answers):
            await anyio.sleep(self._pace.pause)
            await scene()

    # --- who they are -----------------------------------------------------------------------------------------------

    async def _storm(self) -> None:
        """The SDK says of everybody who they are, over and over."""
        people = self._shop.newcomers(_IN_STORM)
        calls = [
            self._shop.identify(user_id, is_changed=self._is_changed(place, number))
            for place in range(self._pace.storm)
            for number, user_id in enumerate(people)
        ]
        with self._story.beat(f"identify storm by SDK: {len(calls):,} calls of {_IN_STORM} people") as beat:
            for first in range(0, len(calls), _BATCH):
                await self._sdk.batch(calls[first : first + _BATCH], is_packed=first == 0)
            seconds = await self._told_all(beat.text)
            requests = ", ".join(f"{self._asked[name].requests:,} to {TITLES[name]}" for name in DESCRIBED)
            beat.outcome = f"{self._changes} times something was new; requests: {requests}; all known {later(seconds)}"

    def _is_changed(self, place: int, number: int) -> bool:
        part = max(1, self._pace.storm // _CHANGING_ROUNDS)
        return place > 0 and place % part == 0 and number % _CHANGES_EVERY == 0

    @property
    def _changes(self) -> int:
        """How often something new was said of somebody: each of them had one visit more."""
        return sum(int(traits["visits"]) for traits in self._shop.traits.values())

    # --- what they buy ----------------------------------------------------------------------------------------------

    async def _orders(self) -> None:
        """Known people buy something, and one whom nobody knows yet."""
        buyers = list(self._shop.traits)[:_BUYERS]
        (stranger,) = self._shop.newcomers(1)
        text = f"{_BUYERS + 1} orders by SDK, one of them by somebody who is not known yet"
        with self._story.beat(text) as beat:
            self._purchases = [self._shop.order(user_id) for user_id in (*buyers, stranger)]
            await self._sdk.batch(self._purchases)
            seconds = await self._told_all(beat.text)
            await anyio.sleep(self._pace.pause)
            self._check_silence_about(stranger)
            await self._sdk.batch([self._shop.identify(stranger)])
            behind = await self._told_all(beat.text)
            asked = f"{len(self._shop.due)} surveys at each platform asked for {later(seconds)}"
            beat.outcome = f"{asked}; that of the stranger waited for the identify and went out {later(behind)}"

    def _check_silence_about(self, user_id: str) -> None:
        for name, recorded in self._asked.items():
            if any(ask.user_id == user_id for ask in recorded.asks):
                raise Unheard(f"{TITLES[name]} was asked about somebody who was not known yet")

    async def _webhook(self) -> None:
        """The same through Segment, whose webhook signs what it sends."""
        people = self._shop.newcomers(_BY_WEBHOOK)
        with self._story.beat(f"Segment's webhook, signed: {_BY_WEBHOOK} new people and an order of each") as beat:
            for user_id in people:
                self._hooked += [self._shop.identify(user_id), self._shop.order(user_id)]
            await self._sdk.webhook(self._hooked)
            seconds = await self._told_all(beat.text)
            beat.outcome = f"{len(self._hooked)} calls in one request, all told {later(seconds)}"

    async def _duplicates(self) -> None:
        """An SDK repeats a batch, Segment repeats a webhook, and its webhook brings what the SDK had sent."""
        again = [*self._purchases, *self._hooked, self._purchases[0]]
        with self._story.beat(f"{len(again)} calls come twice: an SDK's batch, a webhook, one by either way") as beat:
            before = self._requests(SURVEY_PLATFORMS)
            await self._sdk.batch(self._purchases)
            await self._sdk.webhook(self._hooked)
            await self._sdk.webhook(self._purchases[:1])
            await self._wait.nothing_waits(beat.text)
            more = self._requests(SURVEY_PLATFORMS) - before
            beat.outcome = f"known by their messageIds: {more} requests to vendors because of them"

    # --- trouble ----------------------------------------------------------------------------------------------------

    async def _outage(self) -> None:
        """A vendor cannot be reached while triggers come in; the others are asked as ever."""
        delighted, people = self._stage.sandbox.delighted, list(self._shop.traits)
        buyers = [*people[-_IN_OUTAGE:], *people[_BUYERS : _BUYERS + _IN_OUTAGE]]
        orders = len(buyers) * _TIMES
        with self._story.beat(f"Delighted cannot be reached while {orders} orders and new traits come in") as beat:
            await delighted.stop()
            await anyio.sleep(self._pace.pause)
            for _ in range(_TIMES):
                await self._sdk.batch([call for one in buyers for call in (self._changed(one), self._shop.order(one))])
            seconds = await self._told_all(beat.text, SURVEY_PLATFORMS.keys() - {"delighted"})
            await anyio.sleep(self._pace.pause)
            waiting = await self._wait.waiting("delighted")
            await delighted.start()
            behind = await self._told_all(beat.text)
            others = f"the others asked {later(seconds)}, {waiting} requests to Delighted were on disk"
            beat.outcome = f"{others}; nothing lost, each person's in order, {later(behind)}"

    def _changed(self, user_id: str) -> Message:
        return self._shop.identify(user_id, is_changed=True)

    # --- what comes of it -------------------------------------------------------------------------------------------

    async def _answers(self) -> None:
        """Somebody who was surveyed because of an order answers, at each platform somebody else."""
        accounts = self._stage.sandbox.accounts
        with self._story.beat(f"{len(accounts)} of those who were asked answer, one at each platform") as beat:
            answered = []
            for account, user_id, score in zip(accounts, self._shop.buyers, _SCORES, strict=False):
                number = account.answer(self._shop.email(user_id), score, comment="Came in time, thank you")
                self._shop.answers[account.kind, str(number)] = user_id
                answered.append((account, number))
            seconds = await self._wait.told(beat.text, answered)
            home = came_home(self._shop, self._stage.heard)
            beat.outcome = f"{home} of them known to Segment under the userId that had bought, {later(seconds)}"

    # --- waiting ----------------------------------------------------------------------------------------------------

    async def _told_all(self, what: str, platforms: Collection[str] = SURVEY_PLATFORMS.keys()) -> float:
        """Wait until platforms know everything that is due by now; returns the seconds it took."""
        began = anyio.current_time()
        for account in self._stage.sandbox.accounts:
            if account.kind in platforms:
                await self._wait.until(what, partial(is_told_all, self._shop, self._asked[account.kind]), at=account)
        return anyio.current_time() - began

    def _requests(self, platforms: Collection[str]) -> int:
        return sum(self._asked[name].requests for name in platforms)


async def play_outward(stage: Stage, story: Story, pace: Pace) -> None:
    """Play the way out with an SDK of its own; see `Outward.play`."""
    async with open_session() as session:
        await Outward(stage, story, pace, Sdk(session, stage.daemon.public)).play()

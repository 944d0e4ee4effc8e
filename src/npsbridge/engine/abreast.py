"""Several people at once, for a vendor that takes one delivery a request: each person's deliveries stay in order.

Without it a vendor that takes a fifth of a second to answer would be asked five times a second, whatever its limit is.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final

import anyio

from npsbridge.core.model import Delivery
from npsbridge.core.outcome import (
    Blame,
    Declined,
    Delivered,
    Outcome,
    Paused,
    Rejected,
    Retired,
    RetryLater,
    Undone,
    Unknown,
)
from npsbridge.core.ports import Sender
from npsbridge.core.settle import singled_out
from npsbridge.errors import StoreError, StoreUnavailable

SetOut = Callable[[Sequence[Delivery]], Awaitable[Sequence[Delivery]]]
TOGETHER: Final = 100
"""Deliveries in a batch, at whose end all that were under way have to be done."""
LONGEST_LEAD: Final = 2.0
"""Seconds that a request may take before others go past whoever it is of: one that hangs holds up nobody else."""
BEHIND_ANOTHER = "waits behind an earlier delivery of the same person"


class Abreast:
    """Takes batches for a sender of single deliveries; a `Sender` itself."""

    def __init__(
        self, sender: Sender, most: int, *, set_out: SetOut, goes_on: Callable[[], bool] = lambda: True
    ) -> None:
        """Make one.

        Args:
            sender: takes single deliveries.
            most: how many may be under way at once.
            set_out: puts the intent on disk of what must not be repeated, right before it leaves, and says what may.
            goes_on: whether more may leave; asked before each person.
        """
        self._set_out = set_out
        self._goes_on = goes_on
        self.connection = sender.connection
        self.batch_limit = TOGETHER
        self.rate_limit = sender.rate_limit
        self._most = most
        self._sender = sender

    async def deliver(self, batch: Sequence[Delivery]) -> list[Outcome]:
        """Attempt everybody's deliveries side by side, each person's one after the other.

        After trouble that may not be a single delivery's own, and once it may not go on, nothing more leaves; what has
        not left is Undone.

        Raises:
            LeaseLost, StoreError: nothing that leaves can be put on disk any more; what was under way has ended.
        """
        by_person: dict[str, list[Delivery]] = {}
        for one in batch:
            by_person.setdefault(one.person, []).append(one)
        waiting, run = iter(enumerate(by_person.values())), _Run(len(by_person))
        async with anyio.create_task_group() as group:
            for _ in range(min(self._most, len(by_person))):
                group.start_soon(self._in_turn, waiting, run)
        if run.troubles:
            raise run.troubles[0]
        return singled_out([run.outcomes.get(one.id, Undone()) for one in batch])

    async def _in_turn(self, waiting: Iterator[tuple[int, Sequence[Delivery]]], run: "_Run") -> None:
        """Take the next person who waits, as long as all is well.

        Nobody starts while somebody so many places before is not done, unless one request of theirs takes long: what a
        person's first delivery releases, such as a survey behind an identify call, goes right behind it and not behind
        all the others.
        """
        for number, deliveries in waiting:
            for before in self._not_to_be_overtaken(number):
                await run.wait_for(before)
            if not run.is_over and self._goes_on():
                try:
                    await self._in_order(number, deliveries, run)
                except StoreError as error:  # what is under way elsewhere comes to its end
                    run.troubles.append(error)
            run.done[number].set()

    def _not_to_be_overtaken(self, number: int) -> range:
        """Who is so many places before, as far as the last of them has not waited for the others already."""
        behind = number - self._most + 1
        return range(max(0, behind - self._most), max(0, behind))

    async def _in_order(self, number: int, deliveries: Sequence[Delivery], run: "_Run") -> None:
        """Stop at the first that is not finished: what is behind it would overtake it."""
        is_held_up = False
        for one in deliveries:
            if is_held_up:
                run.outcomes[one.id] = RetryLater(reason=BEHIND_ANOTHER, blame=Blame.DELIVERY)
                continue
            run.began[number] = anyio.current_time()
            outcome = await self._attempted(one)
            run.note(one, outcome)
            is_held_up = not isinstance(outcome, Delivered | Declined | Rejected | Undone)

    async def _attempted(self, one: Delivery) -> Outcome:
        """What becomes of one; what is owed no longer, because it was dropped meanwhile, is left as it is."""
        try:
            if not await self._set_out([one]):
                return Undone()
        except StoreUnavailable as error:
            # Nothing has left: what the others come to is recorded as soon as there is a way to do so.
            return RetryLater(reason=str(error), blame=Blame.CONNECTION)
        (outcome,) = await self._sender.deliver([one])
        return outcome


class _Run:
    """What has become of a batch so far."""

    def __init__(self, people: int) -> None:
        """Begin one for so many people, who are numbered in their order."""
        self.done = [anyio.Event() for _ in range(people)]
        self.began: list[float | None] = [None] * people
        """When their last delivery left, on the loop's clock; None for who has not started."""
        self.outcomes: dict[int, Outcome] = {}
        self.troubles: list[StoreError] = []
        self._has_trouble = False

    async def wait_for(self, number: int) -> None:
        """Wait until somebody is done, or one request of theirs has taken long; no turn of the loop if they are."""
        while not self.done[number].is_set() and (left := self._lead_of(number)) > 0:
            with anyio.move_on_after(left):
                await self.done[number].wait()

    def _lead_of(self, number: int) -> float:
        """Seconds for which somebody is still waited for, unless they are done or another request of theirs leaves."""
        began = self.began[number]
        return LONGEST_LEAD if began is None else began + LONGEST_LEAD - anyio.current_time()

    def note(self, one: Delivery, outcome: Outcome) -> None:
        """This is what became of one."""
        self.outcomes[one.id] = outcome
        self._has_trouble = self._has_trouble or _is_trouble(outcome)

    @property
    def is_over(self) -> bool:
        """Nothing more may leave."""
        return self._has_trouble or bool(self.troubles)


def _is_trouble(outcome: Outcome) -> bool:
    """Whether it says something of the vendor as a whole, so that the next would fare no better."""
    match outcome:
        case RetryLater(blame=blame):
            return blame is not Blame.DELIVERY
        case Paused() | Retired() | Unknown():
            return True
        case _:
            return False

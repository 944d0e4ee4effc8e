"""Several people at once, for a vendor that takes one delivery a request: each person's deliveries stay in order.

Without it a vendor that takes a fifth of a second to answer would be asked five times a second, whatever its limit is.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence

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
from npsbridge.errors import StoreError, StoreUnavailable

SetOut = Callable[[Sequence[Delivery]], Awaitable[Sequence[Delivery]]]
ROUNDS = 4
"""Deliveries taken together, by how many may be under way: more of them, and a crash leaves more in doubt."""
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
            goes_on: whether more may leave; asked before each.
        """
        self._set_out = set_out
        self._goes_on = goes_on
        self.connection = sender.connection
        self.batch_limit = most * ROUNDS
        self.rate_limit = sender.rate_limit
        self._most = most
        self._sender = sender

    async def deliver(self, batch: Sequence[Delivery]) -> list[Outcome]:
        """Attempt everybody's deliveries side by side, each person's one after the other.

        After trouble that is not a single delivery's own, and once it may not go on, nothing more leaves; what has not
        left is Undone.

        Raises:
            LeaseLost, StoreError: nothing that leaves can be put on disk any more; what was under way has ended.
        """
        by_person: dict[str, list[Delivery]] = {}
        for one in batch:
            by_person.setdefault(one.person, []).append(one)
        waiting, done = iter(enumerate(by_person.values())), [anyio.Event() for _ in by_person]
        outcomes: dict[int, Outcome] = {}
        troubles: list[StoreError] = []
        async with anyio.create_task_group() as group:
            for _ in range(min(self._most, len(by_person))):
                group.start_soon(self._in_turn, waiting, done, outcomes, troubles)
        if troubles:
            raise troubles[0]
        return [outcomes.get(one.id, Undone()) for one in batch]

    async def _in_turn(
        self,
        waiting: Iterator[tuple[int, Sequence[Delivery]]],
        done: Sequence[anyio.Event],
        outcomes: dict[int, Outcome],
        troubles: list[StoreError],
    ) -> None:
        """Take the next person who waits, as long as all is well.

        Nobody starts while somebody so many places before is not done: what a person's first delivery releases, such
        as a survey behind an identify call, goes right behind it and not behind all the others.
        """
        for number, deliveries in waiting:
            for before in done[: max(0, number - self._most + 1)]:
                await before.wait()
            if not troubles and self._goes_on() and not any(map(_is_trouble, outcomes.values())):
                try:
                    await self._in_order(deliveries, outcomes)
                except StoreError as error:  # what is under way elsewhere comes to its end
                    troubles.append(error)
            done[number].set()

    async def _in_order(self, deliveries: Sequence[Delivery], outcomes: dict[int, Outcome]) -> None:
        """Stop at the first that is not finished: what is behind it would overtake it."""
        is_held_up = False
        for one in deliveries:
            if is_held_up:
                outcomes[one.id] = RetryLater(reason=BEHIND_ANOTHER, blame=Blame.DELIVERY)
                continue
            outcomes[one.id] = outcome = await self._attempted(one)
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


def _is_trouble(outcome: Outcome) -> bool:
    """Whether it says something of the vendor as a whole, so that the next would fare no better."""
    match outcome:
        case RetryLater(blame=blame):
            return blame is not Blame.DELIVERY
        case Paused() | Retired() | Unknown():
            return True
        case _:
            return False

"""Deliveries that were written a moment ago, so that a claim need not read back what they carry.

The database says what may go, and in which order; what it says of a delivery that has not been attempted is known from
when it was written. A few megabytes are remembered at most; what is not remembered is read.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import takewhile
from typing import Final

from npsbridge.core.model import Delivery, PlannedDelivery, State
from npsbridge.core.people import is_key

MOST_BYTES: Final = 2 << 20
"""Of bodies, all connections together; about two runs of the router."""


class Fresh:
    """What was written last, by connection and number; each is handed out once."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[int, tuple[PlannedDelivery, int]]] = {}
        self._bytes = 0

    def keep(self, owed: Sequence[tuple[int, PlannedDelivery]], now: int) -> None:
        """Remember what became owed at a time, with its numbers, as long as there is room.

        Not what goes to survey platforms: the person it is about may turn out to be another.
        """
        for number, planned in owed:
            if self._bytes >= MOST_BYTES:
                return
            if not is_key(planned.person):
                self._kept.setdefault(planned.connection, {})[number] = (planned, now)
                self._bytes += len(planned.body)

    def has_any_for(self, connection: str) -> bool:
        """Whether to ask for numbers first may be worth it."""
        return bool(self._kept.get(connection))

    def take(self, connection: str, numbers: Sequence[int]) -> list[Delivery] | None:
        """The deliveries of these numbers, which are ready now; None when one is not known.

        Neither they nor older ones are known afterwards.
        """
        kept = self._kept.get(connection, {})
        taken = [_delivery(number, *kept[number]) for number in numbers if number in kept]
        last = max(numbers, default=0)
        if kept:  # in the order of their numbers
            self._drop(connection, list(takewhile(last.__ge__, kept)))
        return taken if len(taken) == len(numbers) else None

    def attempted(self, numbers: Collection[int]) -> None:
        """These have been attempted, however they were come by: the database knows more of them."""
        for connection, kept in self._kept.items():
            self._drop(connection, kept.keys() & numbers)

    def forget(self) -> None:
        """Know nothing any more."""
        self._kept.clear()
        self._bytes = 0

    def _drop(self, connection: str, numbers: Iterable[int]) -> None:
        kept = self._kept[connection]
        for number in numbers:
            planned, _ = kept.pop(number)
            self._bytes -= len(planned.body)


def _delivery(number: int, planned: PlannedDelivery, created_at: int) -> Delivery:
    return Delivery(
        id=number,
        connection=planned.connection,
        person=planned.person,
        kind=planned.kind,
        message_id=planned.message_id,
        body=planned.body,
        state=State.QUEUED,
        created_at=created_at,
        subject=planned.subject,
    )

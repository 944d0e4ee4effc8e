"""Asking a vendor about requests, as the engine does while it is in doubt about them."""

from collections import defaultdict
from collections.abc import Sequence
from functools import cache

from npsbridge.core.model import Delivery
from npsbridge.core.outcome import Outcome, RetryLater
from npsbridge.core.ports import Forwarder, Inquiry


class Asker:
    """In doubt about any number of requests; each doubt lasts until the vendor can tell."""

    def __init__(self, forwarder: Forwarder) -> None:
        self._forwarder = forwarder
        self._inquiries: defaultdict[int, Inquiry] = defaultdict(Inquiry)

    async def verify(self, delivery: Delivery, beside: Sequence[Delivery] = ()) -> Outcome:
        """See `Forwarder.verify`."""
        outcome = await self._forwarder.verify(delivery, self._inquiries[delivery.id], beside)
        if not isinstance(outcome, RetryLater):
            del self._inquiries[delivery.id]
        return outcome


@cache
def asker_of(forwarder: Forwarder) -> Asker:
    """The one that asks this forwarder, for as long as there are tests."""
    return Asker(forwarder)

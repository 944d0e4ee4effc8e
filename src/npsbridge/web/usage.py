"""How much of each account's requests a minute is used, by this daemon or by all replicas together."""

from npsbridge.core.model import Record
from npsbridge.web.view import View


class Limit(Record, frozen=True, kw_only=True):
    """The limit of one account."""

    used: int
    """Requests that count towards it at this moment; above `most` some wait for their turn."""
    most: float
    """Requests a minute, as set."""


async def limits(view: View) -> dict[str, Limit]:
    """By connection that has a limit."""
    leases, now = view.seams.store.leases, view.seams.clock.monotonic()
    shared = await leases.booked() if leases.is_shared else None
    return {
        name: Limit(
            used=sum(cost for _, cost in window.booked(now)) if shared is None else shared.get(name, 0),
            most=window.limit,
        )
        for name, window in view.windows.items()
        if window.limit > 0
    }

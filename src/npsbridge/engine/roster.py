"""The fleet as its operator sees it: who is there, who does what, and in what they differ (pure)."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

from npsbridge.clock import Clock
from npsbridge.core.leases import Fleet, Replica
from npsbridge.core.model import Record
from npsbridge.core.times import iso_utc

LARGE_SKEW_MS: Final = 5_000
"""Between a replica's clock and the store's; delays are as wrong as the clock is."""


class Member(Record, frozen=True, kw_only=True):
    """One replica and what it does. Times are in milliseconds since 1970."""

    id: str
    host: str
    version: str
    settings: str
    """A digest of its settings."""
    since: int
    heard_at: int
    skew: int
    """Milliseconds by which its clock is ahead of the store's."""
    work: tuple[str, ...]
    """The leases that it holds: `router`, `poll delighted`, `forward segment`."""
    differs_in: tuple[str, ...]
    """`settings`, `version`: where it is not as most of the others are."""


class Disagreement(Record, frozen=True, kw_only=True):
    """Something in which replicas are not as they should be."""

    about: str
    text: str
    """What is so, and what to do."""
    ended: str
    """What is said once it is so no more."""


class Roster(Record, frozen=True, kw_only=True):
    """All replicas; empty where there is only one daemon."""

    replicas: tuple[Member, ...] = ()
    unheld: tuple[str, ...] = ()
    """Work that nobody does at this moment, and somebody can do."""
    warnings: tuple[str, ...] = ()


def roster_of(fleet: Fleet) -> Roster:
    """Everything about a fleet that somebody may want to see."""
    held = {one.name for one in fleet.holdings if one.holder is not None}
    return Roster(
        replicas=tuple(_member(one, fleet) for one in fleet.replicas),
        unheld=tuple(sorted({work for one in fleet.replicas for work in one.works} - held)),
        warnings=tuple(one.text for one in disagreements(fleet)),
    )


def _member(replica: Replica, fleet: Fleet) -> Member:
    ways: dict[str, Callable[[Replica], str]] = {
        "settings": lambda one: one.settings,
        "version": lambda one: one.version,
    }
    return Member(
        id=replica.id,
        host=replica.host,
        version=replica.version,
        settings=replica.settings,
        since=replica.started_at,
        heard_at=replica.heard_at,
        skew=replica.skew,
        work=tuple(one.name for one in fleet.holdings if one.holder == replica.id),
        differs_in=tuple(
            name for name, told in ways.items() if _is_unlike_most(told(replica), map(told, fleet.replicas))
        ),
    )


def _is_unlike_most(value: str, values: Iterator[str]) -> bool:
    """Whether no majority has this value; of two halves both are unlike the other."""
    counts = Counter(values)
    return counts[value] * 2 <= counts.total()


def document(roster: Roster) -> dict[str, Any]:
    """The same in JSON, as `status --json` and `/api/status` have it."""
    return {
        "replicas": [
            {
                "id": one.id,
                "host": one.host,
                "version": one.version,
                "settings": one.settings,
                "differs_in": list(one.differs_in),
                "since": iso_utc(Clock.at(one.since)),
                "heard_at": iso_utc(Clock.at(one.heard_at)),
                "clock_skew_ms": one.skew,
                "work": list(one.work),
            }
            for one in roster.replicas
        ],
        "unheld": list(roster.unheld),
        "warnings": list(roster.warnings),
    }


def disagreements(fleet: Fleet) -> Iterator[Disagreement]:
    """In what the replicas are not as they should be."""
    if which := _different(fleet, lambda one: one.settings):
        yield Disagreement(
            about="settings",
            text=f"Replicas run with different settings: {which}. What one of them does, it does by its own; "
            "give all the same settings",
            ended="All replicas run with the same settings again",
        )
    if which := _different(fleet, lambda one: one.version):
        yield Disagreement(
            about="version",
            text=f"Replicas run different versions: {which}. That is well while an update is rolled out; "
            "otherwise give all the same version",
            ended="All replicas run the same version again",
        )
    for one in fleet.replicas:
        if abs(one.skew) > LARGE_SKEW_MS:
            off = f"{abs(one.skew) / 1000:.0f} s {'ahead of' if one.skew > 0 else 'behind'}"
            yield Disagreement(
                about=f"clock of {one.id}",
                text=f"The clock of {one.host} is {off} the database's; delays are as wrong as that, set it right",
                ended=f"The clock of {one.host} is right again, or it is gone",
            )


def _different(fleet: Fleet, told: Callable[[Replica], str]) -> str:
    """Who has what, where not all have the same; else empty."""
    if len({told(one) for one in fleet.replicas}) <= 1:
        return ""
    return ", ".join(f"{one.host} ({told(one)})" for one in fleet.replicas)

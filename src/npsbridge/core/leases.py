"""What only one replica may do at a time, and how it knows that it still may.

A lease has a deadline, so that the work of a replica that died goes on elsewhere; and a fence, a number that grows with
each holder, so that a replica that only slept can neither write nor send under a lease it has lost (Martin Kleppmann,
"How to do distributed locking", 2016).
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from npsbridge.core.model import Record


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do one piece of work, as its holder has it."""

    name: str
    """Of the work: `router`, `poll delighted`, `forward segment`."""
    fence: int
    """Larger than that of every holder before."""
    is_good: Callable[[], bool]
    """Whether nobody else can have it yet, by the clocks of this machine. What leaves this process asks first."""


_current: ContextVar[Lease | None] = ContextVar("npsbridge_lease", default=None)


def current_lease() -> Lease | None:
    """The lease under which the running task works, and every task that it starts; None where none is needed."""
    return _current.get()


@contextmanager
def under(lease: Lease) -> Iterator[None]:
    """A block whose writes and requests are made under a lease."""
    token = _current.set(lease)
    try:
        yield
    finally:
        _current.reset(token)


class Replica(Record, frozen=True, kw_only=True):
    """One running daemon of several on one store."""

    id: str
    host: str
    version: str
    settings: str
    """A digest of its settings; two that differ do not do the same."""
    works: tuple[str, ...]
    """The pieces of work that it can do."""
    started_at: int
    """Milliseconds since 1970, by its own clock."""
    heard_at: int = 0
    """When it was last heard of, milliseconds since 1970 by the store's clock."""
    skew: int = 0
    """Milliseconds by which its clock is ahead of the store's."""


class Holding(Record, frozen=True, kw_only=True):
    """Who does a piece of work."""

    name: str
    holder: str | None
    """The id of a replica; None while nobody has it."""
    fence: int


class Fleet(Record, frozen=True, kw_only=True):
    """All replicas that were heard of lately, and what each of them does."""

    now: int
    """Milliseconds since 1970, by the store's clock."""
    replicas: tuple[Replica, ...] = ()
    """In order of their ids."""
    holdings: tuple[Holding, ...] = ()
    """In order of their names; what was held too long without being renewed is held by nobody."""


class Shares(Record, frozen=True, kw_only=True):
    """What one replica is to begin and to leave to others."""

    take: tuple[str, ...] = ()
    give: tuple[str, ...] = ()


def shares(fleet: Fleet, me: str) -> Shares:
    """What is nobody's goes to whoever can do it and does least; who does two more than another gives one away.

    Work of one kind is spread evenly before all of it is, so that nobody has all the lanes and another all the pollers.
    Every replica that sees the same fleet divides it in the same way, so no two want the same piece. Who holds a piece
    keeps it as long as the shares are even: to move it costs its next holder a few seconds.
    """
    able = {
        work: [one.id for one in fleet.replicas if work in one.works]
        for work in sorted({work for one in fleet.replicas for work in one.works})
    }
    held = {one.name: one.holder for one in fleet.holdings if one.holder in able.get(one.name, ())}
    wanted = _Division({work: holder for work, holder in held.items() if holder is not None})
    for work, replicas in able.items():
        if work not in wanted.holders:
            wanted.move(work, wanted.idlest(work, replicas))
    _even_out(wanted, able)
    mine = {work for work, holder in wanted.holders.items() if holder == me}
    return Shares(
        take=tuple(sorted(mine - {*held})),
        give=tuple(sorted(work for work, holder in held.items() if holder == me and work not in mine)),
    )


class _Division:
    """Who is to do what, and how much that is for each replica."""

    def __init__(self, holders: dict[str, str]) -> None:
        self.holders = holders
        self._of_kind = Counter((kind_of(work), holder) for work, holder in holders.items())
        self._of_all = Counter(holders.values())

    def load(self, work: str, replica: str) -> tuple[int, int]:
        """How much a replica does of the kind of a piece of work, and of all."""
        return self._of_kind[kind_of(work), replica], self._of_all[replica]

    def idlest(self, work: str, replicas: Sequence[str]) -> str:
        """Who of those that can do a piece of work should have it first."""
        return min(replicas, key=lambda one: (self.load(work, one), one))

    def move(self, work: str, to: str) -> None:
        """Give a piece of work to a replica."""
        for holder, by in ((self.holders.get(work), -1), (to, 1)):
            if holder is not None:
                self._of_kind[kind_of(work), holder] += by
                self._of_all[holder] += by
        self.holders[work] = to


def kind_of(work: str) -> str:
    """`forward` of `forward delighted`: pieces of one kind are about as much work as each other."""
    return work.partition(" ")[0]


def _even_out(wanted: _Division, able: Mapping[str, Sequence[str]]) -> None:
    """Move pieces until no move makes the shares more even.

    Each makes one kind more even, or leaves every kind as even as it is and makes all of it so: there is an end.
    """
    has_moved = True
    while has_moved:
        has_moved = False
        for work, holder in sorted(wanted.holders.items()):
            to = wanted.idlest(work, able[work])
            kind, everything = wanted.load(work, holder)
            kind_there, everything_there = wanted.load(work, to)
            if kind_there + 1 < kind or (kind_there + 1 == kind and everything_there + 1 < everything):
                wanted.move(work, to)
                has_moved = True


class Leases(Protocol):
    """Who does what, among all replicas on one store. Time is that of the store.

    Every method raises StoreUnavailable while the store cannot be reached.
    """

    @property
    def is_shared(self) -> bool:
        """Whether there may be other replicas at all; otherwise everything is held by the only one, for ever."""

    async def announce(self, me: Replica, held: Mapping[str, int], *, seconds: float) -> Fleet:
        """Be heard of, and renew what is held (fences by name) for so many seconds from now.

        What another replica has taken meanwhile is not renewed, and its holding says so. A replica that has not been
        heard of for as long is left out.
        """

    async def take(self, names: Collection[str], *, holder: str, seconds: float) -> dict[str, int]:
        """Take what nobody holds; returns the new fences, by name, of what was got."""

    async def give_back(self, held: Mapping[str, int]) -> None:
        """Let others take at once what is still held under these fences, by name."""

    async def leave(self, replica: str) -> None:
        """Be no replica any more."""

    async def fleet(self, *, seconds: float) -> Fleet:
        """All replicas that were heard of in so many seconds, for those who only look."""

    async def book(self, connection: str, *, limit: float, seconds: float) -> float:
        """Book one request to an account of which all replicas may make no more than `limit` in any `seconds`.

        Returns the seconds until it may leave.
        """

    async def booked(self) -> dict[str, int]:
        """By connection: the requests of all replicas that count towards its limit at this moment."""

"""The seams to platforms: what the engine asks of a source, a receiver, a sink or a forwarder, and what each owes.

Nothing here does anything; the docstrings are the contract that the conformance suite checks.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import msgspec

from npsbridge.core.calls import Call
from npsbridge.core.model import (
    Delivery,
    Emission,
    PlannedDelivery,
    Record,
    Response,
)
from npsbridge.core.outcome import Outcome
from npsbridge.core.people import Person


class Page(Record, frozen=True, kw_only=True):
    """What a source read at one step, and the checkpoint that is true once it is stored."""

    records: list[bytes]
    checkpoint: bytes
    backfilling: bool = False
    progress: float | None = None
    """0..1 of the history read so far, when the vendor lets us know."""


class Finding(Record, frozen=True, kw_only=True):
    """One thing `npsbridge check` found out."""

    subject: str
    """What was looked at: a setting or a connection."""
    is_good: bool | None
    """None when it cannot be known from here."""
    text: str


class Source(Protocol):
    """Reads a platform's responses."""

    connection: str
    poll_interval: float
    """Seconds between rounds."""

    def read(self, checkpoint: bytes | None) -> AsyncIterator[Page]:
        """One round: everything from the checkpoint on, in pages.

        With no checkpoint the round is the backfill. Raises VendorError; what was yielded before stays true.
        """


class Parser(Protocol):
    """Turns one of the platform's own objects into a response (pure)."""

    def __call__(self, connection: str, record: bytes) -> Response:
        """Raises BadRecord."""


class Receiver(Protocol):
    """Understands a platform's webhooks."""

    def authentic(self, headers: Mapping[str, str], raw: bytes) -> bool:
        """Whether the request proves that it comes from the vendor."""

    def records(self, raw: bytes) -> list[bytes]:
        """The records a request carries; empty for a kind of news that is not ours. Raises BadRecord."""


class Heard(Record, frozen=True, kw_only=True):
    """What an unsigned webhook tells."""

    records: list[bytes] = msgspec.field(default_factory=list)
    """The platform's own objects that count as they stand, because the API cannot tell."""
    hints: list[str] = msgspec.field(default_factory=list)
    """What to read back from the API, in words that only the platform's own source understands (an id, an email)."""
    unsubscribed: list[str] = msgspec.field(default_factory=list)
    """The emails of those who want no more surveys."""


class TokenReceiver(Protocol):
    """Understands the webhooks of a vendor that signs nothing: the last part of the URL is the secret."""

    token: str
    """What the URL must end with."""

    def hear(self, raw: bytes) -> Heard:
        """What a request tells; nothing for a kind of news that is not ours. Raises BadRecord."""


@runtime_checkable
class Lookup(Protocol):
    """A source that can read single responses back."""

    async def look_up(self, hints: Sequence[str]) -> list[bytes]:
        """The platform's own objects that the hints speak of; what is not there any more is left out.

        Raises VendorError; the hints are then asked for again.
        """


class Sender(Protocol):
    """Takes deliveries to a platform."""

    connection: str
    batch_limit: int
    """The most deliveries one `deliver` takes."""
    rate_limit: float
    """Deliveries a second; 0 for no limit."""

    async def deliver(self, batch: Sequence[Delivery]) -> list[Outcome]:
        """Attempt a batch; one outcome per delivery, in the same order. Raises nothing but cancellation."""


class Destination(Sender, Protocol):
    """Is told of survey responses."""

    def plan(self, emission: Emission) -> list[PlannedDelivery]:
        """What this destination is owed for an emission, in order (pure)."""


class Awaited(Record, frozen=True, kw_only=True):
    """A call that can only be acted on once an identify call has told more of its person."""

    reason: str
    """What is missing, for the operator."""


@dataclass(slots=True)
class Inquiry:
    """What a vendor has shown of one request so far; made when the doubt about it begins, and gone with it."""

    missed_since: float | None = None
    """When it first showed nothing, by a clock that only goes forward."""

    def missed_for(self, now: float) -> float:
        """Seconds for which it has shown nothing, this look among them."""
        if self.missed_since is None:
            self.missed_since = now
        return now - self.missed_since


class Forwarder(Sender, Protocol):
    """Is told of people, and asked to survey them."""

    label: str
    """What Segment calls the destination, in the `integrations` of a call."""
    once: frozenset[str]
    """Kinds of deliveries that must not be repeated when their fate is unknown: requests for a survey."""
    events: frozenset[str]
    """Names of the events of which it may want something; what has another name is not shown to it every time."""

    def plan_call(self, call: Call, person: Person) -> list[PlannedDelivery] | Awaited:
        """What this platform is owed for a call, in order (pure); nothing for a call that is none of its business.

        The person is as they are after the call. A delivery that is decided against (not sampled, suppressed, too old,
        without what the vendor requires) has `filtered_because`.
        """

    def recipient(self, delivery: Delivery) -> str:
        """Whom a delivery of a kind in `once` is about, as the vendor tells people apart (pure)."""

    async def verify(self, delivery: Delivery, inquiry: Inquiry, beside: Sequence[Delivery] = ()) -> Outcome:
        """What became of a delivery of a kind in `once`, asked of the vendor; never repeats it.

        It may be asked several times; the inquiry is the same as long as the doubt lasts.

        What the vendor shows may be of another request `beside` it: those for the same recipient or person that may
        have been taken. All have `set_out_at`, by what the system's clock shows now.

        Delivered: it happened. Undone: it certainly did not, and may be sent. Declined: the vendor did not want to.
        RetryLater: the vendor cannot be asked now. Unknown: the vendor cannot tell.
        """

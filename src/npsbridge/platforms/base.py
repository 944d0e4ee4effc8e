"""What a platform's file exports: one record that says how to build its parts."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from npsbridge.clock import Clock
from npsbridge.core.model import ArchiveRow
from npsbridge.core.ports import Destination, Finding, Forwarder, Parser, Receiver, Source, TokenReceiver
from npsbridge.net.client import HttpClient
from npsbridge.settings import PlatformSettings

S = TypeVar("S", bound=PlatformSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring(Generic[S]):
    """What a platform's parts are built from: one configured connection and the seams to the world."""

    name: str
    """The connection's name."""
    settings: S
    http: HttpClient
    clock: Clock
    prefix: str
    """What the names of this connection's settings begin with, such as `NPSBRIDGE_DELIGHTED__`."""
    events: frozenset[str] | None = None
    """The names of the events that are emitted; None: whatever can be."""

    def setting(self, field: str) -> str:
        """The full name of a setting of this connection, for messages to the operator."""
        return self.prefix + field.upper()

    def emits(self, event: str) -> bool:
        """Whether anybody is told of such an event; what nobody wants to hear need not be read."""
        return self.events is None or event in self.events


@dataclass(frozen=True, slots=True, kw_only=True)
class Guide:
    """What `npsbridge connect` tells of a vendor, in the vendor's own words for its pages and buttons."""

    label: str
    """What the vendor calls itself."""
    asks: Mapping[str, str]
    """The fields that are asked for, in this order, and where the vendor shows each."""
    optional: frozenset[str] = frozenset()
    """Those that may be left out."""
    webhook: tuple[str, ...] = ()
    """What to do at the vendor with the webhook's URL, step by step."""
    beware: tuple[str, ...] = ()
    """What else to do or to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform(Generic[S]):
    """One vendor: its settings and its parts; a part it does not have is None."""

    name: str
    settings: type[S]
    parse: Parser | None = None
    source: Callable[[Wiring[S]], Source] | None = None
    receiver: Callable[[Wiring[S]], Receiver] | None = None
    hook: Callable[[Wiring[S]], TokenReceiver] | None = None
    """For vendors that sign nothing; only asked for when the connection has a webhook token."""
    compose: Callable[[ArchiveRow], bytes] | None = None
    """An archived answer as one of the platform's own objects, so that `parse` reads it like a polled one (pure)."""
    frozen: Callable[[S], Mapping[str, str]] = lambda _settings: {}
    """Settings, by field name, that must not change once something was delivered."""
    destination: Callable[[Wiring[S]], Destination] | None = None
    """For what is told of survey responses."""
    forwarder: Callable[[Wiring[S]], Forwarder] | None = None
    """For what is told of people and asked to survey them."""
    requests_per_minute: Callable[[S], float] = lambda _settings: 0.0
    """The rate limit of everything that talks to the account; 0 for none."""
    check: Callable[[Wiring[S]], Awaitable[list[Finding]]] | None = None
    """Asks the vendor whether the settings work; says what it cannot prove."""
    guide: Guide | None = None
    """For `npsbridge connect`; without one the fields of the settings are asked for by their descriptions."""
    try_out: Callable[[Wiring[S]], Awaitable[str]] | None = None
    """For what takes deliveries: sends one test event that no survey answer can be mistaken for, and says where to look
    for it. Raises VendorError."""

"""Errors of npsbridge, sorted by what happens next.

NpsbridgeError                 carries the exit code a command ends with
├── ConfigurationError         78  settings are wrong; every fault is listed
├── StoreError                 74  the disk failed under us; restart and check
│   ├── StoreLocked            75  another daemon holds the store
│   ├── StoreUnusable          65  not a database of ours, newer than us, or corrupt
│   │   └── NoStoreYet             nothing is there
│   ├── StorePermission        77  the file may not be read or written
│   ├── LeaseLost              75  another replica does this work now
│   └── StoreUnavailable       69  it cannot be reached, or not be written now; it is tried again
│       └── StoreFull          74  no room; accepting stops until there is some
├── BadRecord                  65  one record that cannot be understood; it is shelved
└── VendorError                69  what a vendor's answer means for the next step
    ├── TryLater                   passing trouble: ask again after a pause
    │   └── UnreadablePage         an answer that is not what the API promises; shown on the shelf
    ├── PersonMustAct              a key or a plan is wrong: pause, name the setting
    └── Gone                       the service has ended: retire the connection
"""

from collections.abc import Sequence
from dataclasses import dataclass


class NpsbridgeError(Exception):
    """Anything that npsbridge itself reports; `exit_code` follows sysexits.h."""

    exit_code = 70


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong with the configuration."""

    setting: str
    """The full name of the setting, as the operator writes it."""
    problem: str
    example: str | None = None

    def __str__(self) -> str:
        """One line for the operator."""
        return f"{self.setting}: {self.problem}" + (f" (for example {self.example})" if self.example else "")


class ConfigurationError(NpsbridgeError):
    """The settings cannot be used; all their faults at once."""

    exit_code = 78

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in faults))


class StoreError(NpsbridgeError):
    """The store failed in a way that only a restart and a check can mend."""

    exit_code = 74


class StoreLocked(StoreError):
    """Another daemon holds this store."""

    exit_code = 75


class StoreUnusable(StoreError):
    """The file is no store of ours: empty, foreign, corrupt, or written by a newer release."""

    exit_code = 65


class NoStoreYet(StoreUnusable):
    """There is nothing at a place where somebody wants to look."""

    def __init__(self, place: object) -> None:
        super().__init__(
            f"there is no store at {place}; NPSBRIDGE_STORE_URL says where it is, and `npsbridge run` makes it"
        )


class StorePermission(StoreError):
    """The store's file or folder may not be read or written by this user."""

    exit_code = 77


class LeaseLost(StoreError):
    """Another replica has taken over what this one was doing; nothing of the transaction was kept."""

    exit_code = 75


class ErasedMeanwhile(StoreError):
    """Somebody was erased since this was decided: nothing of it was kept, and it is to be decided anew."""


class StoreUnavailable(StoreError):
    """The store cannot be reached or written now; later calls may succeed.

    Whether the write under way was kept may be unknown, so whoever tries again must be able to do it twice.
    """

    exit_code = 69


class StoreFull(StoreUnavailable):
    """The disk or the quota is full; nothing of the transaction was kept."""

    exit_code = 74


class UsageError(NpsbridgeError):
    """A verb of the command line was asked for something that does not exist."""

    exit_code = 64


class ListenError(NpsbridgeError):
    """An address cannot be listened on; the text names the setting."""

    exit_code = 69

    def __init__(self, setting: str, address: str, reason: str, *, needs_rights: bool = False) -> None:
        if needs_rights:
            self.exit_code = 77
        super().__init__(f"{setting}={address} cannot be listened on: {reason}")


class BadRecord(NpsbridgeError):
    """One record that cannot be understood.

    Attributes:
        pointer: JSON pointer to the offending part, such as `/score`.
        reason: what is wrong with it, without the value (it may be personal).
    """

    exit_code = 65

    def __init__(self, pointer: str, reason: str) -> None:
        self.pointer = pointer
        self.reason = reason
        super().__init__(f"{pointer or '/'}: {reason}")


class VendorError(NpsbridgeError):
    """A vendor's answer, or its absence, sorted by what has to happen next."""

    exit_code = 69


class TryLater(VendorError):
    """Passing trouble; ask again.

    Attributes:
        after: seconds the vendor asked us to wait, if it said so.
    """

    def __init__(self, reason: str, *, after: float | None = None) -> None:
        self.after = after
        super().__init__(reason)


class NotSent(TryLater):
    """Name look-up, connection or TLS failed before the request left; the vendor never saw it."""


class AnswerLost(TryLater):
    """The request left, but time ran out or the connection broke before a whole answer came."""


class UnreadablePage(TryLater):
    """An answer with a good status whose body is not what the API promises.

    Attributes:
        location: path and query of the request, without host and key.
        body: the first part of what came, for the shelf.
    """

    def __init__(self, reason: str, *, location: str, body: bytes) -> None:
        self.location = location
        self.body = body
        super().__init__(reason)


class PersonMustAct(VendorError):
    """The vendor refuses us until somebody changes something; the text names the setting."""


class Gone(VendorError):
    """The vendor says the service has ended for good (HTTP 410)."""

"""What an error of PostgreSQL or of the way to it means for the next step, in the words of npsbridge.errors.

By class of SQLSTATE (PostgreSQL's documentation, appendix A), because engines that speak its language word their
errors differently.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg

from npsbridge.errors import StoreError, StoreFull, StorePermission, StoreUnavailable, StoreUnusable

Kind = type[StoreError]

_SETTING: Final = "NPSBRIDGE_STORE_URL"
_WAITING: Final = "it is tried again until it works"
READ_ONLY: Final = "25006"
_BY_CODE: Final[dict[str, tuple[Kind, str]]] = {
    "53100": (StoreFull, "free some room on the database's disk, nothing else is needed"),
    "53200": (StoreUnavailable, f"the database has too little memory; {_WAITING}"),
    "53300": (StoreUnavailable, f"raise max_connections, or run fewer replicas; {_WAITING}"),
    READ_ONLY: (StoreUnavailable, f"the database only reads now, as a standby does until it takes over; {_WAITING}"),
    "25007": (StoreUnavailable, f"the schema is being changed; {_WAITING}"),
    "40001": (StoreUnavailable, f"others write the same; {_WAITING}"),
    "40003": (StoreUnavailable, f"it is not known whether that was kept; {_WAITING}"),
    "40P01": (StoreUnavailable, f"others write the same; {_WAITING}"),
    "55P03": (StoreUnavailable, f"others write the same; {_WAITING}"),
    "42501": (StorePermission, f"grant the user of {_SETTING} all rights on the schema"),
    "3F000": (StoreUnusable, f"make the schema that {_SETTING} names, or grant its user CREATE on the database"),
    "3D000": (StoreUnusable, f"make the database that {_SETTING} names"),
    "42P01": (StoreUnusable, "a table of npsbridge is missing; restore a backup"),
    # PostgreSQL's own is a fault of its program; engines beside it say so of nodes that do not reach each other.
    "XX000": (StoreUnavailable, f"an inner error of the database, its log says more; {_WAITING}"),
    "42703": (StoreUnusable, "a table of npsbridge was changed by hand; restore a backup"),
}
_BY_CLASS: Final[dict[str, tuple[Kind, str]]] = {
    "08": (StoreUnavailable, _WAITING),
    "28": (StorePermission, f"check user and password in {_SETTING}"),
    "53": (StoreUnavailable, f"the database has too little of something; {_WAITING}"),
    "57": (StoreUnavailable, _WAITING),
    "58": (StoreUnavailable, f"the database's own disk is in trouble; {_WAITING}"),
    "XX": (StoreUnusable, "the database is damaged; restore a backup"),
}
_LOST: Final = (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.exceptions.TargetServerAttributeNotMatched)
"""What asyncpg raises when the connection is gone, cannot be made to a host that takes writes, or does not answer."""
RAISED: Final = (asyncpg.PostgresError, *_LOST)
"""All that asyncpg raises of a database that is as it may be."""
AGAIN: Final = frozenset({"40001", "40P01"})
"""Two transactions met; either may be run again at once."""


def code_of(error: BaseException) -> str:
    """The SQLSTATE, where the database has said one."""
    return str(getattr(error, "sqlstate", None) or "")


def store_fault(error: Exception, place: str) -> StoreError | None:
    """The error of ours that says what to do; None for a mistake of our own, which nobody outside can mend.

    Args:
        error: what asyncpg raised.
        place: host and database, without any password.
    """
    code = code_of(error)
    known = _BY_CODE.get(code) or _BY_CLASS.get(code[:2])
    if known is not None:
        kind, advice = known
        return kind(f"{place}: {error}; {advice}")
    # What asyncpg cannot put into a column is a ValueError as well, and no fault of the database.
    if isinstance(error, _LOST) and not isinstance(error, ValueError):
        return StoreUnavailable(f"{place}: {str(error) or 'no answer in time'}; {_WAITING}")
    return None


@contextmanager
def in_our_words(place: str) -> Iterator[None]:
    """A block whose errors of the database are raised as ours.

    Raises:
        StoreError: the kinds of it say what to do.
    """
    try:
        yield
    except StoreError:
        raise
    except RAISED as error:
        raise store_fault(error, place) or error from error

"""One daemon per store: an advisory lock on a file beside the database, free again whenever its holder dies.

The file also remembers a number from one holder to the next.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from npsbridge.errors import StoreLocked
from npsbridge.store.sqlite.faults import file_fault
from npsbridge.store.sqlite.place import beside

_WIDTH: Final = 20
"""Bytes of a number, filled up with blanks so that each can be written in its place; a line break follows."""


class Lock:
    """A lock that is held. Made by `held_alone`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.remembered = _number_in(os.pread(descriptor, _WIDTH, _WIDTH + 1))
        """What an earlier holder remembered last; None when none did."""

    def remember(self, number: int) -> None:
        """For a later holder. Not synced: what is lost with the power is an older number, or all."""
        _write(self._descriptor, number, _WIDTH + 1)


@contextmanager
def held_alone(path: Path) -> Iterator[Lock]:
    """Hold the store at a real path; the database itself is not touched.

    Raises:
        StoreLocked: another process holds it; told at once, without waiting.
        StorePermission: the lock file cannot be written.
    """
    lock = beside(path, ".lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise file_fault(error, lock) from error
    try:
        _take(descriptor, lock, path)
        yield Lock(descriptor)
    finally:
        # Closing lets go. The file stays: were it removed, two daemons could each lock a file of that name.
        os.close(descriptor)


def remembered_beside(path: Path) -> int | None:
    """What the holders of a store's lock remembered last, without holding it; None when nothing is known."""
    try:
        with beside(path, ".lock").open("rb") as file:
            return _number_in(file.read()[_WIDTH + 1 :])
    except OSError:
        return None


def _take(descriptor: int, lock: Path, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = _number_in(os.pread(descriptor, _WIDTH, 0))
        raise StoreLocked(
            f"another daemon (process {holder or 'unknown'}) holds {path}; stop it, or give this one a "
            "NPSBRIDGE_STORE_URL of its own"
        ) from error
    except OSError as error:
        raise file_fault(error, lock) from error
    _write(descriptor, os.getpid(), 0)  # for the message above


def _number_in(text: bytes) -> int | None:
    head = text.decode(errors="replace").partition("\n")[0].strip()
    return int(head) if head.isdecimal() else None


def _write(descriptor: int, number: int, place: int) -> None:
    """What is noted here helps people; a full disk must not keep the daemon from starting, nor from going on."""
    with suppress(OSError):
        os.pwrite(descriptor, b"%-*d\n" % (_WIDTH, number), place)

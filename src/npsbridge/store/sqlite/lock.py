"""One daemon per store: an advisory lock on a file beside the database, free again whenever its holder dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from npsbridge.errors import StoreLocked
from npsbridge.store.sqlite.faults import file_fault


@contextmanager
def held_alone(path: Path) -> Iterator[None]:
    """Hold the store at a real path; the database itself is not touched.

    Raises:
        StoreLocked: another process holds it; told at once, without waiting.
        StorePermission: the lock file cannot be written.
    """
    lock = path.with_name(f"{path.name}.lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise file_fault(error, lock) from error
    try:
        _take(descriptor, lock, path)
        yield
    finally:
        # Closing lets go. The file stays: were it removed, two daemons could each lock a file of that name.
        os.close(descriptor)


def _take(descriptor: int, lock: Path, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
        raise StoreLocked(
            f"another daemon (process {holder or 'unknown'}) holds {path}; stop it, or give this one a "
            "NPSBRIDGE_STORE_URL of its own"
        ) from error
    except OSError as error:
        raise file_fault(error, lock) from error
    # The number is for the message above; a full disk must not keep the daemon from starting.
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)

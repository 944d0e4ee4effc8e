"""Copies a store that is in use into one file that a daemon can be started from.

Copies pages and knows what a copy must not do twice; nothing of what else is in them.
"""

import errno
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from npsbridge.errors import StoreError, StoreFull, StorePermission, StoreUnusable, UsageError
from npsbridge.store.sqlite.faults import store_fault
from npsbridge.store.sqlite.inspection import damage_in, snapshot, version_of_store
from npsbridge.store.sqlite.opening import WRITING, open_database
from npsbridge.store.sqlite.place import beside, real_path, sync_folder
from npsbridge.store.sqlite.witness import doubt_surveys, leave

STEP_PAGES: Final = 1024
"""Pages, 4 MB, between two reports of progress."""
SYNC_STEPS: Final = 4
"""Steps between two syncs of the copy: left to the end, one large sync would hold up those of the daemon."""

Progress = Callable[[int, int], None]
"""Told how many pages are copied, and of how many."""


def back_up(path: Path, target: Path, *, force: bool, progress: Progress) -> int:
    """Copy a store as it is committed now, whoever else reads and writes it.

    The copy appears under its name whole, checked and on disk, for its owner alone; or not at all. It holds the store's
    personal data, and no key or token, for they are in no store.

    SQLite's backup runs inside of one reading transaction. Without it, every commit of a daemon would make it start
    anew; VACUUM INTO reads in one transaction as well, but builds every index again, which takes longer, and tells
    nothing of its progress. The daemon goes on writing; its WAL grows meanwhile and is folded in afterwards.

    Returns:
        The size of the copy in bytes.

    Raises:
        UsageError: the target is there already and not to be replaced, or is the store itself.
        StoreUnusable: there is no store, or it is damaged: what was at the target still is.
        StorePermission, StoreFull, StoreError: the store cannot be read, or the copy not be written.
    """
    path = real_path(path)
    version_of_store(path)
    _refuse_the_store(path, target)
    _refuse_to_replace(target, force=force)
    with _draft_beside(target) as draft:
        _copy(path, draft, progress)
        _insist_on_whole(draft, path)
        _finish(draft)
        size = draft.stat().st_size
        _refuse_to_replace(target, force=force)
        draft.rename(target)
        sync_folder(target.parent)
    return size


def _refuse_the_store(path: Path, target: Path) -> None:
    own = {beside(path, end) for end in ("", "-wal", "-shm", ".lock", ".new")}
    if target.resolve() in own:
        raise UsageError(f"{target} belongs to the store itself; name another file")


def _refuse_to_replace(target: Path, *, force: bool) -> None:
    if target.is_dir():
        raise UsageError(f"{target} is a folder; name a file in it")
    if not target.parent.is_dir():
        raise UsageError(f"{target.parent} is no folder; make it first")
    if not force and os.path.lexists(target):
        raise UsageError(f"{target} is there already; name another file, or replace it with --force")


@contextmanager
def _draft_beside(target: Path) -> Iterator[Path]:
    """A new file (0600) in the target's folder, which is gone afterwards unless it was renamed."""
    draft: Path | None = None
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".new", dir=target.parent)
        os.close(descriptor)
        draft = Path(name).resolve()
        yield draft
    except OSError as error:
        raise _target_fault(error, target) from error
    finally:
        if draft is not None:
            for end in ("", "-wal", "-shm", "-journal"):
                beside(draft, end).unlink(missing_ok=True)


def _target_fault(error: OSError, target: Path) -> StoreError:
    text = f"the copy {target} cannot be written: {error.strerror or error}"
    match error.errno:
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return StorePermission(f"{text}; its folder must be writable by this user")
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return StoreFull(f"{text}; free some room there, or name a file on another disk")
        case _:
            return StoreError(f"{text}; name a file on another disk")


def _copy(path: Path, draft: Path, progress: Progress) -> None:
    # Nothing that fails here would be used, so SQLite need not sync; that is done step by step.
    with (
        snapshot(path) as source,
        closing(sqlite3.connect(draft, isolation_level=None)) as copy,
        draft.open("rb") as written,
    ):
        copy.execute("PRAGMA synchronous = OFF")
        copy.execute("PRAGMA cache_size = -4096")
        steps = 0

        def report(_: int, remaining: int, total: int) -> None:
            nonlocal steps
            steps += 1
            if steps % SYNC_STEPS == 0:
                os.fdatasync(written.fileno())
            progress(total - remaining, total)

        with _on(draft):
            source.backup(copy, pages=STEP_PAGES, progress=report)


@contextmanager
def _on(draft: Path) -> Iterator[None]:
    """What SQLite says of the copy, in our words."""
    try:
        yield
    except sqlite3.Error as error:
        raise store_fault(error, draft) or error from error


def _finish(draft: Path) -> None:
    """Make it a store that nobody has in use, and whose surveys may have been requested since; all in one file."""
    with _on(draft), closing(open_database(draft, WRITING)) as copy:
        copy.execute("BEGIN IMMEDIATE")
        doubt_surveys(copy)
        leave(copy)
        copy.execute("COMMIT")
    descriptor = os.open(draft, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _insist_on_whole(draft: Path, path: Path) -> None:
    """Read the copy to its end; damage is that of the store, for pages are copied as they are."""
    with snapshot(draft) as copy:
        for found in damage_in(copy):
            if found.is_good is False:
                raise StoreUnusable(f"{path} is damaged, no copy was kept: {found.text}")

"""Where a store's file lies: its real path, its folder, and the kind of file system below it."""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

from loguru import logger

from npsbridge.core.records import StoreSize
from npsbridge.errors import StoreUnusable
from npsbridge.store.sqlite.faults import file_fault

_MOUNTS: Final = Path("/proc/self/mountinfo")
_NETWORK: Final = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4"}
    | {"smb3", "smbfs"}
)


def real_place(path: Path) -> Path:
    """The path without symbolic links, so that one file has one lock; its folder is created (0700) when missing.

    Raises:
        StoreUnusable: the links lead in a circle.
        StorePermission: the folder cannot be created.
    """
    real = real_path(path)
    try:
        _create_folder(real.parent)
    except OSError as error:
        raise file_fault(error, path) from error
    return real


def real_path(path: Path) -> Path:
    """The path without symbolic links, whether something is there or not; nothing is created.

    Raises:
        StoreUnusable: the links lead in a circle.
        StorePermission: a folder on the way cannot be entered.
    """
    try:
        real = path.resolve()
        is_circle = real.is_symlink()
    except RuntimeError:  # what a circle was to Python before 3.13; since then it is left as it is
        is_circle, real = True, path
    except OSError as error:
        raise file_fault(error, path) from error
    if is_circle:
        raise StoreUnusable(f"{path} is a symbolic link that leads to itself; NPSBRIDGE_STORE_URL must name a file")
    return real


def size_on_disk(path: Path) -> StoreSize:
    """What a store's file and its write-ahead log take, and what is left beside them.

    Raises:
        StorePermission, StoreError: the file cannot be looked at.
    """
    log = 0
    try:
        with suppress(FileNotFoundError):  # it comes and goes with whoever has the store open
            log = path.with_name(f"{path.name}-wal").stat().st_size
        return StoreSize(database=path.stat().st_size, log=log, free=shutil.disk_usage(path.parent).free)
    except OSError as error:
        raise file_fault(error, path) from error


def _create_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _create_folder(folder.parent)
    # Beside another process that does the same, the second one finds it done.
    folder.mkdir(mode=0o700, exist_ok=True)


def beside(path: Path, end: str) -> Path:
    """The file next to a store's that SQLite, or we, name after it, such as `-wal`."""
    return path.with_name(path.name + end)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; a new file is only safe once its name is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def warn_of_network(path: Path) -> None:
    """Tell the operator when the file is on a network file system."""
    if kind := network_below(path):
        logger.warning("{} is on {}", path, in_words(kind))


def network_below(path: Path) -> str | None:
    """The kind of a network file system below a real path, whose locks and syncs SQLite cannot trust; else None."""
    try:
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux
        return None
    kind = file_system(path, mounts)
    return kind if kind in _NETWORK else None


def in_words(network: str) -> str:
    """What a network file system means for a store, for the operator."""
    return f"a network file system ({network}), where locks and syncs may not hold; use a local disk"


def file_system(path: Path, mounts: str) -> str | None:
    """The type of the file system that holds a real path, from the text of /proc/self/mountinfo (see proc(5))."""
    kinds: dict[Path, str] = {}
    for line in mounts.splitlines():
        mount, _, source = line.partition(" - ")
        # Octal escapes stand for blanks in names; what is mounted later at the same point covers what was before.
        kinds[Path(mount.split()[4].replace("\\040", " "))] = source.split()[0]
    return next((kinds[folder] for folder in (path, *path.parents) if folder in kinds), None)

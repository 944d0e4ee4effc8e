"""What would be on disk if the power failed at some moment of a life that strace has written down.

Of a file there is what was written before its last sync began, and of nothing written later: the worst that a disk may
do that keeps its word. Knows files and system calls, and nothing of what is in them.
"""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from fault.crash.strace_log import SystemCall

SYNCS: Final = ("fdatasync", "fsync")


class Moment(NamedTuple):
    """A call begins, or has returned, and this is on disk."""

    call: SystemCall
    is_begin: bool
    disk: Mapping[str, bytes]
    """By the name of the file; changes when a file does, so it is to be looked at now."""


@dataclass(kw_only=True)
class Disk:
    """Some files of one folder, as they are and as they would be."""

    safe: dict[str, bytes]
    """What outlives the power, by name."""
    seen: dict[str, bytearray] = field(default_factory=dict)
    """What the process itself reads."""
    _syncing: dict[int, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.seen = {name: bytearray(content) for name, content in self.safe.items()}

    def begin(self, call: SystemCall) -> None:
        """A call begins: a sync covers what was written until now."""
        if call.name in SYNCS:
            self._syncing[call.thread] = bytes(self.seen.get(_name(call), b""))

    def end(self, call: SystemCall) -> None:
        """A call has returned."""
        match call.name:
            case "pwrite64":
                self._write(_name(call), call.last_number, call.texts[0])
            case "ftruncate":
                del self.seen[_name(call)][call.last_number :]
            case "unlink":
                self.seen.pop(_name(call), None)
                self.safe.pop(_name(call), None)
            case "fdatasync" | "fsync":
                self.safe[_name(call)] = self._syncing.pop(call.thread)

    def _write(self, name: str, offset: int, content: bytes) -> None:
        file = self.seen.setdefault(name, bytearray())
        file.extend(bytes(max(0, offset - len(file))))
        file[offset : offset + len(content)] = content


def moments(calls: Iterable[SystemCall], names: Iterable[str], folder: Path) -> Iterator[Moment]:
    """Every moment of a life.

    Args:
        calls: what was written down of it, whole.
        names: the files that count.
        folder: where they lay, and are still as they were before that life.
    """
    disk = Disk(safe={name: (folder / name).read_bytes() for name in names if (folder / name).exists()})
    kept = {*disk.safe, *names}
    for call, is_begin in _in_order(calls):
        if _name(call) in kept:
            (disk.begin if is_begin else disk.end)(call)
        yield Moment(call, is_begin, disk.safe)


def laid_out(disk: Mapping[str, bytes], folder: Path) -> None:
    """Write these files, and no others, to a folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in disk.items():
        (folder / name).write_bytes(content)


def _in_order(calls: Iterable[SystemCall]) -> Iterator[tuple[SystemCall, bool]]:
    both = [(call.begins, 0, call) for call in calls]
    both += [(call.ends, 1, call) for call in calls if call.ends is not None and (call.result or 0) >= 0]
    for _, is_end, call in sorted(both, key=lambda one: one[:2]):
        yield call, not is_end


def _name(call: SystemCall) -> str:
    path = call.file or (call.texts[0].decode() if call.name == "unlink" and call.texts else "")
    return Path(path).name

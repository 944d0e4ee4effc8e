"""Archives as files that may be larger than memory: what kind a file is, its lines, and which answers stood in it.

Knows no platform. What reads JSON and CSV stands in `json_archive` and `csv_archive`.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import AnyStr, Final, Literal

from npsbridge.core.model import Record

Format = Literal["api-json", "csv"]

CHUNK: Final = 1 << 20
LONGEST: Final = 4 << 20
"""Bytes (of CSV: characters) that one record may have; what is longer is a broken file, not a survey answer."""
TOO_LONG: Final = f"is longer than {LONGEST >> 20} MiB"

BLANK: Final = b" \t\r\n"
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_WIDE_MARKS: Final = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")


class Item(Record, frozen=True, kw_only=True):
    """One record of an archive, or why it cannot be used."""

    number: int
    """Its place among the items of this file, from 1; the same at every reading."""
    line: int
    """The line it begins on, from 1."""
    in_array: bool = False
    """Whether it is an element of a JSON array, where a line number alone may not find it."""
    record: bytes | None = None
    refusal: str | None = None
    read: int
    """Bytes of the file read so far."""

    @property
    def place(self) -> str:
        """Where an editor finds it."""
        return f"line {self.line}, element {self.number}" if self.in_array else f"line {self.line}"


def sniff(path: Path) -> Format:
    """What a file is, from its first character: JSON begins with a bracket."""
    return "api-json" if _start(path).removeprefix(BYTE_ORDER_MARK).lstrip(BLANK)[:1] in (b"[", b"{") else "csv"


def unreadable(path: Path) -> str | None:
    """Why nothing of a file can be read; None when it is worth trying."""
    start = _start(path)
    if not start.removeprefix(BYTE_ORDER_MARK).strip(BLANK):
        is_blank = path.stat().st_size <= len(start)
        return "the file is empty" if is_blank else None
    halves = (start[0::2], start[1::2])
    is_wide = any(other and not any(half) and all(other) for half, other in (halves, halves[::-1]))
    return "the file is UTF-16 or UTF-32; save it as UTF-8" if is_wide or start.startswith(_WIDE_MARKS) else None


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4096)


def lines(readline: Callable[[int], AnyStr], ends: tuple[AnyStr, ...]) -> Iterator[AnyStr | None]:
    """The lines of a file with their ends, None for each that is too long; no more than one is held in memory.

    Args:
        readline: of the file.
        ends: what a line may end with.
    """
    while line := readline(LONGEST):
        if len(line) < LONGEST or line.endswith(ends):
            yield line
            continue
        while line and not line.endswith(ends):
            line = readline(CHUNK)
        yield None


class Seen:
    """Which keys stood in a file, each with a number; kept on disk, so that memory does not grow with the file."""

    def __init__(self) -> None:
        # An empty name is a database of its own in a file without a name (sqlite.org/inmemorydb.html).
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE seen (key INTEGER PRIMARY KEY, value INTEGER NOT NULL)")
        self._database.execute("BEGIN")
        self._cursor = self._database.cursor()

    def close(self) -> None:
        """Forget everything."""
        self._database.close()

    def add(self, key: str, value: int) -> int | None:
        """Note a key that was not there; of one that was, nothing is changed and its number is returned."""
        short = _short(key)
        if self._cursor.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (short, value)).rowcount:
            return None
        found: int = self._cursor.execute("SELECT value FROM seen WHERE key = ?", (short,)).fetchone()[0]
        return found

    def change(self, key: str, value: int) -> None:
        """Give a noted key another number."""
        self._cursor.execute("UPDATE seen SET value = ? WHERE key = ?", (value, _short(key)))


def _short(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), signed=True)

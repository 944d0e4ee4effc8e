"""Archives as files: lines and JSON elements one by one, so that a file may be larger than memory."""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final, Literal, TextIO

from npsbridge.core import archive, reading
from npsbridge.core.model import ArchiveRow, Record
from npsbridge.errors import BadRecord, UsageError

Format = Literal["api-json", "csv"]

CHUNK: Final = 1 << 20
LONGEST_ELEMENT: Final = 16 << 20
"""Bytes one JSON object may have; more than that is a broken file, not a survey answer."""

_BLANK: Final = b" \t\r\n"
_MARKS: Final = re.compile(rb'["\\{}\[\]]')


class Item(Record, frozen=True, kw_only=True):
    """One record of an archive, or why it cannot be used."""

    number: int
    """The line it ends on in a CSV or JSON Lines file, else its place in the array, from 1."""
    record: bytes | None = None
    refusal: str | None = None
    read: int
    """Bytes of the file read so far."""


def sniff(path: Path) -> Format:
    """What a file is, from its first character: JSON begins with a bracket."""
    with path.open("rb") as file:
        start = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip(_BLANK)
    return "api-json" if start[:1] in (b"[", b"{") else "csv"


# --- JSON -------------------------------------------------------------------------------------------------------


def json_items(path: Path) -> Iterator[Item]:
    """The elements of a JSON array, or the lines of a JSON Lines file."""
    with path.open("rb") as file:
        start = file.read(CHUNK).removeprefix(b"\xef\xbb\xbf").lstrip(_BLANK)
        file.seek(0)
        yield from _elements(file) if start.startswith(b"[") else _lines(file)


def _lines(file: BinaryIO) -> Iterator[Item]:
    for number, line in enumerate(file, start=1):
        if record := line.removeprefix(b"\xef\xbb\xbf").strip(_BLANK):
            yield Item(number=number, record=record, read=file.tell())


def _elements(file: BinaryIO) -> Iterator[Item]:
    """Cut an array into its elements without decoding it: brackets outside of texts tell where one ends."""
    pending, number = b"", 0
    scan = _Scan()
    while chunk := file.read(CHUNK):
        pending += chunk
        ends = scan.ends(pending)
        start = 0
        for end in ends:
            number += 1
            yield Item(number=number, record=pending[start:end].strip(b" \t\r\n,[\xef\xbb\xbf"), read=file.tell())
            start = end
        pending = pending[start:]
        scan.forget(start)
        if len(pending) > LONGEST_ELEMENT:
            raise UsageError(f"element {number + 1} is longer than {LONGEST_ELEMENT} bytes; is this a JSON array?")
    if scan.depth:
        yield Item(number=number + 1, refusal="the file ends in the middle of it", read=file.tell())


class _Scan:
    """Where in an array the reading of it stands."""

    def __init__(self) -> None:
        self.depth = 0
        self._at = 0
        self._in_text = False

    def ends(self, data: bytes) -> list[int]:
        """Where elements of the outermost array end in what has not been looked at yet."""
        found: list[int] = []
        while mark := _MARKS.search(data, self._at):
            self._at = mark.end()
            sign = mark.group()
            if sign == b"\\":
                if self._at >= len(data):
                    self._at -= 1  # the escaped character comes with the next chunk
                    break
                self._at += 1
            elif sign == b'"':
                self._in_text = not self._in_text
            elif not self._in_text:
                self._bracket(sign, found)
        else:
            self._at = len(data)
        return found

    def _bracket(self, sign: bytes, found: list[int]) -> None:
        if sign in b"{[":
            self.depth += 1
            return
        self.depth -= 1
        if self.depth == 1:
            found.append(self._at)

    def forget(self, count: int) -> None:
        """The first bytes are gone from what is looked at."""
        self._at -= count


# --- CSV --------------------------------------------------------------------------------------------------------


class _Counted:
    """Lines of a text file, and how many bytes they came from."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.read = 0

    def __iter__(self) -> Iterator[str]:
        for line in self._file:
            self.read += len(line.encode("utf-8", "surrogateescape"))
            yield line


def csv_items(
    path: Path, compose: Callable[[ArchiveRow], bytes], mapping: Mapping[str, str], *, date_format: str | None
) -> Iterator[Item]:
    """The lines of a CSV file as a platform's own objects.

    Raises:
        UsageError: the header does not have what is needed.
    """
    csv.field_size_limit(LONGEST_ELEMENT)
    with path.open("r", encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        separator = _separator(file.readline())
        file.seek(0)
        counted = _Counted(file)
        lines = csv.reader(counted, delimiter=separator)
        header = next(lines, None)
        if header is None:
            raise UsageError(f"{path} is empty")
        columns = archive.understand(header, mapping, date_format=date_format)
        seen: Counter[int] = Counter()
        for cells in lines:
            if cells:
                yield _item(columns, cells, compose, seen, number=lines.line_num, read=counted.read)


def _separator(header: str) -> str:
    """Comma, semicolon or tab, whichever the header has most of."""
    return max(",;\t", key=header.count)


def _item(
    columns: archive.Columns,
    cells: list[str],
    compose: Callable[[ArchiveRow], bytes],
    seen: Counter[int],
    *,
    number: int,
    read: int,
) -> Item:
    try:
        row = archive.row(columns, cells)
    except BadRecord as error:
        return Item(number=number, refusal=str(error), read=read)
    key = int(reading.digest(row.id.encode())[:16], 16)  # small: there may be millions
    seen[key] += 1
    if seen[key] > 1 and "id" in columns.fields:
        return Item(number=number, refusal="/id: stands in an earlier line already", read=read)
    try:
        return Item(number=number, record=compose(archive.numbered(row, seen[key])), read=read)
    except BadRecord as error:
        return Item(number=number, refusal=str(error), read=read)

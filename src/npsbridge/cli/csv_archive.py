"""Archives as tables: lines of CSV as a platform's own objects, one bad line never costing another.

A quote that is never closed would make one cell of all that follows: such a record is refused by the line it begins
on, and reading goes on with the next line.
"""

import csv
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from io import TextIOWrapper
from pathlib import Path
from typing import Final, TextIO

from npsbridge.cli.archive import LONGEST, TOO_LONG, Item, Seen, lines
from npsbridge.core import archive
from npsbridge.core.model import ArchiveRow
from npsbridge.errors import BadRecord

Compose = Callable[[ArchiveRow], bytes]

_SAYS_SEPARATOR: Final = re.compile(r"sep=([^\w\s\"]|\t)\s*", re.IGNORECASE)
_QUOTES: Final = "has a quote that is not closed, or one within quotes that is not doubled"


def csv_items(
    path: Path,
    compose: Compose,
    mapping: Mapping[str, str],
    *,
    date_format: str | None,
    seen: Seen,
    understood: Callable[[archive.Columns], None],
) -> Iterator[Item]:
    """The lines of a CSV file as a platform's own objects.

    Args:
        path: the file.
        compose: puts a row into the platform's words.
        mapping: field to column name, as the operator gave it.
        date_format: how times are written.
        seen: tells lines apart that are the same to the letter, where the file has no ids.
        understood: is told what the columns are taken for.

    Raises:
        UsageError: the header does not have what is needed.
    """
    with path.open("rb") as raw, TextIOWrapper(raw, encoding="utf-8", errors="surrogateescape", newline="") as file:
        read = raw.tell
        told_separator, separator = _separator(path)
        rows = _rows(_Lines(file), separator)
        if told_separator:
            next(rows, None)
        at, header = next(rows, (1, "is missing"))
        if isinstance(header, str) or not archive.is_unicode(header):
            reason = header if isinstance(header, str) else "is not UTF-8"
            yield Item(number=1, line=at, refusal=f"the header {reason}; nothing below it was read", read=read())
            return
        columns = archive.understand(header, mapping, date_format=date_format)
        understood(columns)
        for number, (line, cells) in enumerate(rows, start=1):
            try:
                record = _record(columns, cells, compose, seen)
                yield Item(number=number, line=line, record=record, read=read())
            except BadRecord as error:
                yield Item(number=number, line=line, refusal=archive.refusal(columns, error), read=read())


def _record(columns: archive.Columns, cells: list[str] | str, compose: Compose, seen: Seen) -> bytes:
    if isinstance(cells, str):
        raise BadRecord("", cells)
    row = archive.row(columns, cells)
    if not archive.has_own_id(columns, cells):
        nth = (seen.add(row.id, 1) or 0) + 1
        if nth > 1:
            seen.change(row.id, nth)
        row = archive.numbered(row, nth)
    return compose(row)


def _separator(path: Path) -> tuple[bool, str]:
    """What stands between cells, and whether the file says so in a first line of its own, as Excel writes and reads it.

    Else it is comma, semicolon or tab, whichever the header has most of.
    """
    with path.open("r", encoding="utf-8-sig", errors="replace") as file:
        first = file.readline(LONGEST)
    if found := _SAYS_SEPARATOR.fullmatch(first):
        return True, found[1]
    return False, max(",;\t", key=first.count)


# --- records of one line or more --------------------------------------------------------------------------------


class _TooLongError(Exception):
    """A record has more characters than one may have."""


def _rows(source: "_Lines", separator: str) -> Iterator[tuple[int, list[str] | str]]:
    """The records with the line each begins on: cells, or why there are none; blank lines are left out."""
    csv.field_size_limit(2 * LONGEST)
    reader = csv.reader(source, delimiter=separator, strict=True)
    while True:
        line = source.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (_TooLongError, csv.Error) as error:
            source.give_back()
            reader = csv.reader(source, delimiter=separator, strict=True)
            yield line, TOO_LONG if isinstance(error, _TooLongError) else _QUOTES
        else:
            if cells:
                yield line, cells


class _Lines:
    """Feeds lines to a reader that takes as many as a record needs, and takes back what was no record."""

    def __init__(self, file: TextIO) -> None:
        self._file = lines(file.readline, ("\n", "\r"))
        self._again: deque[str | None] = deque()
        self._taken: list[str | None] = []
        self._length = 0
        self._number = 0

    def begin(self) -> int:
        """A record begins; returns the number of its first line."""
        self._taken.clear()
        self._length = 0
        return self._number + 1

    def give_back(self) -> None:
        """All but the first line of this record is to be read again."""
        again = self._taken[1:]
        self._again.extendleft(reversed(again))
        self._number -= len(again)

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._file)
        self._number += 1
        self._taken.append(line)
        self._length += len(line or "")
        if line is None or self._length > LONGEST:
            raise _TooLongError
        # A byte order mark is no part of the first header.
        return line.removeprefix("\ufeff") if self._number == 1 else line

"""Archives of a platform's own objects: JSON Lines, or a JSON array that is cut into its elements without decoding it.

Only one element is held in memory, and never more of it than `LONGEST`.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from npsbridge.cli.archive import BLANK, BYTE_ORDER_MARK, CHUNK, LONGEST, TOO_LONG, Item, lines

_TEXT: Final = rb'[^"\\]*+(?:\\.[^"\\]*+)*+'
_REST_OF_TEXT: Final = re.compile(_TEXT, re.DOTALL)
_TO_MARK: Final = re.compile(rb'[^"{}\[\],]*+(?:"%b"[^"{}\[\],]*+)*+' % _TEXT, re.DOTALL)
_TO_BRACKET: Final = re.compile(rb'[^"{}\[\]]*+(?:"%b"[^"{}\[\]]*+)*+' % _TEXT, re.DOTALL)
"""Up to the next sign outside of texts: within an element commas do not matter."""


def json_items(path: Path) -> Iterator[Item]:
    """The elements of a JSON array, or the lines of a JSON Lines file."""
    with path.open("rb") as file:
        start = file.read(CHUNK).removeprefix(BYTE_ORDER_MARK).lstrip(BLANK)
        file.seek(0)
        yield from _elements(file) if start.startswith(b"[") else _lines(file)


def _lines(file: BinaryIO) -> Iterator[Item]:
    number = 0
    for at, line in enumerate(lines(file.readline, (b"\n",)), start=1):
        record = None if line is None else line.removeprefix(BYTE_ORDER_MARK).strip(BLANK)
        if record is None or record:
            number += 1
            refusal = TOO_LONG if record is None else None
            yield Item(number=number, line=at, record=record, refusal=refusal, read=file.tell())


# --- arrays -----------------------------------------------------------------------------------------------------


class _Piece(NamedTuple):
    """What stands between two marks of the array."""

    text: bytes | None
    """None when it was too long to be kept."""
    line: int
    is_inside: bool
    is_whole: bool


def _elements(file: BinaryIO) -> Iterator[Item]:
    number = 0
    for piece in _pieces(file):
        if piece.text == b"" and piece.is_whole:
            continue
        number += 1
        refusal = _refusal(piece)
        record = None if refusal else piece.text
        yield Item(number=number, line=piece.line, in_array=True, record=record, refusal=refusal, read=file.tell())


def _refusal(piece: _Piece) -> str | None:
    if piece.text is None:
        return TOO_LONG
    if not piece.is_inside:
        return "stands outside of the array"
    return None if piece.is_whole else "the file ends in the middle of it"


def _pieces(file: BinaryIO) -> Iterator[_Piece]:
    scan, stretch = _Scan(), _Stretch()
    while chunk := file.read(CHUNK):
        stretch.pending += chunk
        start = 0
        for end, is_inside in scan.cuts(stretch.pending):
            yield stretch.piece(start, end, is_inside=is_inside)
            start = end + 1
        scan.forget(stretch.drop(start, looked_at=scan.at))
    yield stretch.piece(0, len(stretch.pending), is_inside=scan.depth > 0, is_whole=scan.depth == 0)


class _Stretch:
    """The part of the file that is held, and on which line it begins."""

    def __init__(self) -> None:
        self.pending = b""
        self._line = 1
        self._overlong_since: int | None = None

    def piece(self, start: int, end: int, *, is_inside: bool, is_whole: bool = True) -> _Piece:
        """The text between two positions without the blanks around it."""
        raw = self.pending[start:end]
        text, line = raw.strip(BLANK + BYTE_ORDER_MARK), self._overlong_since or self._first_line(raw)
        is_kept = self._overlong_since is None and len(text) <= LONGEST
        self._line += raw.count(b"\n")
        self._overlong_since = None
        return _Piece(text if is_kept else None, line, is_inside, is_whole)

    def _first_line(self, raw: bytes) -> int:
        blanks = len(raw) - len(raw.lstrip(BLANK))
        return self._line + raw.count(b"\n", 0, blanks)

    def drop(self, count: int, *, looked_at: int) -> int:
        """Let go of the bytes that were cut off, and of a piece that has become too long; returns how many these are.

        Args:
            count: how many were cut off.
            looked_at: how many are not needed any more to find the end of that piece.
        """
        self.pending = self.pending[count:]
        if self._overlong_since is None and len(self.pending) > LONGEST:
            self._overlong_since = self._first_line(self.pending)
        if self._overlong_since is None:
            return count
        self._line += self.pending.count(b"\n", 0, looked_at - count)
        self.pending = self.pending[looked_at - count :]
        return looked_at


class _Scan:
    """Where in an array the reading of it stands."""

    def __init__(self) -> None:
        self.depth = 0
        self.at = 0
        self._in_text = False

    def cuts(self, data: bytes) -> Iterator[tuple[int, bool]]:
        """Where the array begins, its elements end, or it ends, in what has not been looked at yet.

        With each goes whether what stands before it is inside of the array.
        """
        while self._reach_sign(data):
            at, sign = self.at, data[self.at : self.at + 1]
            self.at += 1
            if sign == b'"':
                self._in_text = True
            elif self.depth == 0 and sign == b"[":
                self.depth = 1
                yield at, False
            elif self.depth == 1 and sign in b",]":
                self.depth = 0 if sign == b"]" else 1
                yield at, True
            elif self.depth:
                self._nest(sign)

    def _reach_sign(self, data: bytes) -> bool:
        """Go to the next sign outside of texts; False when there is none yet."""
        if self._in_text:
            self.at = self._end(_REST_OF_TEXT, data)
            if data[self.at : self.at + 1] != b'"':
                return False  # the text goes on, or its last character is an escape, in the next chunk
            self.at += 1
            self._in_text = False
        self.at = self._end(_TO_BRACKET if self.depth > 1 else _TO_MARK, data)
        return self.at < len(data)

    def _end(self, pattern: re.Pattern[bytes], data: bytes) -> int:
        found = pattern.match(data, self.at)
        return found.end() if found else self.at

    def _nest(self, sign: bytes) -> None:
        if sign in b"{[":
            self.depth += 1
        elif sign in b"}]" and self.depth > 1:
            self.depth -= 1

    def forget(self, count: int) -> None:
        """The first bytes are gone from what is looked at."""
        self.at -= count

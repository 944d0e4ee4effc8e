"""Reads what strace has written down, as far as the tests here need it (pure).

A call that another thread's call came in between of stands on two lines: where it began, and where it was resumed.
"""

import re
from codecs import escape_decode
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

_RETURNED: Final = re.compile(r"(?P<thread>\d+) +(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>\?|-?\d+)[^\"]*")
_BEGUN: Final = re.compile(r"(?P<thread>\d+) +(?P<name>\w+)\((?P<arguments>.*) <unfinished \.\.\.>")
_RESUMED: Final = re.compile(
    r"(?P<thread>\d+) +<\.\.\. (?P<name>\w+) resumed>(?P<arguments>.*)\) += (?P<result>\?|-?\d+)[^\"]*"
)
_DESCRIPTOR: Final = re.compile(r"(?P<number>\d+)<(?P<path>[^>]*)>")
_TEXT: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_LAST_NUMBER: Final = re.compile(r", (\d+)$")


@dataclass(frozen=True, kw_only=True)
class SystemCall:
    """One call, as it was made."""

    thread: int
    name: str
    arguments: str
    begins: int
    """The line on which it begins."""
    ends: int | None = None
    """The line on which it has returned; None if the process died before."""
    result: int | None = None

    def __str__(self) -> str:
        result = "never returned" if self.result is None else self.result
        return f"thread {self.thread}: {self.name}({self.arguments[:160]}) = {result}"

    @property
    def file(self) -> str:
        """The path, or the like, of the descriptor it is about; empty if it is about none."""
        found = _DESCRIPTOR.match(self.arguments)
        return found["path"] if found else ""

    @property
    def descriptor(self) -> int:
        """The number of that descriptor; -1 if it is about none."""
        found = _DESCRIPTOR.match(self.arguments)
        return int(found["number"]) if found else -1

    @property
    def texts(self) -> list[bytes]:
        """The arguments that are strings: what was written, sent or received; names of files."""
        return [bytes(escape_decode(text.encode())[0]) for text in _TEXT.findall(self.arguments)]

    @property
    def last_number(self) -> int:
        """The last argument: where it is written to, or the length that a file is cut to."""
        found = _LAST_NUMBER.search(self.arguments)
        assert found is not None, self
        return int(found[1])


def calls(lines: Iterable[str]) -> list[SystemCall]:
    """All calls, in the order in which they began."""
    found: list[SystemCall] = []
    under_way: dict[int, int] = {}
    for number, line in enumerate(lines):
        if resumed := _RESUMED.fullmatch(line):
            place = under_way.pop(int(resumed["thread"]))
            found[place] = _completed(found[place], resumed, number)
        elif returned := _RETURNED.fullmatch(line):
            found.append(_completed(_begun(returned, number), returned, number, already=returned["arguments"]))
        elif begun := _BEGUN.fullmatch(line):
            under_way[int(begun["thread"])] = len(found)
            found.append(_begun(begun, number))
    return found


def _begun(match: re.Match[str], line: int) -> SystemCall:
    return SystemCall(thread=int(match["thread"]), name=match["name"], arguments=match["arguments"], begins=line)


def _completed(one: SystemCall, match: re.Match[str], line: int, *, already: str = "") -> SystemCall:
    whole = already or one.arguments + match["arguments"]
    if match["result"] == "?":
        return replace(one, arguments=whole)
    return replace(one, arguments=whole, ends=line, result=int(match["result"]))

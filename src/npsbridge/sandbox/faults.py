"""What a server may do wrong, as records, and the script that says to which request.

Nothing here touches a socket; `misbehaviour.py` plays what this file decides. Every fault that waits has a limit.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Annotated

import msgspec
from msgspec import Meta

from npsbridge.core.model import Record

LONGEST_WAIT = 600.0
"""Seconds after which every waiting fault ends by itself."""

Seconds = Annotated[float, Meta(ge=0, le=LONGEST_WAIT)]
Share = Annotated[float, Meta(ge=0, le=1)]


class Answer(Record, frozen=True, kw_only=True, tag_field="fault", tag="answer"):
    """Another answer instead of the true one; the request has no effect."""

    status: Annotated[int, Meta(ge=200, le=599)] = 200
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    body: str = ""


class Truncated(Record, frozen=True, kw_only=True, tag_field="fault", tag="truncated"):
    """The true answer, complete as HTTP, but its body ends too early."""

    keep: Share = 0.5


class CutConnection(Record, frozen=True, kw_only=True, tag_field="fault", tag="cut_connection"):
    """The true answer announces its full length, and the connection breaks after a part of it."""

    keep: Share = 0.5
    abrupt: bool = True
    """By a reset; otherwise the connection is closed in good order, only too early."""


class ResetBeforeReading(Record, frozen=True, kw_only=True, tag_field="fault", tag="reset_before_reading"):
    """The connection is reset before the request's body was read; no effect."""


class ResetAfterReading(Record, frozen=True, kw_only=True, tag_field="fault", tag="reset_after_reading"):
    """The connection is reset instead of an answer, though the request was read whole."""

    effect: bool = True
    """Whether the request took effect: the caller cannot tell, and that is the point."""


class Hang(Record, frozen=True, kw_only=True, tag_field="fault", tag="hang"):
    """No answer until the script is released or the time is up."""

    seconds: Seconds = 30.0
    effect: bool = True
    """The request takes effect and its answer comes late; otherwise no effect, and a reset ends the wait."""


class Drip(Record, frozen=True, kw_only=True, tag_field="fault", tag="drip"):
    """The true answer, a few bytes at a time; what is left when the time is up comes at once."""

    chunk: Annotated[int, Meta(ge=1)] = 1
    """Bytes at a time."""
    pause: Seconds = 1.0
    """Seconds between two chunks."""
    seconds: Seconds = 60.0


class CorruptGzip(Record, frozen=True, kw_only=True, tag_field="fault", tag="corrupt_gzip"):
    """The true answer, said to be gzip, with a broken stream."""


class GzipBomb(Record, frozen=True, kw_only=True, tag_field="fault", tag="gzip_bomb"):
    """An empty JSON array, blown up by spaces to `decoded_bytes` and packed small; the request has no effect."""

    decoded_bytes: Annotated[int, Meta(ge=2, le=2**31)] = 64 * 2**20


Fault = (
    Answer | Truncated | CutConnection | ResetBeforeReading | ResetAfterReading | Hang | Drip | CorruptGzip | GzipBomb
)


def status(code: int, *, retry_after: str | float | None = None, message: str | None = None) -> Answer:
    """An error as a JSON API says it.

    Args:
        code: The HTTP status.
        retry_after: Seconds, an HTTP date or nonsense for the `Retry-After` header; None leaves the header out.
        message: The text; by default the status' own number.
    """
    headers = {"Content-Type": "application/json"}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    body = {"status": code, "message": message or f"status {code}", "code": f"status_{code}"}
    return Answer(status=code, headers=headers, body=msgspec.json.encode(body).decode())


def html(code: int = 200) -> Answer:
    """A proxy's page where JSON was promised."""
    page = "<!DOCTYPE html><html><head><title>Please wait</title></head><body>One moment.</body></html>"
    return Answer(status=code, headers={"Content-Type": "text/html; charset=utf-8"}, body=page)


def empty() -> Answer:
    """A 200 without a body."""
    return Answer(headers={"Content-Type": "application/json"})


def null() -> Answer:
    """A 200 whose JSON is `null`."""
    return Answer(headers={"Content-Type": "application/json"}, body="null")


def error_object() -> Answer:
    """An error's JSON under a 200."""
    return Answer(headers={"Content-Type": "application/json"}, body='{"status":500,"message":"Internal Server Error"}')


def redirect(to: str, code: int = 302) -> Answer:
    """A redirect to `to`."""
    return Answer(status=code, headers={"Location": to})


class Rule(Record, frozen=True, kw_only=True):
    """A fault and the requests it is meant for."""

    fault: Fault
    times: Annotated[int, Meta(ge=1)] | None = 1
    """How often it is played; None until the script is cleared."""
    every: Annotated[int, Meta(ge=1)] = 1
    """Play it on every n-th matching request only."""
    method: str | None = None
    path: str | None = None
    """A part of the path with its query."""


class _Entry:
    """A rule with its counters."""

    def __init__(self, rule: Rule, matches_path: Callable[[str], bool]) -> None:
        self.rule = rule
        self.matches_path = matches_path
        self.seen = 0
        self.played = 0

    def is_due(self, method: str, target: str) -> bool:
        """Count the request if it matches, and say whether the fault is to be played on it."""
        if self.rule.method not in {None, method} or not self.matches_path(target):
            return False
        self.seen += 1
        return self.seen % self.rule.every == 0

    @property
    def is_used_up(self) -> bool:
        return self.rule.times is not None and self.played >= self.rule.times


class FaultScript:
    """Faults in waiting, oldest first; each request plays at most one."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._released = asyncio.Event()

    def add(
        self,
        *faults: Fault,
        times: int | None = 1,
        every: int = 1,
        method: str | None = None,
        path: str | Callable[[str], bool] | None = None,
    ) -> None:
        """Queue faults, each for the next `times` requests that match.

        Args:
            faults: Played one after the other: the second one waits until the first one is used up.
            times: How often each is played; None until the script is cleared.
            every: Play only on every n-th matching request.
            method: Only requests of this method.
            path: Only requests whose path with query contains this text, or for which this predicate is true.
        """
        matches = path if callable(path) else _containing(path)
        shown = None if callable(path) else path
        for fault in faults:
            rule = Rule(fault=fault, times=times, every=every, method=method, path=shown)
            self._entries.append(_Entry(rule, matches))

    def add_rule(self, rule: Rule) -> None:
        """Queue a rule as it stands; what `/__sim/script` does."""
        self._entries.append(_Entry(rule, _containing(rule.path)))

    def take(self, method: str, target: str) -> Fault | None:
        """The fault for this request, if one is due."""
        for entry in self._entries:
            if entry.is_due(method, target):
                entry.played += 1
                if entry.is_used_up:
                    self._entries.remove(entry)
                return entry.rule.fault
        return None

    @property
    def pending(self) -> list[Rule]:
        """What is still to be played; `times` counts what is left."""
        return [_what_is_left(entry) for entry in self._entries]

    def clear(self) -> None:
        """Forget all faults and release those that wait."""
        self._entries.clear()
        self.release()

    def release(self) -> None:
        """End every wait that is going on now."""
        self._released.set()
        self._released = asyncio.Event()

    async def hold(self, seconds: float) -> bool:
        """Wait until released, at most `seconds`; says whether it was released."""
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, LONGEST_WAIT)):
                return await self._released.wait()
        return False


def _containing(part: str | None) -> Callable[[str], bool]:
    return lambda target: part is None or part in target


def _what_is_left(entry: _Entry) -> Rule:
    if entry.rule.times is None:
        return entry.rule
    return msgspec.structs.replace(entry.rule, times=entry.rule.times - entry.played)

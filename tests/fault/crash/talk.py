"""What a process said and heard over HTTP, read from its system calls."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from fault.crash.strace_log import SystemCall
from npsbridge.sandbox.request_log import RecordedRequest

SENDING: Final = ("sendto", "sendmsg", "write", "writev")
HEARING: Final = ("recvfrom", "recvmsg", "read")
_METHODS: Final = (b"GET ", b"POST ", b"PUT ", b"DELETE ")
_END_OF_HEAD: Final = b"\r\n\r\n"


class Thanked(NamedTuple):
    """A 200 begins to leave."""

    call: SystemCall
    request: bytes
    """What was heard on that connection since the answer before."""


class Asked(NamedTuple):
    """A request of ours begins to leave."""

    call: SystemCall
    request: RecordedRequest


@dataclass(kw_only=True)
class _Connection:
    heard: bytes = b""
    said: bytes = b""
    began: SystemCall | None = None
    """The call with the first bytes of a request that is not complete yet."""


@dataclass(kw_only=True)
class Talk:
    """All that was said, in order."""

    thanked: list[Thanked] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    _connections: dict[int, _Connection] = field(default_factory=dict)

    def take(self, call: SystemCall) -> None:
        """Go on with the next call."""
        if "socket:" not in call.file or not call.texts:
            return
        here = self._connections.setdefault(call.descriptor, _Connection())
        text = b"".join(call.texts)
        if call.name in HEARING:
            here.heard += text
        elif call.name in SENDING:
            self._said(here, call, text)

    def _said(self, here: _Connection, call: SystemCall, text: bytes) -> None:
        if text.startswith(b"HTTP/1.1 "):
            if text.startswith(b"HTTP/1.1 200 "):
                self.thanked.append(Thanked(call, here.heard))
            here.heard = b""
        elif here.began is not None or text.startswith(_METHODS):
            here.said += text
            here.began = here.began or call
            if (request := _whole(here.said)) is not None:
                self.asked.append(Asked(here.began, request))
                here.said, here.began, here.heard = b"", None, b""


def talk_of(calls: Iterable[SystemCall]) -> Talk:
    """All that was said over HTTP."""
    talk = Talk()
    for call in calls:
        talk.take(call)
    return talk


def _whole(text: bytes) -> RecordedRequest | None:
    """A request, if all of it is there."""
    head, found, body = text.partition(_END_OF_HEAD)
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if not found or len(body) < int(headers.get("content-length", "0")):
        return None
    method, target, _ = first.split(" ")
    return RecordedRequest(method=method, target=target, headers=headers, raw=body, at=0.0, status=200)


def by_call(talk: Talk) -> dict[SystemCall, Thanked | Asked]:
    """What began to leave with which call."""
    thanked: dict[SystemCall, Thanked | Asked] = {one.call: one for one in talk.thanked}
    return thanked | {one.call: one for one in talk.asked}

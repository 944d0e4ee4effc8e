"""What was asked of a look-alike, kept within bounds.

It knows nothing of HTTP servers; it holds what they noted.
"""

import zlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import orjson

GZIP_MAGIC = b"\x1f\x8b"


@dataclass(slots=True, kw_only=True)
class RecordedRequest:
    """One request as it was received.

    Attributes:
        method: Upper case.
        target: Path and query as sent.
        headers: Case-insensitive.
        raw: The body as sent, still packed if it was.
        at: Seconds since 1970 on the server's clock.
        status: What was answered; None while there is no answer, and for a connection that was reset.
        fault: The kind of fault that was played on it.
        true_status: What the look-alike answers, whether a fault lets it through or not; None while the request has had
            no effect.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    raw: bytes = b""
    at: float
    status: int | None = None
    fault: str | None = None
    true_status: int | None = None

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def body(self) -> Any:
        """The body as JSON, unpacked if need be; the bytes as they came if it is not JSON."""
        try:
            return orjson.loads(unpacked(self.raw))
        except (orjson.JSONDecodeError, ValueError):
            return self.raw


def unpacked(raw: bytes, limit: int = 64 * 2**20) -> bytes:
    """The body without gzip, recognised by its magic bytes.

    Raises:
        ValueError: The stream is broken, or unpacks to more than `limit` bytes.
    """
    if not raw.startswith(GZIP_MAGIC):
        return raw
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        body = unpacker.decompress(raw, limit)
    except zlib.error as error:
        raise ValueError("the gzip stream is broken") from error
    if not unpacker.eof:
        raise ValueError("the gzip stream ends too early or is too long")
    return body


class RequestLog(Sequence[RecordedRequest]):
    """The latest requests, oldest first; the oldest are forgotten when a limit is reached.

    Attributes:
        forgotten: How many are no longer here.
    """

    def __init__(self, *, most_requests: int = 20_000, most_bytes: int = 64 * 2**20) -> None:
        self._most_requests = most_requests
        self._most_bytes = most_bytes
        self._requests: deque[RecordedRequest] = deque()
        self._bytes = 0
        self.forgotten = 0

    def add(self, request: RecordedRequest) -> None:
        """Note a request whose body is complete."""
        self._requests.append(request)
        self._bytes += len(request.raw)
        while len(self._requests) > self._most_requests or self._bytes > self._most_bytes:
            self._bytes -= len(self._requests.popleft().raw)
            self.forgotten += 1

    def clear(self) -> None:
        """Forget everything."""
        self._requests.clear()
        self._bytes = self.forgotten = 0

    def __len__(self) -> int:
        return len(self._requests)

    def __iter__(self) -> Iterator[RecordedRequest]:
        return iter(self._requests)

    @overload
    def __getitem__(self, index: int) -> RecordedRequest: ...
    @overload
    def __getitem__(self, index: slice) -> list[RecordedRequest]: ...
    def __getitem__(self, index: int | slice) -> RecordedRequest | list[RecordedRequest]:
        return list(self._requests)[index] if isinstance(index, slice) else self._requests[index]

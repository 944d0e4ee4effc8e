"""What both doors for calls share: bodies within limits, on disk before the answer, errors that every SDK understands.

Statuses are only those after which no SDK repeats in vain or gives up too early: 200, 400, 401, 404, 413, 503 (measured
with Segment's and RudderStack's; some take any other 2xx for a failure). Knows nothing of what a call says.
"""

import asyncio
import importlib
import importlib.util
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from aiohttp import web
from loguru import logger
from multidict import CIMultiDict

from npsbridge.core.envelope import CallSource, Envelope
from npsbridge.errors import BadRecord, StoreError
from npsbridge.metrics import Metrics
from npsbridge.web.limits import Carried, Load, TimeLimit
from npsbridge.web.refusals import Refused, refusal

BODY_SECONDS: Final = 15.0
"""How long a body may take to arrive."""
COMMIT_SECONDS: Final = 20.0
"""How long a caller waits for the disk; what is written after that comes again, and its messageIds are recognised."""
_GZIP_MAGIC: Final = b"\x1f\x8b"
"""Counts instead of `Content-Encoding`, which proxies drop, or leave standing after they have unpacked."""
_GZIP_FORMAT: Final = 16 + zlib.MAX_WBITS
_unpacker: Any = importlib.import_module("isal.isal_zlib") if importlib.util.find_spec("isal") else zlib
"""ISA-L where it is installed (extra `npsbridge[fast]`), which has an error of its own."""

_THANKS: Final = b'{"success": true}'
_JSON: Final = CIMultiDict({"Content-Type": "application/json; charset=utf-8"})

_COUNTED_AS: Final = {"invalid_signature": "forged"}

Keep = Callable[[bytes, int, CallSource], Awaitable[None]]
"""Journals one encoded Envelope and its number of calls; they are on disk when it returns. Raises StoreUnavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest:
    """What the doors for calls need of the rest."""

    write_keys: tuple[str, ...]
    """INGEST__WRITE_KEYS; without any the tracking API answers 404."""
    webhook_secrets: tuple[str, ...]
    """INGEST__WEBHOOK_SECRET, two during a rotation; without any `/hooks/segment` answers 404."""
    keep: Keep
    metrics: Metrics
    load: Load = field(default_factory=Load)
    patience: TimeLimit = field(default_factory=partial(TimeLimit, COMMIT_SECONDS))


async def answered(ingest: Ingest, source: CallSource, answer: Awaitable[web.Response]) -> web.Response:
    """The answer, or what went wrong in words and statuses that are safe for every SDK; counts what is turned away."""
    try:
        return await answer
    except ConnectionError:
        raise  # the caller has gone: there is nobody to tell
    except Exception as error:  # noqa: BLE001 - a mistake of ours as well must be answered, and so that SDKs repeat
        refused = _in_words(error)
    ingest.metrics.ingest_events.labels(source.value, _COUNTED_AS.get(refused.code, refused.code)).inc()
    logger.bind(source=source.value, status=refused.status, code=refused.code).debug("A request with calls was refused")
    return refusal(refused.status, refused.code, str(refused))


def _in_words(error: Exception) -> Refused:
    match error:
        case Refused():
            return error
        case BadRecord():
            return Refused(400, "invalid_request", str(error))
        case web.RequestPayloadError():
            return Refused(400, "invalid_request", "the body cannot be read")
        case StoreError() | TimeoutError():
            return Refused(503, "cannot_store", "the calls did not arrive or could not be stored in time; try again")
        case _:
            logger.opt(exception=error).error("A request with calls failed unexpectedly")
            return Refused(503, "internal_error", "npsbridge failed; try again")


def _too_large(limit: int) -> Refused:
    return Refused(413, "request_too_large", f"the body has more than {limit} bytes")


def nothing_here() -> web.Response:
    """As if there were no such door; a door without keys is none."""
    return refusal(404, "not_found", "there is nothing here")


async def body_of(request: web.Request, limit: int, carried: Carried, *, unpacks: bool = False) -> bytes:
    """The bytes of a request as they were sent, or without their gzip wrapping.

    Raises:
        Refused: there are more than `limit`, or too many of all requests together.
        TimeoutError: they did not arrive in time.
        BadRecord: the gzip is broken or cut off.
    """
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    if request.content.is_eof():  # it came along with the head, as nearly every single call does
        raw = request.content.read_nowait()
        carried.take(len(raw))
    else:
        async with asyncio.timeout(BODY_SECONDS):
            raw = await _read(request, limit, carried)
    if unpacks and raw.startswith(_GZIP_MAGIC):
        raw = unpacked(raw, limit)
        carried.take(len(raw))
    return raw


async def _read(request: web.Request, limit: int, carried: Carried) -> bytes:
    body = bytearray()
    while chunk := await request.content.readany():
        carried.take(len(chunk))
        body += chunk
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def unpacked(packed: bytes, limit: int) -> bytes:
    """What was packed with gzip, one member or several.

    Raises:
        Refused: it is more than `limit` bytes.
        BadRecord: the gzip is broken or cut off.
    """
    plain = bytearray()
    while packed.startswith(_GZIP_MAGIC):
        member = _unpacker.decompressobj(_GZIP_FORMAT)
        try:
            plain += member.decompress(packed, limit + 1 - len(plain))
        except _unpacker.error as error:
            raise BadRecord("", "is broken gzip") from error
        if len(plain) > limit:
            raise _too_large(limit)
        if not member.eof:
            raise BadRecord("", "is gzip that was cut off")
        packed = member.unused_data
    return bytes(plain)


async def kept(ingest: Ingest, envelope: Envelope) -> web.Response:
    """Put the calls of a request on disk, and only then thank for them.

    Raises:
        StoreUnavailable: nothing was kept.
        TimeoutError: the store does not answer.
    """
    if envelope.batch:
        await ingest.patience.wait(ingest.keep(envelope.encode(), len(envelope.batch), envelope.source))
    else:
        ingest.metrics.ingest_events.labels(envelope.source.value, "ignored").inc()
    return thanks()


def thanks() -> web.Response:
    """The only 200 there is: Python and RudderStack's SDKs take 202 and 204 for failures, Ruby's an empty body."""
    return web.Response(body=_THANKS, headers=_JSON.copy())

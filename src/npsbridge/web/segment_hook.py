"""`/hooks/segment`: Segment's Webhooks destinations, classic and actions, one call or a list of them.

Facts: Segment's pages "Webhooks (Classic)" and "Webhooks (Actions)", and segmentio/action-destinations, which signs
`JSON.stringify` of the data: the whole of a single call, of a list only the first element.
"""

import hmac
import json
import re
from typing import Final

from aiohttp import web

from npsbridge.core.envelope import CallSource, unwrap_webhook
from npsbridge.web.ingest import Ingest, answered, body_of, kept, nothing_here
from npsbridge.web.refusals import Refused

BODY_LIMIT: Final = 8 * 1024 * 1024
"""Bytes; a destination set to 200 calls a batch stays below at Segment's 32 KB a call."""

LARGEST_SIGNED: Final = 256 * 1024
"""Bytes within which the element that is signed has to end; nobody is known yet, so little is read."""

_SIGNATURE: Final = "X-Signature"
_LIST_START: Final = re.compile(r"\s*\[\s*")
_WRAP_START: Final = re.compile(r'\s*\{\s*"json"\s*:\s*')
_WRAP_END: Final = re.compile(r"\s*\}\s*")


def segment_hook_routes(ingest: Ingest) -> list[web.RouteDef]:
    """The route of the webhook; it answers 404 while no secret is configured."""

    async def hook(request: web.Request) -> web.StreamResponse:
        return await answered(ingest, CallSource.WEBHOOK, _take(ingest, request))

    return [web.post("/hooks/segment", hook)]


async def _take(ingest: Ingest, request: web.Request) -> web.Response:
    """One webhook: 401 unless it is signed with a secret of ours, 200 once its calls are journaled."""
    if not ingest.webhook_secrets:
        return nothing_here()
    signatures = request.headers.getall(_SIGNATURE, [])
    if len(signatures) != 1:
        raise _forged()
    with ingest.load.carried() as carried:
        raw = await body_of(request, BODY_LIMIT, carried)
        if not is_signed(raw, signatures[0], ingest.webhook_secrets):
            raise _forged()
        return await kept(ingest, unwrap_webhook(raw))


def _forged() -> Refused:
    return Refused(401, "invalid_signature", "the signature is missing or wrong")


# --- signature --------------------------------------------------------------------------------------------------


def is_signed(raw: bytes, signature: str, secrets: tuple[str, ...]) -> bool:
    """Whether the signature is one of ours: HMAC-SHA1, in hexadecimal, over the bytes as they stand.

    Takes as long for a wrong one as for a right one. Says nothing of a list's elements after the first.
    """
    claimed = signature.strip().lower().encode("utf-8", "surrogateescape")
    texts = signed_texts(raw)
    found = [hmac.compare_digest(_hexadecimal(secret, text), claimed) for secret in secrets for text in texts]
    return any(found)


def signed_texts(raw: bytes) -> list[bytes]:
    """What Segment may have signed of a body: all of it, or of a list the first element, without any wrapping.

    The "Extensible Webhook" wraps each element into `{"json": ...}` and signs what is inside.
    """
    try:
        text = raw.decode()
        start = _LIST_START.match(text)
        first = _value_at(text, start.end()) if start else text
    except (ValueError, RecursionError):
        return []
    inner = _inside_wrapping(first)
    return [candidate.encode() for candidate in (first, inner) if candidate is not None]


def _value_at(text: str, position: int) -> str:
    """The JSON value that begins here, as it stands; the standard library's decoder also takes lone surrogates."""
    beginning = text[position : position + LARGEST_SIGNED]
    _, end = json.JSONDecoder().raw_decode(beginning)
    return beginning[:end]


def _inside_wrapping(text: str) -> str | None:
    start = _WRAP_START.match(text)
    if start is None:
        return None
    try:
        inner = _value_at(text, start.end())
    except (ValueError, RecursionError):
        return None
    return inner if _WRAP_END.fullmatch(text, start.end() + len(inner)) else None


def _hexadecimal(secret: str, text: bytes) -> bytes:
    return hmac.new(secret.encode(), text, "sha1").hexdigest().encode()

"""The two ways in which calls reach the daemon of the demo: as an SDK sends them, and as Segment's webhook does.

Facts: segmentio/analytics-python, `request.py`; Segment's page "Webhooks (Actions)". Must not know what calls mean.
"""

import gzip
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

import aiohttp
import orjson

from npsbridge.cli.demo.shop import Message
from npsbridge.core.times import iso_utc
from npsbridge.errors import NpsbridgeError

WRITE_KEY: Final = "the-write-key-of-the-demo-s-shop"
SECRET: Final = "the-secret-of-the-demo-s-webhook"  # noqa: S105 - made up, and known to nobody but the demo's own daemon
_AGENT: Final = {"Content-Type": "application/json", "User-Agent": "analytics-python/2.3.4"}
_BASIC: Final = {"Authorization": aiohttp.encode_basic_auth(WRITE_KEY, "")}


class Refused(NpsbridgeError):
    """The daemon did not take calls."""


class Sdk:
    """Sends calls to a public listener.

    Args:
        session: what it sends with.
        origin: scheme, host and port of the listener.
    """

    def __init__(self, session: aiohttp.ClientSession, origin: str) -> None:
        self._session = session
        self._origin = origin

    async def batch(self, calls: Sequence[Message], *, is_packed: bool = False) -> None:
        """Send calls in one request, its key in a header; packed with gzip its key is in the body.

        Raises:
            Refused: they were not taken.
        """
        said = {"batch": calls, "sentAt": iso_utc(datetime.fromisoformat(calls[-1]["timestamp"]).astimezone(UTC))}
        if is_packed:
            packed = gzip.compress(orjson.dumps({**said, "writeKey": WRITE_KEY}))
            await self._post("/v1/batch", packed, {**_AGENT, "Content-Encoding": "gzip"})
        else:
            await self._post("/v1/batch", orjson.dumps(said), {**_AGENT, **_BASIC})

    async def webhook(self, calls: Sequence[Message]) -> None:
        """Send calls as a list, of which Segment signs the first element.

        Raises:
            Refused: they were not taken.
        """
        signature = hmac.new(SECRET.encode(), orjson.dumps(calls[0]), hashlib.sha1).hexdigest()
        headers = {"Content-Type": "application/json", "X-Signature": signature}
        await self._post("/hooks/segment", orjson.dumps(calls), headers)

    async def _post(self, path: str, body: bytes, headers: Mapping[str, str]) -> None:
        async with self._session.post(self._origin + path, data=body, headers=headers) as answer:
            if answer.status != HTTPStatus.OK:
                raise Refused(f"calls to {path} were answered {answer.status}")

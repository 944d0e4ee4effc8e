"""Requests as the SDKs of Segment, RudderStack and Jitsu compose them, byte for byte in what matters."""

import gzip
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from npsbridge.core.callreading import read_calls
from npsbridge.core.calls import Call, CallType
from unit.web.calling import KEY, Doors, basic, send

RECEIVED_AT = 1795347000000
"""2026-11-22T11:30:00Z"""
SENT_AT = "2026-11-22T11:30:00.000Z"
JITSU_KEY = "id7:secret8"


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One request of an SDK, with one identify of u1 in it."""

    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any]
    is_packed: bool = False

    @property
    def bytes(self) -> bytes:
        text = json.dumps(self.body).encode()
        return gzip.compress(text) if self.is_packed else text


TRAITS = {"email": "a@example.test", "plan": None, "when": "2026-01-02T03:04:05", "tags": ["x", "y"]}
PYTHON_ITEM = {
    "integrations": {},
    "anonymousId": None,
    "timestamp": "2026-11-22T11:26:33.636+00:00",
    "context": {"library": {"name": "analytics-python", "version": "2.4.0"}},
    "type": "identify",
    "userId": "u1",
    "traits": TRAITS,
    "messageId": "m-1",
}
ITEM = {
    "type": "identify",
    "userId": "u1",
    "traits": TRAITS,
    "messageId": "m-1",
    "timestamp": "2026-11-22T11:26:33.636Z",
}
BROWSER = {"Content-Type": "text/plain", "Origin": "https://shop.example"}
JSON = {"Content-Type": "application/json"}

REQUESTS = {
    "segment-analytics-python 2.4.0": Sent(
        path="/v1/batch",
        headers={**JSON, "Authorization": basic(), "User-Agent": "analytics-python/2.4.0"},
        body={"batch": [PYTHON_ITEM], "sentAt": "2026-11-22T11:30:00.000000+00:00", "writeKey": KEY},
    ),
    "segment-analytics-python 2.3.4": Sent(
        path="/v1/batch", headers=JSON, body={"batch": [PYTHON_ITEM], "sentAt": SENT_AT, "writeKey": KEY}
    ),
    "segment-analytics-python gzip": Sent(
        path="/v1/batch",
        headers={**JSON, "Content-Encoding": "gzip"},
        body={"batch": [PYTHON_ITEM], "sentAt": SENT_AT, "writeKey": KEY},
        is_packed=True,
    ),
    "analytics-node 3.1.0": Sent(
        path="/v1/batch",
        headers={**JSON, "Authorization": basic(), "sec-fetch-mode": "cors"},
        body={
            "batch": [{**ITEM, "_metadata": {"nodeVersion": "22.0.0", "jsRuntime": "node"}}],
            "writeKey": KEY,
            "sentAt": SENT_AT,
        },
    ),
    "analytics-node 3.0.0": Sent(
        path="/v1/batch", headers=JSON, body={"batch": [ITEM], "writeKey": KEY, "sentAt": SENT_AT}
    ),
    "analytics-next 1.84.1": Sent(
        path="/v1/i",
        headers={**BROWSER, "Authorization": basic()},
        body={
            "timestamp": "2026-11-22T11:26:33.636Z",
            "integrations": {"Segment.io": True},
            "userId": "u1",
            "anonymousId": "an-1",
            "traits": TRAITS,
            "context": {"library": {"name": "analytics.js", "version": "npm:next-1.84.1"}, "page": {"path": "/"}},
            "messageId": "m-1",
            "writeKey": KEY,
            "sentAt": SENT_AT,
            "_metadata": {"bundled": ["Segment.io"], "unbundled": [], "bundledIds": []},
            "type": "identify",
        },
    ),
    "analytics-next 1.84.1 batching": Sent(
        path="/v1/b",
        headers={**BROWSER, "Authorization": basic()},
        body={"writeKey": KEY, "batch": [{**ITEM, "writeKey": KEY}], "sentAt": SENT_AT},
    ),
    "analytics-go 3.0.0": Sent(
        path="/v1/batch",
        headers={**JSON, "Authorization": basic()},
        body={
            "messageId": "of-the-batch",
            "sentAt": SENT_AT,
            "batch": [ITEM],
            "context": {"library": {"name": "analytics-go", "version": "3.0.0"}},
        },
    ),
    "analytics-ruby 2.5.0": Sent(
        path="/v1/import", headers={**JSON, "Authorization": basic()}, body={"sentAt": SENT_AT, "batch": [ITEM]}
    ),
    "analytics-java": Sent(
        path="/v1/import/",
        headers={"Content-Type": "application/json; charset=UTF-8", "Authorization": basic()},
        body={"batch": [ITEM], "sentAt": SENT_AT, "context": {}, "sequence": 4, "writeKey": KEY},
    ),
    "analytics-kotlin": Sent(
        path="/v1/b",
        headers={"Content-Type": "text/plain", "Content-Encoding": "gzip"},
        body={"batch": [ITEM], "sentAt": SENT_AT, "writeKey": KEY},
        is_packed=True,
    ),
    "analytics-swift": Sent(
        path="/v1/b",
        headers={"Content-Type": "application/json; charset=utf-8"},
        body={"batch": [ITEM], "sentAt": SENT_AT, "writeKey": KEY},
    ),
    "rudder-sdk-python 2.1.9": Sent(
        path="/v1/batch",
        headers={**JSON, "Authorization": basic(), "Content-Encoding": "gzip"},
        body={
            "batch": [
                {
                    "integrations": {"All": True},
                    "anonymousId": None,
                    "originalTimestamp": "2026-11-22T11:26:33.636+00:00",
                    "context": {"library": {"name": "rudder-analytics-python"}, "traits": TRAITS},
                    "type": "identify",
                    "userId": "u1",
                    "channel": "server",
                    "messageId": "m-1",
                }
            ],
            "sentAt": SENT_AT,
        },
        is_packed=True,
    ),
    "rudder-sdk-node 3.0.13": Sent(
        path="/v1/batch",
        headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "Content-Encoding": "gzip",
            "Authorization": basic(),
        },
        body={
            "batch": [
                {
                    "type": "identify",
                    "userId": "u1",
                    "traits": TRAITS,
                    "context": {"traits": TRAITS},
                    "originalTimestamp": "2026-11-22T11:26:33.636Z",
                    "messageId": "m-1",
                }
            ],
            "timestamp": "2026-11-22T11:29:00Z",
            "sentAt": SENT_AT,
        },
        is_packed=True,
    ),
    "rudder-sdk-js v3": Sent(
        path="/v1/identify",
        headers={**JSON, "Authorization": basic(), "AnonymousId": "YW4tMQ==", "SentAt": SENT_AT},
        body={
            "type": "identify",
            "userId": "u1",
            "anonymousId": "an-1",
            "context": {"traits": TRAITS},
            "originalTimestamp": "2026-11-22T11:26:33.636Z",
            "sentAt": SENT_AT,
            "messageId": "m-1",
        },
    ),
    "rudder-sdk-js v3 beacon": Sent(
        path=f"/beacon/v1/batch?writeKey={KEY}",
        headers={"Content-Type": "text/plain"},
        body={"batch": [ITEM], "sentAt": SENT_AT},
    ),
    "@jitsu/js 1.11.0": Sent(
        path="/api/s/s2s/identify",
        headers={**JSON, "X-Write-Key": JITSU_KEY},
        body={**ITEM, "writeKey": "id7:***", "sentAt": SENT_AT},
    ),
}


@pytest.mark.parametrize("sdk", REQUESTS)
async def test_what_an_sdk_sends_is_kept_and_read_as_the_same_call(sdk: str) -> None:
    sent, doors = REQUESTS[sdk], Doors(keys=(KEY, JITSU_KEY))
    answer = await send(doors, sent.path, sent.bytes, sent.headers)
    assert (answer.status, answer.told) == (200, {"success": True})
    ((body, count, _),) = doors.kept
    (call,) = read_calls(body, received_at=RECEIVED_AT)
    assert isinstance(call, Call)
    assert (count, call.type, call.user_id, call.message_id) == (1, CallType.IDENTIFY, "u1", "m-1")
    assert (call.email, call.traits) == ("a@example.test", TRAITS)
    assert call.timestamp.isoformat(timespec="milliseconds") == "2026-11-22T11:26:33.636+00:00"


@pytest.mark.parametrize("sdk", REQUESTS)
async def test_i19_no_sdks_write_key_is_kept(sdk: str) -> None:
    sent, doors = REQUESTS[sdk], Doors(keys=(KEY, JITSU_KEY))
    await send(doors, sent.path, sent.bytes, sent.headers)
    assert not any(secret.encode() in body for body, _, _ in doors.kept for secret in (KEY, "id7", "writeKey"))

"""Segment's webhook: what is signed, what is kept, what is answered."""

import hashlib
import hmac
import json
from typing import Any

import pytest

from npsbridge.core.callreading import read_calls
from npsbridge.core.calls import Call, CallType
from npsbridge.core.envelope import CallSource
from npsbridge.web.segment_hook import BODY_LIMIT, LARGEST_SIGNED, is_signed
from unit.web.calling import FULL, SECRET, Answer, Doors, send
from unit.web.serving import served, spoken

EVENT: dict[str, Any] = {
    "anonymousId": "an-1",
    "channel": "server",
    "context": {"ip": "203.0.113.9", "traits": {"email": "ann@example.test"}},
    "event": "Order Completed",
    "messageId": "16708f84-693c-426d-a300-d934843840d5",
    "originalTimestamp": "2026-11-22T11:26:33.636Z",
    "properties": {"order_id": "o-7", "revenue": 39.95},
    "receivedAt": "2026-11-22T11:26:34.300Z",
    "sentAt": "2026-11-22T11:26:34.136Z",
    "timestamp": "2026-11-22T11:26:33.800Z",
    "type": "track",
    "userId": "usr_8841",
    "version": 2,
}
"""As Segment's Webhooks (Actions) deliver it."""


def compact(value: object) -> bytes:
    """As JavaScript's JSON.stringify writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def signature(text: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), text, hashlib.sha1).hexdigest()


async def deliver(doors: Doors, body: bytes, signed: bytes | None = None, secret: str = SECRET) -> Answer:
    return await send(
        doors, "/hooks/segment", body, {"X-Signature": signature(body if signed is None else signed, secret)}
    )


# --- what is kept -----------------------------------------------------------------------------------------------


async def test_a_single_call_is_kept_and_read_with_its_time_as_it_is() -> None:
    doors = Doors()
    answer = await deliver(doors, compact(EVENT))
    assert (answer.status, answer.told) == (200, {"success": True})
    ((body, count, source),) = doors.kept
    (call,) = read_calls(body, received_at=1795390000000)
    assert isinstance(call, Call)
    assert (count, source, call.email) == (1, CallSource.WEBHOOK, "ann@example.test")
    assert call.timestamp.isoformat() == "2026-11-22T11:26:33.800000+00:00"


async def test_the_classic_webhooks_event_and_its_deletion_are_kept() -> None:
    doors = Doors()
    for event in ({**EVENT, "version": 1}, {"type": "delete", "userId": "usr_8841", "messageId": "d1"}):
        assert (await deliver(doors, compact(event))).status == 200
    read = [call for body, _, _ in doors.kept for call in read_calls(body, received_at=0)]
    assert [call.type for call in read if isinstance(call, Call)] == [CallType.TRACK, CallType.DELETE]


async def test_a_list_is_signed_by_its_first_element_and_kept_as_one_entry() -> None:
    doors = Doors()
    second = {**EVENT, "messageId": "m2"}
    assert (await deliver(doors, compact([EVENT, second]), compact(EVENT))).status == 200
    assert [count for _, count, _ in doors.kept] == [2]
    assert doors.calls == [EVENT, second]


@pytest.mark.parametrize("body", [[{"json": EVENT}, {"json": EVENT}], {"json": EVENT}])
async def test_the_extensible_webhook_signs_what_is_inside_its_wrapping(body: Any) -> None:
    doors = Doors()
    assert (await deliver(doors, compact(body), compact(EVENT))).status == 200
    assert doors.calls == [EVENT] * (len(body) if isinstance(body, list) else 1)


async def test_what_a_mapping_left_of_an_event_is_kept_for_the_shelf() -> None:
    doors = Doors()
    assert (await deliver(doors, compact({"order_id": "o-7"}))).status == 200
    assert doors.calls == [{"order_id": "o-7"}]


# --- signatures -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '{"note":"line\u2028separator","emoji":"\U0001f600","lone":"\\ud83d","large":1e21}',
        '{"a":0.1,"b":1.0,"c":-0,"nested":{"d":[1,{"e":"]}"}]}}',
        '{"unicode":"\u00e9","escaped":"\\u00e9\\"\\\\"}',
    ],
)
def test_f38_a_signature_is_over_the_bytes_as_they_stand(text: str) -> None:
    first = text.encode()
    for body in (first, b"[" + first + b"]", b"[" + first + b',{"other":1}]', b'[{"json":' + first + b"}]"):
        assert is_signed(body, signature(first), (SECRET,))


@pytest.mark.parametrize(
    "claimed",
    [
        "",
        " ",
        "0" * 40,
        signature(compact(EVENT))[:-1],
        signature(compact(EVENT)) + "0",
        signature(compact(EVENT) + b" "),
        signature(compact(EVENT), "another secret"),
        "sha1=" + signature(compact(EVENT)),
        "\u00e9" * 40,
        "\udcff" * 40,
    ],
)
def test_f38_a_wrong_signature_is_wrong_whatever_it_looks_like(claimed: str) -> None:
    assert not is_signed(compact(EVENT), claimed, (SECRET,))


@pytest.mark.parametrize("body", [b'{"json":{},"type":"delete"}', b'[{"json":{},"type":"delete"}]', b'{"json":{}}{}'])
def test_f38_only_the_whole_of_a_wrapping_is_one(body: bytes) -> None:
    assert not is_signed(body, signature(b"{}"), (SECRET,))


def test_f38_hexadecimal_may_be_in_capitals() -> None:
    assert is_signed(compact(EVENT), signature(compact(EVENT)).upper(), (SECRET,))


@pytest.mark.parametrize("secret", ["old", "new"])
def test_f38_during_a_rotation_both_secrets_are_right(secret: str) -> None:
    assert is_signed(b"{}", signature(b"{}", secret), ("old", "new"))


@pytest.mark.parametrize("body", [b"[]", b"[", b'[{"a":', b"\xff", b"[" * 100_000, b'[{"json":{}'])
def test_f38_a_body_of_which_nothing_can_be_signed_is_not_signed(body: bytes) -> None:
    assert not is_signed(body, signature(b""), (SECRET,))


def test_f35_what_is_signed_has_to_end_soon_because_nobody_is_known_before() -> None:
    large = compact("x" * LARGEST_SIGNED)
    assert not is_signed(b"[" + large + b"]", signature(large), (SECRET,))


async def test_f32_an_unsigned_or_forged_webhook_is_401_and_leaves_nothing() -> None:
    doors = Doors()
    answers = [
        await send(doors, "/hooks/segment", compact(EVENT)),
        await deliver(doors, compact(EVENT), b"something else"),
        await deliver(doors, compact([{"forged": True}, EVENT]), compact(EVENT)),
    ]
    assert [(answer.status, answer.told["code"]) for answer in answers] == [(401, "invalid_signature")] * 3
    assert (doors.kept, doors.counted(CallSource.WEBHOOK, "forged")) == ([], 3)


async def test_f38_a_signature_that_comes_twice_is_wrong() -> None:
    doors = Doors()
    head = "POST /hooks/segment HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n"
    line = f"X-Signature: {signature(b'{}')}\r\n"
    async with served(doors.app) as listener:
        once = await spoken(listener, (head + line + "\r\n{}").encode())
        twice = await spoken(listener, (head + line + line + "\r\n{}").encode())
    assert (once[:12], twice[:12]) == (b"HTTP/1.1 200", b"HTTP/1.1 401")


async def test_without_a_secret_configured_there_is_no_hook() -> None:
    answer = await deliver(Doors(secrets=()), compact(EVENT))
    assert (answer.status, answer.told["code"]) == (404, "not_found")


# --- trouble ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"nonsense", b"5", b"", b'{"a":}'])
async def test_f37_a_signed_body_that_is_no_call_is_400(body: bytes) -> None:
    answer = await deliver(Doors(), body)
    assert (answer.status, answer.told["code"]) == (400, "invalid_request")


async def test_f6_a_full_store_asks_segment_to_come_again_by_503_never_429() -> None:
    doors = Doors()
    doors.trouble = FULL
    answer = await deliver(doors, compact(EVENT))
    assert (answer.status, answer.headers["Retry-After"]) == (503, "10")


@pytest.mark.parametrize(("size", "status"), [(BODY_LIMIT, 200), (BODY_LIMIT + 1, 413)])
async def test_f35_a_list_of_eight_megabytes_is_taken_and_one_byte_more_is_not(size: int, status: int) -> None:
    doors = Doors()
    body = compact([EVENT])
    body = body[:-1] + b" " * (size - len(body)) + b"]"
    assert (await deliver(doors, body, compact(EVENT))).status == status


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
async def test_a_webhook_comes_by_post_alone(method: str) -> None:
    assert (await send(Doors(), "/hooks/segment", method=method)).status == 405

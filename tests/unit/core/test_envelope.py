"""How a request becomes a journal entry: what is kept of it, and what is not."""

import json
from typing import Any

import pytest

from npsbridge.core.envelope import (
    EVENT_LIMIT,
    MOST_CALLS,
    CallSource,
    Envelope,
    Unwrapped,
    check_size,
    decode_envelope,
    unwrap,
    unwrap_webhook,
)
from npsbridge.errors import BadRecord

CANARY = "canary-write-key"


def calls(unwrapped: Unwrapped | Envelope) -> list[Any]:
    envelope = unwrapped.envelope if isinstance(unwrapped, Unwrapped) else unwrapped
    return [json.loads(bytes(call)) for call in decode_envelope(envelope.encode()).batch]


def test_a_batch_gives_its_calls_as_they_were_written() -> None:
    envelope = unwrap(b'{"batch":[{"a": 1.0},  {"b":"\xc3\xa9\\u00e9"}]}').envelope
    assert [bytes(call) for call in envelope.batch] == [b'{"a": 1.0}', b'{"b":"\xc3\xa9\\u00e9"}']


def test_what_a_batch_says_of_all_its_calls_is_kept() -> None:
    body = b'{"batch":[{}],"sentAt":"now","context":{"app":1},"integrations":{"All":true},"sequence":3,"messageId":"m"}'
    kept = json.loads(unwrap(body).envelope.encode())
    assert kept == {"batch": [{}], "sentAt": "now", "context": {"app": 1}, "integrations": {"All": True}}


def test_a_single_call_is_a_batch_of_one_with_the_type_of_its_path() -> None:
    unwrapped = unwrap(b'{"userId":"u","context":{}}', type_in_path="track")
    assert (unwrapped.is_single, unwrapped.envelope.type) == (True, "track")
    assert calls(unwrapped) == [{"userId": "u", "context": {}}]


def test_a_bare_list_is_a_batch() -> None:
    unwrapped = unwrap(b' [{"a":1},{"b":2}]\n')
    assert (calls(unwrapped), unwrapped.is_single) == ([{"a": 1}, {"b": 2}], False)


def test_a_byte_order_mark_is_no_part_of_the_json() -> None:
    assert calls(unwrap(b'\xef\xbb\xbf{"batch":[{"a":1}]}')) == [{"a": 1}]


@pytest.mark.parametrize(
    "body",
    [
        {"writeKey": CANARY, "batch": [{"a": 1}]},
        {"writeKey": CANARY, "a": 1},
        {"batch": [{"a": 1, "writeKey": CANARY}], "writeKey": CANARY},
        {"batch": [{"a": 1, "write_key": CANARY}], "writeKey": CANARY},
    ],
)
def test_i19_the_write_key_is_told_but_not_kept(body: dict[str, Any]) -> None:
    unwrapped = unwrap(json.dumps(body).encode())
    assert unwrapped.write_key == CANARY
    assert calls(unwrapped) == [{"a": 1}]
    assert CANARY.encode() not in unwrapped.envelope.encode()


def test_a_text_that_speaks_of_a_write_key_stays_as_it_is() -> None:
    assert calls(unwrap(b'{"batch":[{"event":"writeKey lost"}]}')) == [{"event": "writeKey lost"}]


@pytest.mark.parametrize(("key", "told"), [("null", None), ("5", None), ('"k"', "k"), ('""', "")])
def test_a_write_key_that_is_no_text_is_none(key: str, told: str | None) -> None:
    assert unwrap(b'{"batch":[],"writeKey":%s}' % key.encode()).write_key == told


def test_i3_what_is_wrong_inside_a_call_does_not_stop_its_neighbours() -> None:
    unwrapped = unwrap(b'{"batch":[{"userId":"a"},5,null,[],{"type":[]},"x"]}')
    assert calls(unwrapped) == [{"userId": "a"}, 5, None, [], {"type": []}, "x"]


def test_f37_lone_surrogates_become_replacement_characters() -> None:
    assert calls(unwrap(b'{"batch":[{"a":"\\ud83d"},{"b":"\\ud83d\\ude00"}]}')) == [
        {"a": "\ufffd"},
        {"b": "\U0001f600"},
    ]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"", ""),
        (b"{", ""),
        (b"nonsense", ""),
        (b"5", ""),
        (b'"text"', ""),
        (b"null", ""),
        (b'{"batch":[{},]}', ""),
        (b'{"a":NaN}', ""),
        (b'{"batch":{}}', "/batch"),
        (b'{"batch":null}', "/batch"),
        ('{"batch":[]}'.encode("utf-16"), ""),
        (b'{"batch":[{"userId":"\xff"}]}', ""),
        (b'{"userId":"\xc3"}', ""),
        (b'{"batch":' + b"[" * 5000 + b"]" * 5000 + b"}", ""),
    ],
)
def test_f37_a_body_that_is_no_request_is_refused_with_the_place(body: bytes, pointer: str) -> None:
    with pytest.raises(BadRecord) as raised:
        unwrap(body)
    assert raised.value.pointer == pointer
    assert raised.value.reason


@pytest.mark.parametrize(("count", "is_taken"), [(MOST_CALLS, True), (MOST_CALLS + 1, False)])
def test_i17_a_batch_has_a_largest_number_of_calls(count: int, *, is_taken: bool) -> None:
    body = b'{"batch":[' + b",".join([b"{}"] * count) + b"]}"
    if is_taken:
        assert len(unwrap(body).envelope.batch) == count
    else:
        with pytest.raises(BadRecord, match="10001 calls; 10000 are the most"):
            unwrap(body)


@pytest.mark.parametrize("name", ["context", "integrations"])
def test_i17_what_stands_for_every_call_of_a_batch_must_not_make_it_huge(name: str) -> None:
    rest = b'],"%b":{"a":"%b"}}' % (name.encode(), b"x" * 20_000)
    assert unwrap(b'{"batch":[' + b",".join([b"{}"] * 800) + rest).envelope.batch
    with pytest.raises(BadRecord, match=f"/{name}: is too large to stand for 1000 calls"):
        unwrap(b'{"batch":[' + b",".join([b"{}"] * 1000) + rest)


def test_i17_a_body_of_millions_of_crumbs_is_refused_before_it_is_read() -> None:
    with pytest.raises(BadRecord, match="too finely"):
        unwrap(b'{"batch":[' + b"1," * 1_000_000 + b"1]}")


@pytest.mark.parametrize(("size", "is_taken"), [(EVENT_LIMIT, True), (EVENT_LIMIT + 1, False)])
def test_i15_a_call_of_32_kilobytes_is_taken_and_one_byte_more_is_not(size: int, *, is_taken: bool) -> None:
    if is_taken:
        check_size(b"x" * size)
    else:
        with pytest.raises(BadRecord, match="has 32769 bytes; 32768 are the most"):
            check_size(b"x" * size)


# --- webhooks ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b'{"type":"track"}', [{"type": "track"}]),
        (b'[{"a":1},{"b":2}]', [{"a": 1}, {"b": 2}]),
        (b'[{"json":{"a":1}},{"json":{"b":2}}]', [{"a": 1}, {"b": 2}]),
        (b'{"json":{"a":1}}', [{"a": 1}]),
        (b'{"json":{"a":1},"type":"track"}', [{"json": {"a": 1}, "type": "track"}]),
        (b'{"batch":"of socks"}', [{"batch": "of socks"}]),
        (b"[]", []),
    ],
)
def test_a_webhook_is_one_call_or_a_list_perhaps_wrapped(body: bytes, kept: list[Any]) -> None:
    envelope = unwrap_webhook(body)
    assert calls(envelope) == kept
    assert envelope.source is CallSource.WEBHOOK


def test_i19_a_webhook_keeps_no_write_key_even_inside_a_wrapping() -> None:
    assert calls(unwrap_webhook(b'[{"json":{"a":1,"writeKey":"k"}}]')) == [{"a": 1}]


@pytest.mark.parametrize("body", [b"", b"5", b"[", b'{"a":}', b"null"])
def test_f37_a_webhook_that_is_no_json_of_calls_is_refused(body: bytes) -> None:
    with pytest.raises(BadRecord):
        unwrap_webhook(body)

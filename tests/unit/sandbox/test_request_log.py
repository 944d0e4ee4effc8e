"""The log of requests keeps its bounds and reads bodies as they were meant."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.sandbox.request_log import RecordedRequest, RequestLog, unpacked


def recorded(raw: bytes = b"", target: str = "/v1/batch?x=1") -> RecordedRequest:
    return RecordedRequest(method="POST", target=target, headers={}, raw=raw, at=0.0)


def test_a_json_body_is_shown_parsed() -> None:
    assert recorded(b'{"a":1}').body == {"a": 1}


def test_a_packed_json_body_is_shown_parsed() -> None:
    assert recorded(gzip.compress(b'{"a":1}')).body == {"a": 1}


@pytest.mark.parametrize("raw", [b"not json", b"\x1f\x8bbroken", gzip.compress(b"[1]" * 99)[:-9], b""])
def test_any_other_body_is_shown_as_it_came(raw: bytes) -> None:
    assert recorded(raw).body == raw


def test_the_path_has_no_query() -> None:
    assert recorded().path == "/v1/batch"


def test_a_body_that_unpacks_to_too_much_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        unpacked(gzip.compress(b" " * 1001), limit=1000)


@given(sizes=st.lists(st.integers(0, 40), max_size=40))
def test_the_log_never_exceeds_its_limits_and_counts_what_it_forgets(sizes: list[int]) -> None:
    log = RequestLog(most_requests=10, most_bytes=100)
    for size in sizes:
        log.add(recorded(b"x" * size))
    assert len(log) <= 10
    assert sum(len(request.raw) for request in log) <= 100
    assert len(log) + log.forgotten == len(sizes)


def test_the_latest_requests_are_kept() -> None:
    log = RequestLog(most_requests=2)
    for number in range(5):
        log.add(recorded(target=f"/{number}"))
    assert [request.path for request in log[:]] == ["/3", "/4"]

"""What an answer means for the next step."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.errors import Gone, PersonMustAct, TryLater, UnreadablePage
from npsbridge.net.answers import LONGEST_WAIT, disbelief, expect_ok, passing, retry_after, said_at
from npsbridge.net.client import EXCERPT, Reply

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SETTING = "NPSBRIDGE_DELIGHTED__API_KEY"


def reply(status: int = 200, *, body: bytes = b"", **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=status, headers=named, body=body)


def judge(answer: Reply) -> None:
    expect_ok(answer, location="/list.json?page=2", setting=SETTING, now=lambda: NOW)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("0", 0),
        ("Thu, 01 Jan 2026 12:00:09 GMT", 9),
        ("Thu, 01 Jan 2026 13:00:09 +0100", 9),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0),
        ("Thu, 01 Jan 2027 12:00:00 GMT", LONGEST_WAIT),
        ("86400", LONGEST_WAIT),
        ("9" * 5000, LONGEST_WAIT),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("٣", None),
        ("Thu, 01 Jan 99999 12:00:00 GMT", None),
    ],
)
def test_f22_retry_after_is_honoured_within_reason(said: str, seconds: float | None) -> None:
    assert retry_after(reply(retry_after=said), now=NOW) == seconds


def test_f22_without_retry_after_there_is_no_wish() -> None:
    assert retry_after(reply(), now=NOW) is None


@given(said=st.text() | st.from_regex(r"\w{3}, \d+ \w{3} \d+ \d+:\d+:\d+ [+-]?\w+"))
def test_f22_nothing_in_retry_after_does_harm(said: str) -> None:
    seconds = retry_after(reply(retry_after=said), now=NOW)
    assert seconds is None or 0 <= seconds <= LONGEST_WAIT


def test_the_servers_time_is_read_from_its_answer() -> None:
    assert said_at(reply(date="Thu, 01 Jan 2026 12:00:05 GMT")) == NOW + timedelta(seconds=5)


@pytest.mark.parametrize("answer", [reply(), reply(date="yesterday")])
def test_without_a_good_date_the_servers_time_is_unknown(answer: Reply) -> None:
    assert said_at(answer) is None


@pytest.mark.parametrize("status", [200, 201, 204])
def test_a_good_status_passes(status: int) -> None:
    judge(reply(status))


@pytest.mark.parametrize("status", [408, 425, 429, 460, 500, 501, 502, 503, 504, 599])
def test_passing_trouble_is_tried_later(status: int) -> None:
    with pytest.raises(TryLater, match=f"HTTP {status}") as caught:
        judge(reply(status, retry_after="9"))
    assert (passing(status), caught.value.after, type(caught.value)) == (True, 9, TryLater)


@pytest.mark.parametrize("status", [401, 403])
def test_f23_a_refused_key_names_its_setting(status: int) -> None:
    with pytest.raises(PersonMustAct, match=f"HTTP {status}.*check {SETTING}"):
        judge(reply(status))


@pytest.mark.parametrize("status", [400, 404, 406, 414, 422])
def test_f24_any_other_refusal_names_the_path_and_the_base_url(status: int) -> None:
    with pytest.raises(PersonMustAct, match=f"HTTP {status} for /list.json; check NPSBRIDGE_DELIGHTED__BASE_URL"):
        judge(reply(status))


def test_f24_gone_is_for_good() -> None:
    with pytest.raises(Gone, match="410"):
        judge(reply(410))


@pytest.mark.parametrize("status", [301, 302, 307, 308, 304])
def test_f27_a_redirect_is_an_unreadable_page(status: int) -> None:
    with pytest.raises(UnreadablePage, match="redirects are not followed") as caught:
        judge(reply(status, body=b"x" * 5000))
    assert (caught.value.location, caught.value.body) == ("/list.json?page=2", b"x" * EXCERPT)


# --- good statuses ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [b'{"success":true}', b'{"ok":true,"okEvents":1}', b"ok", b"OK\n", b"", b"[]", b'{"id":"7","status":"on"}', b'{"s'],
)
def test_a_good_status_is_believed_whatever_the_api_says_with_it(body: bytes) -> None:
    assert disbelief(reply(body=body)) is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"success":false}',
        b'{"ok":false,"error":"no destination"}',
        b'{"status":500,"message":"Internal Server Error"}',
        b'{"error":{"code":"internal"}}',
        b" null\n",
        b"<html>",
        b"\n<!DOCTYPE html>",
    ],
)
def test_f26_a_good_status_is_not_believed_of_what_says_that_it_failed(body: bytes) -> None:
    assert disbelief(reply(body=body)) is not None


def test_f26_a_web_page_is_known_by_its_type_as_well() -> None:
    assert disbelief(reply(body=b"Please wait", content_type="text/html; charset=utf-8")) is not None

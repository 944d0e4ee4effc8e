"""How texts become durations, addresses, URLs, secrets and JSON."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from npsbridge.settings.values import (
    Address,
    Duration,
    Instant,
    Secrets,
    StoreUrl,
    WebUrl,
    decode_json,
    duration_text,
    parse_address,
)

DURATION = TypeAdapter[float](Duration)
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("90", 90), ("1.5", 1.5), ("90s", 90), ("15m", 900), ("6h", 21600), ("30d", 2592000), (" 5m ", 300)],
)
def test_a_duration_is_seconds_or_a_number_with_a_unit(text: str, seconds: float) -> None:
    assert DURATION.validate_python(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "-1", "5w", "5M", "1h30m", "h", "1e3", "inf", "nan", "٣", "1,5", "36501d", "9" * 400]
)
def test_nothing_else_is_a_duration(text: str) -> None:
    with pytest.raises(ValidationError):
        DURATION.validate_python(text)


@given(st.integers(0, 36500), st.sampled_from(sorted(UNITS)))
def test_every_whole_number_of_a_unit_is_that_many_seconds(count: int, unit: str) -> None:
    assert DURATION.validate_python(f"{count}{unit}") == count * UNITS[unit]


@given(st.integers(0, 36500 * 86400 * 1000))
def test_a_duration_written_down_reads_back_as_itself(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    assert DURATION.validate_python(duration_text(seconds)) == pytest.approx(seconds, abs=1e-9)


@given(st.text())
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    try:
        seconds = DURATION.validate_python(text)
    except ValidationError:
        return
    assert 0 <= seconds <= 36500 * 86400


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2024-01-31", datetime(2024, 1, 31, tzinfo=UTC)),
        ("2024-01-31T10:00", datetime(2024, 1, 31, 10, tzinfo=UTC)),
        ("2024-01-31T10:00:00+02:00", datetime(2024, 1, 31, 8, tzinfo=UTC)),
        ("2024-01-31T10:00:00Z", datetime(2024, 1, 31, 10, tzinfo=UTC)),
    ],
)
def test_an_instant_is_an_iso_date_or_time_in_utc_unless_it_says_otherwise(text: str, instant: datetime) -> None:
    assert TypeAdapter[datetime](Instant).validate_python(text) == instant


@pytest.mark.parametrize("text", ["1700000000", "yesterday", "31.01.2024", "0001-01-01T00:00+14:00"])
def test_nothing_else_is_an_instant(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter[datetime](Instant).validate_python(text)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        ("[::1]:8080", "::1", 8080),
        ("[::]:0", "::", 0),
        ("localhost:1", "localhost", 1),
        ("nps.example.com:65535", "nps.example.com", 65535),
    ],
)
def test_an_address_is_host_and_port(text: str, host: str, port: int) -> None:
    address = parse_address(text)
    assert address == Address(host, port)
    assert str(address) == text


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("8080", "must say host and port"),
        (":8080", "must say host and port"),
        ("localhost", "must say host and port"),
        ("::1:8080", "brackets"),
        ("[::g]:8080", "IPv6"),
        ("localhost:65536", "65535"),
        ("localhost:http", "65535"),
        ("*:8080", "host name"),
        ("http://localhost:8080", "brackets"),
        ("localhost:٣", "65535"),
    ],
)
def test_a_bad_address_is_refused_with_a_hint(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        parse_address(text)


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("LOCALHOST", True), ("0.0.0.0", False), ("::", False)],  # noqa: S104 - compared
)
def test_only_addresses_of_this_machine_are_loopback(host: str, *, is_loopback: bool) -> None:
    assert Address(host, 1).is_loopback is is_loopback


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ("127.0.0.1:80", "127.0.0.1:80", True),
        ("127.0.0.1:80", "127.0.0.1:81", False),
        ("127.0.0.1:80", "127.0.0.2:80", False),
        ("0.0.0.0:80", "127.0.0.1:80", True),
        ("localhost:0", "localhost:0", False),
    ],
)
def test_two_addresses_overlap_when_both_cannot_be_listened_on(one: str, other: str, *, overlap: bool) -> None:
    first, second = TypeAdapter(Address).validate_python(parse_address(one)), parse_address(other)
    assert isinstance(second, Address)
    assert first.overlaps(second) is overlap


def test_a_web_url_loses_the_slash_at_its_end() -> None:
    assert TypeAdapter[str](WebUrl).validate_python("https://nps.example.com/hooks/") == "https://nps.example.com/hooks"


@pytest.mark.parametrize(
    "text",
    [
        "nps.example.com",
        "ftp://nps.example.com",
        "https://",
        "https://user:password@nps.example.com",
        "https://nps.example.com/?key=1",
        "https://nps.example.com/#top",
        "https://nps.example.com:port",
        "https://[::1",
        "https://nps example.com",
        "https://nps.exämple.com",
    ],
)
def test_f43_nothing_but_a_plain_web_url_is_one(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter[str](WebUrl).validate_python(text)


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:///nps.db",
        "sqlite:////var/lib/nps.db",
        "postgresql://nps:pw@db/nps",
        "postgresql:///nps",
        "postgresql://nps:pw@one:1,[::1]:2/nps?sslmode=require",
    ],
)
def test_a_store_is_a_sqlite_file_or_a_postgresql_database(text: str) -> None:
    assert TypeAdapter[str](StoreUrl).validate_python(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "nps.db",
        "mysql://db/nps",
        "sqlite://nps.db",
        "sqlite:nps.db",
        "sqlite:///",
        "sqlite:////",
        "sqlite:///folder/",
        "sqlite:///:memory:",
        "sqlite:///nps.db?mode=ro",
        "sqlite:///nps\0.db",
        "postgresql:nps",
        "postgresql://db",
        "postgresql://db:port/nps",
        "postgresql://one:5432,two:port/nps",
        "postgresql://nps:pass word@one,two/nps",
        "postgresql://one,two",
    ],
)
def test_nothing_else_is_a_store(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter[str](StoreUrl).validate_python(text)


@pytest.mark.parametrize(
    ("text", "count"), [("one-secret", 1), ('["old-secret", "new-secret"]', 2), ("12345678", 1), ('"quoted"', 1)]
)
def test_secrets_are_one_text_or_a_json_list(text: str, count: int) -> None:
    assert len(TypeAdapter[tuple[object, ...]](Secrets).validate_python(text)) == count


@pytest.mark.parametrize("text", ["[half-a-list", '["ok", ""]', '["ok", 5]', "two\nlines", " blanks "])
def test_a_secret_that_no_header_can_carry_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter[tuple[object, ...]](Secrets).validate_python(text)


@pytest.mark.parametrize(
    "text", ["{", "NaN", "[Infinity]", '{"a":1,"a":2}', r'"\ud800"', "[" * 100_000, "9" * 5000, ""]
)
def test_json_is_read_strictly(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|holds) "):
        decode_json(text)

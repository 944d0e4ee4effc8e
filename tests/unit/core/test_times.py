"""Times as they go into calls and into the store."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.core.times import EPOCH, iso_utc, milliseconds


def test_a_time_is_written_in_utc_with_milliseconds_and_z() -> None:
    assert iso_utc(datetime(2026, 3, 4, 10, 20, 30, tzinfo=UTC)) == "2026-03-04T10:20:30.000Z"


def test_f16_an_offset_is_converted_to_utc() -> None:
    in_delhi = datetime(2026, 3, 4, 2, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert iso_utc(in_delhi) == "2026-03-03T20:30:00.999Z"


@pytest.mark.parametrize("write", [iso_utc, milliseconds])
def test_f16_a_time_without_zone_is_refused(write: Callable[[datetime], object]) -> None:
    with pytest.raises(ValueError, match="without a zone"):
        write(datetime(2026, 3, 4))  # noqa: DTZ001 -- the very thing under test


@given(st.integers(min_value=-60_000_000_000_000, max_value=250_000_000_000_000))
def test_milliseconds_are_exact_in_any_century(count: int) -> None:
    assert milliseconds(EPOCH + timedelta(milliseconds=count)) == count


def test_milliseconds_count_from_1970() -> None:
    assert milliseconds(datetime(2026, 3, 4, 10, 20, 30, tzinfo=UTC)) == 1_772_619_630_000


def test_milliseconds_are_rounded_down() -> None:
    assert milliseconds(EPOCH + timedelta(microseconds=1_999)) == 1

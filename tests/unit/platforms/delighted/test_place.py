"""Rows in time, and the checkpoint."""

from typing import Any

import msgspec
import pytest

from npsbridge.net.keyset import Row
from npsbridge.platforms.delighted.place import DatedRow, Field, Floor, Place, newest, row


def dated(number: int = 1, *, created: int = 100, updated: int | None = None) -> DatedRow:
    return DatedRow(id=str(number), at=created, raw=b"", created=created, updated=updated)


UNREADABLE = Row(id="x", at=None, raw=b"x")


@pytest.mark.parametrize(
    ("record", "field", "at"),
    [
        (b'{"id":"1","created_at":100,"updated_at":200}', "created", 100),
        (b'{"id":"1","created_at":100,"updated_at":200}', "updated", 200),
        (b'{"id":"1","created_at":100,"updated_at":null}', "updated", 100),
        (b'{"id":1,"created_at":"2026-01-01","score":"x"}', "created", 1767225600),
        (b'{"id":"1","created_at":1767225600999}', "created", 1767225600),
        (b'{"id":"1","created_at":-0.5}', "created", -1),
    ],
)
def test_a_row_stands_where_its_list_sorts_it(record: bytes, field: Field, at: int) -> None:
    assert row(record, field).at == at


@pytest.mark.parametrize(
    "record",
    [
        b"7",
        b"null",
        b"{}",
        b'{"id":"1"}',
        b'{"created_at":1}',
        b'{"id":"1","created_at":"soon"}',
        b'{"id":"1","created_at":true}',
        b'{"id":[],"created_at":1}',
        b'{"id":"1","created_at":1,"updated_at":"soon"}',
    ],
)
def test_an_unreadable_row_stands_nowhere_and_keeps_its_bytes(record: bytes) -> None:
    placed = row(record, "created")
    assert (placed.at, placed.raw) == (None, record)


def test_unreadable_rows_are_told_apart() -> None:
    assert row(b"7", "created").id != row(b"8", "created").id


def test_the_newest_change_counts_answers_without_updated_at_too() -> None:
    assert newest([dated(created=300), dated(created=100, updated=200), UNREADABLE]) == 300
    assert newest([]) == 0


@pytest.mark.parametrize(
    ("found", "is_wanted"),
    [
        (dated(created=100, updated=199), False),
        (dated(1, created=100, updated=200), False),
        (dated(2, created=100, updated=200), True),
        (dated(created=100, updated=201), True),
        (dated(1, created=200), False),
        (UNREADABLE, True),
    ],
)
def test_a_floor_lets_through_what_changed_since(found: Row, *, is_wanted: bool) -> None:
    assert bool(Floor(changed=200, ids=["1"]).keep([found])) is is_wanted


def test_a_floor_lets_through_what_was_answered_since() -> None:
    floor = Floor(created=150, changed=200)
    assert floor.keep([dated(1, created=149), dated(2, created=150)]) == [dated(2, created=150)]


def test_without_a_floor_everything_is_wanted() -> None:
    assert Place().wanted([dated(), UNREADABLE]) == [dated(), UNREADABLE]


@pytest.mark.parametrize(
    ("place", "share"),
    [
        (Place(backfill=150, oldest=100, updated=200), 0.5),
        (Place(backfill=300, oldest=100, updated=200), 1.0),
        (Place(backfill=100, oldest=100, updated=100), None),
        (Place(backfill=100, updated=200), None),
        (Place(updated=200), None),
    ],
)
def test_progress_is_the_share_of_the_time_between_first_and_newest(place: Place, share: float | None) -> None:
    assert place.progress() == share


def test_a_checkpoint_comes_back_as_it_was() -> None:
    place = Place(backfill=1, oldest=2, updated=3, created=4, floor=Floor(created=5, changed=6, ids=["7"]), swept=8)
    assert Place.decode(place.encode()) == place


GOLDEN: dict[str, Any] = {
    "backfill": 1,
    "oldest": 2,
    "updated": 3,
    "created": 4,
    "floor": {"created": 5, "changed": 6, "ids": ["7"]},
    "shows_unchanged": True,
    "swept": 8,
    "rescanned": 9,
}


def test_checkpoints_of_earlier_releases_stay_readable() -> None:
    written = Place.decode(msgspec.json.encode(GOLDEN)).encode()
    assert msgspec.json.decode(written) == GOLDEN

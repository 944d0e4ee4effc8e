"""Archived answers in Delighted's own words."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from npsbridge.core.model import ArchiveRow
from npsbridge.platforms.delighted.archive import compose
from npsbridge.platforms.delighted.parse import parse

ANSWERED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECONDS = st.integers(1, 4_000_000_000).map(lambda second: datetime.fromtimestamp(second, UTC))
WORDS = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=20)


@given(WORDS, st.integers(0, 10), st.none() | WORDS, SECONDS, st.none() | SECONDS)
def test_what_a_row_says_is_read_back_as_it_was(
    number: str, score: int, comment: str | None, created_at: datetime, updated_at: datetime | None
) -> None:
    row = ArchiveRow(id=number, score=score, comment=comment, created_at=created_at, updated_at=updated_at)
    read = parse("delighted", compose(row))
    said = (read.id, read.score, read.comment, read.created_at, read.updated_at)
    assert said == (number, score, comment, created_at, updated_at)


def test_the_person_and_the_campaign_of_a_row_are_read_back() -> None:
    row = ArchiveRow(
        id="1",
        created_at=ANSWERED,
        person_id="p1",
        email="ana@example.com",
        name="Ana",
        user_id="u1",
        channel="Email",
        permalink="https://example.com/r/1",
        tags=["a", "b"],
        properties={"plan": "team"},
    )
    read = parse("delighted", compose(row))
    assert (read.person.id, read.person.email, read.person.name, read.person.user_id) == (
        "p1",
        "ana@example.com",
        "Ana",
        "u1",
    )
    assert (read.channel, read.permalink, read.tags) == ("email", "https://example.com/r/1", ["a", "b"])
    assert read.person_properties == {"plan": "team", "Delighted Source": "Email", "segment_user_id": "u1"}


def test_what_the_archive_does_not_know_is_left_unsaid() -> None:
    read = parse("delighted", compose(ArchiveRow(id="1", score=9, created_at=ANSWERED)))
    assert (read.permalink, read.tags, read.person_properties) == (UNSET, UNSET, UNSET)
    assert read.updated_at is None

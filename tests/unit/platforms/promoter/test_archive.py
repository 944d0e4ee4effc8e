"""An archived answer in Promoter.io's own words reads like a polled one."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from npsbridge.core.model import ArchiveRow, Campaign
from npsbridge.errors import BadRecord
from npsbridge.platforms.promoter.archive import compose
from npsbridge.platforms.promoter.parse import parse

WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20).map(str.strip).filter(bool)
MOMENTS = st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the zone comes beside it
ROWS = st.builds(
    ArchiveRow,
    id=WORDS,
    created_at=MOMENTS,
    updated_at=st.none() | MOMENTS,
    score=st.none() | st.integers(0, 10),
    comment=st.none() | WORDS,
    permalink=st.none() | WORDS,
    person_id=st.none() | WORDS,
    user_id=st.none() | WORDS,
    email=st.none() | WORDS,
    name=st.none() | WORDS,
    campaign_id=st.none() | st.integers(1, 10**9).map(str),
    campaign_name=st.none() | WORDS,
    channel=st.none() | WORDS,
    tags=st.none() | st.lists(WORDS, max_size=3),
    properties=st.dictionaries(WORDS.filter(lambda name: not name.startswith("segment_")), WORDS, max_size=3),
)


@given(ROWS)
def test_a_row_comes_back_as_it_was(row: ArchiveRow) -> None:
    found = parse("old", compose(row))
    assert (found.id, found.score, found.comment, found.created_at) == (row.id, row.score, row.comment, row.created_at)
    assert found.updated_at == max(row.created_at, row.updated_at or row.created_at)
    person = found.person
    assert (person.id, person.user_id, person.email, person.name) == (row.person_id, row.user_id, row.email, row.name)
    assert (found.permalink, found.channel) == (row.permalink or UNSET, row.channel or UNSET)
    assert found.tags == (UNSET if row.tags is None else row.tags)


@given(ROWS)
def test_its_campaign_and_its_properties_come_back_too(row: ArchiveRow) -> None:
    found = parse("old", compose(row))
    campaign = Campaign(id=row.campaign_id, name=row.campaign_name)
    assert found.campaign == (UNSET if campaign == Campaign() else campaign)
    own = {"segment_user_id": row.user_id} if row.user_id else {}
    assert found.person_properties == ({**row.properties, **own} or UNSET)


@given(ROWS)
def test_the_same_row_always_makes_the_same_bytes(row: ArchiveRow) -> None:
    again = msgspec.json.decode(msgspec.json.encode(row), type=ArchiveRow)
    assert compose(again) == compose(row)


def test_an_imported_answer_is_the_one_that_was_polled() -> None:
    polled: dict[str, Any] = {
        "id": 880123,
        "followup_href": "https://app.promoter.test/r/880123/",
        "score": 9,
        "comment": "Quick help.",
        "posted_date": "2026-03-04T10:20:30Z",
        "contact": {"id": 5, "email": "mara@acme.test", "first_name": "Mara", "last_name": "Lind"},
        "campaign": {"id": 78, "name": "Post purchase"},
    }
    row = ArchiveRow(
        id="880123",
        permalink="https://app.promoter.test/r/880123/",
        score=9,
        comment="Quick help.",
        created_at=datetime(2026, 3, 4, 10, 20, 30, tzinfo=UTC),
        person_id="5",
        email="mara@acme.test",
        name="Mara Lind",
        campaign_id="78",
        campaign_name="Post purchase",
    )
    assert parse("promoter", compose(row)) == parse("promoter", orjson.dumps(polled))


def test_what_is_no_nps_answer_is_refused() -> None:
    row = ArchiveRow(id="1", created_at=datetime(2026, 1, 1, tzinfo=UTC), survey_type="csat", score=4)
    with pytest.raises(BadRecord, match="/survey_type"):
        compose(row)

"""Archived answers put into SatisMeter's own shape read back as what they were."""

from datetime import UTC, datetime
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from npsbridge.core.model import ArchiveRow, Campaign
from npsbridge.core.records import Origin, RememberedResponse
from npsbridge.core.revise import Duplicate, revise
from npsbridge.platforms.satismeter.archive import compose
from npsbridge.platforms.satismeter.parse import parse
from npsbridge.sandbox.satismeter import SatisMeterServer
from npsbridge.sandbox.satismeter.views import shown_v3
from unit.sandbox.calling import Hands

said = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: text == text.strip() != "")
told = st.none() | said
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis' own way

rows = st.builds(
    ArchiveRow,
    id=said,
    created_at=moments,
    survey_type=st.sampled_from(["nps", "csat", "ces", "pmf", "star"]),
    score=st.none() | st.integers(0, 10),
    comment=told,
    updated_at=st.none() | moments,
    permalink=told,
    person_id=told,
    user_id=told,
    email=told,
    name=told,
    campaign_id=told,
    campaign_name=told,
    channel=st.none() | st.sampled_from(["email", "in-app"]),
    tags=st.none() | st.lists(said, max_size=3),
    properties=st.dictionaries(said, said, max_size=3),
)


@given(rows)
def test_a_row_reads_back_as_it_was(row: ArchiveRow) -> None:
    response = parse("shop", compose(row))
    person = response.person
    assert (response.id, response.created_at, response.updated_at) == (row.id, row.created_at, row.updated_at)
    assert (response.survey_type, response.score, response.comment) == (row.survey_type, row.score, row.comment)
    assert (person.id, person.user_id, person.email, person.name) == (row.person_id, row.user_id, row.email, row.name)
    assert response.permalink == (UNSET if row.permalink is None else row.permalink)
    assert response.channel == (UNSET if row.channel is None else row.channel)
    assert response.tags == (UNSET if row.tags is None else row.tags)
    assert response.person_properties == (row.properties or UNSET)
    campaign = Campaign(id=row.campaign_id, name=row.campaign_name)
    assert response.campaign == (UNSET if campaign == Campaign() else campaign)


@given(rows)
def test_a_row_is_composed_to_the_same_bytes_each_time(row: ArchiveRow) -> None:
    assert compose(row) == compose(row)


def test_an_imported_answer_that_a_poll_shows_later_is_no_edit() -> None:
    server = SatisMeterServer(now=Hands())
    server.add_person("ada@example.org", user_id="u-1", name="Ada")
    number = server.answer("u-1", 9, comment="Fast")
    shown: dict[str, Any] = shown_v3(server.project, server.responses[number])
    polled = parse("shop", orjson.dumps(shown))
    row = ArchiveRow(
        id=number,
        created_at=polled.created_at,
        score=9,
        comment="Fast",
        email="ada@example.org",
        campaign_id=shown["campaign"],
        campaign_name="Spring",
        properties={"plan": "Gold"},
    )
    imported = parse("shop", compose(row))
    assert isinstance(revise(RememberedResponse(response=imported, revision=1), polled, Origin.POLL), Duplicate)

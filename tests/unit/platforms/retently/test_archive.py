"""Archived answers in the vendor's own shape read like polled ones."""

from datetime import UTC, datetime

import orjson
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from npsbridge.core.model import ArchiveRow
from npsbridge.platforms.retently.archive import compose
from npsbridge.platforms.retently.parse import parse
from unit.platforms.retently.bench import Bench, read

WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).map(str.strip).filter(bool)
KNOWN = st.none() | WORDS
ROWS = st.builds(
    ArchiveRow,
    id=WORDS,
    created_at=st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - gets its zone
    survey_type=st.sampled_from(["nps", "csat", "ces", "star"]),
    score=st.none() | st.integers(0, 10),
    comment=KNOWN,
    updated_at=st.none() | st.datetimes(timezones=st.just(UTC)),
    permalink=KNOWN,
    person_id=KNOWN,
    user_id=KNOWN,
    email=KNOWN,
    name=KNOWN,
    campaign_id=KNOWN,
    campaign_name=KNOWN,
    channel=KNOWN.map(lambda word: word.lower().strip() or None if word else None),
    tags=st.none() | st.lists(WORDS, unique=True),
    properties=st.dictionaries(WORDS.filter(lambda name: "segment" not in name.lower()), WORDS),
)


@given(ROWS)
def test_what_an_archive_row_says_comes_back(row: ArchiveRow) -> None:
    response = parse("retently", compose(row))
    campaign = (response.campaign.id, response.campaign.name) if response.campaign is not UNSET else (None, None)
    assert (response.id, response.created_at, response.survey_type) == (row.id, row.created_at, row.survey_type)
    assert (response.score, response.comment) == (row.score, row.comment)
    assert (response.person.id, response.person.email, response.person.name) == (row.person_id, row.email, row.name)
    assert response.person.user_id == row.user_id
    assert campaign == (row.campaign_id, row.campaign_name)
    assert (None if response.permalink is UNSET else response.permalink) == row.permalink
    assert (None if response.channel is UNSET else response.channel) == row.channel
    assert (None if response.tags is UNSET else response.tags) == row.tags
    assert ({} if response.person_properties is UNSET else response.person_properties).items() >= row.properties.items()


@given(ROWS)
def test_an_archived_answer_never_looks_newer_than_a_polled_one(row: ArchiveRow) -> None:
    assert parse("retently", compose(row)).changed_at == row.created_at


def test_what_the_archive_does_not_know_is_not_said() -> None:
    row = ArchiveRow(id="a1", created_at=datetime(2026, 1, 1, tzinfo=UTC), score=0)
    response = parse("retently", compose(row))
    assert (response.tags, response.permalink, response.campaign) == (UNSET, UNSET, UNSET)
    assert (response.channel, response.person_properties, response.answers) == (UNSET, UNSET, UNSET)


async def test_i12_an_archived_answer_has_the_id_and_content_of_the_polled_one(bench: Bench) -> None:
    [answered] = bench.load(1, comment="slow", tags=("speed",))
    [polled, *_] = [parse("retently", orjson.dumps(row)) for row in (await read(bench.source())).rows]
    row = ArchiveRow(
        id=answered,
        created_at=polled.created_at,
        score=polled.score,
        comment="slow",
        email=polled.person.email,
        tags=["speed"],
    )
    archived = parse("retently", compose(row))
    assert (archived.id, archived.created_at, archived.score) == (polled.id, polled.created_at, polled.score)
    assert (archived.comment, archived.tags, archived.person.email) == (
        polled.comment,
        polled.tags,
        polled.person.email,
    )

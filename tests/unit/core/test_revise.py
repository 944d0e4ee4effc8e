"""Whether what arrives says anything new of a response."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from npsbridge.core.model import Answer, Campaign, Respondent, Response
from npsbridge.core.records import Origin, RememberedResponse
from npsbridge.core.revise import (
    Duplicate,
    New,
    Revised,
    Stale,
    Superseding,
    Verdict,
    comment_of,
    nps_rating,
    revise,
    same_content,
)

ANSWERED = datetime(2026, 1, 1, tzinfo=UTC)
LATER = ANSWERED + timedelta(seconds=1)
RESPONSE = Response(
    platform="delighted",
    connection="shop",
    id="430021",
    survey_type="nps",
    score=9,
    comment="Fast",
    created_at=ANSWERED,
    updated_at=ANSWERED,
    person=Respondent(id="7", email="ana@example.org"),
    permalink="https://vendor.example/r/1",
    campaign=Campaign(id="c1", name="Spring"),
    channel="email",
    tags=["billing", "slow"],
    answers=[Answer(question="Why?", answer="Because")],
    person_properties={"plan": "team"},
)


def response(**other: Any) -> Response:
    return msgspec.structs.replace(RESPONSE, **other)


def remembered(of: Response = RESPONSE, revision: int = 1) -> RememberedResponse:
    return RememberedResponse(response=of, revision=revision)


def judge(incoming: Response, known: RememberedResponse | None = None, origin: Origin = Origin.POLL) -> Verdict:
    return revise(known or remembered(), incoming, origin)


def test_what_was_never_seen_is_new() -> None:
    assert revise(None, RESPONSE, Origin.BACKFILL) == New(response=RESPONSE, revision=1)


@pytest.mark.parametrize("origin", list(Origin))
def test_i12_f32_the_same_again_is_a_duplicate_from_wherever_it_comes(origin: Origin) -> None:
    assert judge(RESPONSE, origin=origin) == Duplicate(response=None)


EDITS: list[dict[str, Any]] = [
    {"score": 0},
    {"score": None},
    {"comment": "Slow"},
    {"comment": None},
    {"survey_type": "csat"},
    {"permalink": "https://vendor.example/r/2"},
    {"permalink": None},
    {"campaign": Campaign(id="c2", name="Spring")},
    {"channel": "sms"},
    {"tags": ["billing"]},
    {"tags": []},
    {"answers": []},
    {"answers": [Answer(question="Why?", answer=["Because", "So"])]},
]


@pytest.mark.parametrize("edit", EDITS)
def test_i13_f31_other_content_is_the_next_revision(edit: dict[str, Any]) -> None:
    incoming = response(**edit, updated_at=LATER)
    assert judge(incoming, remembered(revision=3)) == Revised(response=incoming, revision=4)


@pytest.mark.parametrize("edit", EDITS)
def test_i13_other_content_at_the_same_second_is_a_real_second_edit(edit: dict[str, Any]) -> None:
    assert judge(response(**edit)) == Revised(response=response(**edit), revision=2)


@pytest.mark.parametrize("edit", EDITS)
def test_f31_other_content_of_an_earlier_time_is_stale(edit: dict[str, Any]) -> None:
    assert judge(response(**edit), remembered(response(updated_at=LATER))) == Stale()


NO_EDITS: list[dict[str, Any]] = [
    {"permalink": UNSET},
    {"campaign": UNSET},
    {"campaign": Campaign(id="c1")},
    {"campaign": Campaign(name="Spring")},
    {"channel": UNSET},
    {"tags": UNSET},
    {"tags": ["slow", "billing"]},
    {"answers": UNSET},
    {"person_properties": UNSET},
]


@pytest.mark.parametrize("omission", NO_EDITS)
def test_what_the_vendor_did_not_say_is_no_edit(omission: dict[str, Any]) -> None:
    assert isinstance(judge(response(**omission)), Duplicate)


@pytest.mark.parametrize("omission", NO_EDITS)
def test_a_later_revision_keeps_what_was_known_before(omission: dict[str, Any]) -> None:
    verdict = judge(response(**omission, score=3))
    expected = response(score=3, tags=omission.get("tags") or RESPONSE.tags)
    assert verdict == Revised(response=expected, revision=2)


def test_what_becomes_known_is_stored_without_emission() -> None:
    known = remembered(response(tags=UNSET, campaign=Campaign(id="c1")))
    assert judge(RESPONSE, known) == Duplicate(response=RESPONSE)


def test_a_later_time_alone_is_stored_without_emission() -> None:
    assert judge(response(updated_at=LATER)) == Duplicate(response=response(updated_at=LATER))


@pytest.mark.parametrize(
    "shown_today",
    [
        {"person_properties": {}},
        {"person_properties": {"plan": "free"}},
        {"campaign": Campaign(id="c1", name="Autumn")},
    ],
)
def test_what_the_person_or_the_campaign_is_like_today_is_stored_without_emission(shown_today: dict[str, Any]) -> None:
    changed = response(**shown_today, updated_at=LATER)
    assert judge(changed) == Duplicate(response=changed)


@pytest.mark.parametrize("person", [{"name": "Ana Petrov"}, {"email": "petrov@example.org"}])
def test_another_name_or_email_alone_is_stored_without_emission(person: dict[str, Any]) -> None:
    changed = response(person=msgspec.structs.replace(RESPONSE.person, **person))
    assert judge(changed) == Duplicate(response=changed)


def test_a_person_keeps_the_ids_that_a_later_version_leaves_out() -> None:
    ids = Respondent(id="7", email="ana@example.org", user_id="u_1", anonymous_id="a_1")
    verdict = judge(response(person=Respondent(name="Ana"), score=1), remembered(response(person=ids)))
    assert isinstance(verdict, Revised)
    assert verdict.response.person == msgspec.structs.replace(ids, name="Ana")


def test_an_earlier_time_with_the_same_content_is_a_duplicate_and_stores_nothing() -> None:
    assert judge(RESPONSE, remembered(response(updated_at=LATER))) == Duplicate(response=None)


def test_another_campaign_does_not_inherit_the_name_of_the_old_one() -> None:
    verdict = judge(response(campaign=Campaign(id="c2"), updated_at=LATER))
    assert isinstance(verdict, Revised)
    assert verdict.response.campaign == Campaign(id="c2")


@pytest.mark.parametrize("blank", [None, "", " \n"])
def test_f32_a_webhook_of_the_same_second_cannot_take_a_comment_away(blank: str | None) -> None:
    assert judge(response(comment=blank, score=2), origin=Origin.WEBHOOK) == Duplicate(response=None)


def test_f32_a_webhook_of_the_same_second_cannot_take_a_score_away() -> None:
    assert judge(response(score=None), origin=Origin.WEBHOOK) == Duplicate(response=None)


def test_a_webhook_that_only_knows_how_a_survey_ended_brings_its_flag() -> None:
    bare = response(score=None, comment=None, survey_type="custom", tags=[], answers=UNSET, dismissed=True)
    assert judge(bare, origin=Origin.WEBHOOK) == Revised(response=response(dismissed=True), revision=1)


def test_f32_a_webhook_of_the_same_second_can_bring_a_comment() -> None:
    verdict = judge(RESPONSE, remembered(response(comment=None)), Origin.WEBHOOK)
    assert verdict == Revised(response=RESPONSE, revision=2)


@pytest.mark.parametrize("comment", [None, "Fast"])
def test_f32_a_webhook_of_the_same_second_that_takes_no_comment_away_is_an_edit(comment: str | None) -> None:
    known = remembered(response(comment=comment))
    incoming = response(comment=comment, score=2)
    assert judge(incoming, known, Origin.WEBHOOK) == Revised(response=incoming, revision=2)


def test_a_webhook_of_a_later_second_can_take_a_comment_away() -> None:
    incoming = response(comment=None, updated_at=LATER)
    assert judge(incoming, origin=Origin.WEBHOOK) == Revised(response=incoming, revision=2)


def test_blank_and_missing_comments_are_the_same() -> None:
    assert isinstance(judge(response(comment=""), remembered(response(comment=None))), Duplicate)


@pytest.mark.parametrize("flag", ["completed", "dismissed"])
def test_a_flag_that_comes_keeps_the_revision(flag: str) -> None:
    assert judge(response(**{flag: True})) == Revised(response=response(**{flag: True}), revision=1)


@pytest.mark.parametrize("flag", ["completed", "dismissed"])
def test_a_flag_that_a_later_version_does_not_repeat_stays(flag: str) -> None:
    assert judge(RESPONSE, remembered(response(**{flag: True}))) == Duplicate(response=None)


def test_news_of_a_held_back_response_supersedes_it() -> None:
    known = remembered(response(comment=None, tags=["vip"]), revision=0)
    assert judge(response(tags=UNSET), known) == Superseding(response=response(tags=["vip"]), revision=1)


def test_a_held_back_response_again_is_a_duplicate() -> None:
    assert judge(RESPONSE, remembered(revision=0)) == Duplicate(response=None)


@pytest.mark.parametrize(
    ("survey_type", "score", "rating"),
    [
        ("nps", 0, 0),
        ("nps", 9.0, 9),
        ("nps", 10, 10),
        ("nps", None, None),
        ("nps", 11, None),
        ("nps", -1, None),
        ("nps", 8.5, None),
        ("nps", float("nan"), None),
        ("enps", 9, None),
        ("csat", 5, None),
    ],
)
def test_f34_only_a_whole_nps_score_from_0_to_10_is_a_rating(
    survey_type: str, score: float | None, rating: int | None
) -> None:
    assert nps_rating(response(survey_type=survey_type, score=score)) == rating


@pytest.mark.parametrize(("comment", "said"), [(None, None), ("", None), ("\t ", None), (" ok ", " ok "), ("0", "0")])
def test_a_blank_comment_is_none(comment: str | None, said: str | None) -> None:
    assert comment_of(response(comment=comment)) == said


# --- properties -------------------------------------------------------------------------------------------------

CONTENTS = st.fixed_dictionaries(
    {
        "score": st.sampled_from([None, 0, 9]),
        "comment": st.sampled_from([None, "", "a", "b"]),
        "tags": st.sampled_from([UNSET, [], ["x"], ["x", "y"]]),
        "campaign": st.sampled_from([UNSET, Campaign(id="1"), Campaign(id="1", name="n"), Campaign(id="2")]),
        "person_properties": st.sampled_from([UNSET, {}, {"k": 1}]),
        "completed": st.booleans(),
    }
)
ORIGINS = st.sampled_from(list(Origin))


def after(known: RememberedResponse | None, verdict: Verdict) -> RememberedResponse | None:
    """What a router remembers."""
    match verdict:
        case New() | Revised():
            return RememberedResponse(response=verdict.response, revision=verdict.revision)
        case Duplicate(response=Response() as changed) if known is not None:
            return msgspec.structs.replace(known, response=changed)
        case Superseding(response=changed):
            return RememberedResponse(response=changed, revision=0)
        case _:
            return known


@given(st.lists(st.tuples(CONTENTS, ORIGINS), min_size=1, max_size=5), st.data())
def test_i13_f30_any_order_of_arrival_ends_with_the_latest_content(
    versions: list[tuple[dict[str, Any], Origin]], data: st.DataObject
) -> None:
    arrivals = [
        (response(**content, updated_at=ANSWERED + timedelta(seconds=second)), origin)
        for second, (content, origin) in enumerate(versions)
    ]
    known = None
    for incoming, origin in data.draw(st.permutations(arrivals)):
        known = after(known, revise(known, incoming, origin))
    latest = arrivals[-1][0]
    assert known is not None
    assert same_content(known.response, latest)
    assert known.response.updated_at == latest.updated_at


@given(CONTENTS, CONTENTS, ORIGINS, ORIGINS, st.integers(0, 2))
def test_i12_hearing_the_same_twice_changes_nothing(
    first: dict[str, Any], second: dict[str, Any], origin: Origin, again: Origin, revision: int
) -> None:
    incoming = response(**second, updated_at=LATER)
    known = after(None, New(response=response(**first), revision=revision))
    settled = after(known, revise(known, incoming, origin))
    assert revise(settled, incoming, again) == Duplicate(response=None)


@given(st.lists(st.tuples(CONTENTS, ORIGINS, st.integers(0, 2)), min_size=1, max_size=6))
def test_i13_a_revision_rises_by_one_exactly_when_the_content_changed(
    arrivals: list[tuple[dict[str, Any], Origin, int]],
) -> None:
    known: RememberedResponse | None = None
    history = []
    for content, origin, second in arrivals:
        incoming = response(**content, updated_at=ANSWERED + timedelta(seconds=second))
        known = after(known, revise(known, incoming, origin))
        assert known is not None
        history.append(known)
    for before, now in pairwise(history):
        has_changed = not same_content(before.response, now.response)
        assert now.revision == before.revision + has_changed

"""What Heap is owed for an answer."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.core import keys
from npsbridge.core.model import Kind
from npsbridge.platforms.heap import TEXT_LIMIT, HeapDestination, cut
from npsbridge.sandbox.heap import SANDBOX_APP_ID
from unit.platforms.heap.bench import at, emission, plan, said, wiring

GRIN = "\N{GRINNING FACE}"


def event(**fields: Any) -> Any:
    (planned,) = plan(emission(kinds=(Kind.SUBMIT,), **fields))
    return said(planned)


def user(**fields: Any) -> Any:
    (planned,) = plan(emission(kinds=(Kind.IDENTIFY,), **fields))
    return said(planned)


# --- the event -----------------------------------------------------------------------------------------------------


def test_an_answer_is_a_submit_survey() -> None:
    link = "https://delighted.example/r/1"
    assert event(permalink=link, updated_at=at(60)) == {
        "identity": "u1",
        "event": "Submit Survey",
        "timestamp": "2026-01-01T00:00:01.000Z",
        "idempotency_key": keys.message_id(SANDBOX_APP_ID, "delighted", "shop", "1", Kind.SUBMIT, 1),
        "properties": {
            "Score": 9,
            "Comment": "Fast",
            "Permalink": link,
            "Created at": "2026-01-01T00:00:01.000Z",
            "Updated at": "2026-01-01T00:01:00.000Z",
        },
    }


def test_what_is_not_known_is_not_said() -> None:
    properties = event(score=None, comment=" ", permalink=None)["properties"]
    assert properties == {"Created at": "2026-01-01T00:00:01.000Z"}


@pytest.mark.parametrize(("score", "as_said"), [(0, "0"), (9.0, "9"), (4.5, "4.5")])
def test_a_score_stays_a_number(score: float, as_said: str) -> None:
    assert json.dumps(event(score=score, survey_type="csat")["properties"]["Score"]) == as_said


@pytest.mark.parametrize(
    ("comment", "kept", "truncated"),
    [
        ("x" * 1023, "x" * 1023, None),
        ("x" * 1024, "x" * 1023, "true"),
        ("x" * 100_000, "x" * 1023, "true"),
        (GRIN * 512, GRIN * 511, "true"),
        ("NUL \0 stays", "NUL \0 stays", None),
        ("half \ud83d", "half \ufffd", None),
    ],
)
def test_i15_a_long_comment_is_cut_and_says_so(comment: str, kept: str, truncated: str | None) -> None:
    properties = event(comment=comment)["properties"]
    assert (properties["Comment"], properties.get("Comment truncated")) == (kept, truncated)


@given(text=st.text(st.characters(exclude_categories=()), max_size=1100))
def test_i15_what_is_left_fits_however_it_is_counted(text: str) -> None:
    kept = cut(text)
    assert max(len(kept), len(kept.encode("utf-16-le")) // 2) <= TEXT_LIMIT
    assert keys.well_formed(text).startswith(kept)


def test_a_link_that_does_not_fit_is_left_out() -> None:
    assert "Permalink" not in event(permalink="https://x.example/" + "x" * 1023)["properties"]


def test_an_edited_answer_is_no_second_event() -> None:
    assert [one.kind for one in plan(emission(revision=2))] == ["identify"]


def test_i12_a_survey_that_was_closed_first_has_the_key_of_a_first_answer() -> None:
    (late,) = plan(emission(revision=2, dismissed=True, kinds=(Kind.SUBMIT,)))
    (first,) = plan(emission(kinds=(Kind.SUBMIT,)))
    assert late.message_id == first.message_id == said(late)["idempotency_key"]


@pytest.mark.parametrize("kind", [Kind.ANSWERED, Kind.COMPLETED, Kind.CLOSED, Kind.VIEWED, Kind.QUESTION])
def test_other_calls_are_not_for_heap(kind: Kind) -> None:
    assert plan(emission(kinds=(kind,))) == []


# --- the properties ------------------------------------------------------------------------------------------------


def test_the_newest_answer_sets_properties_of_its_person() -> None:
    properties = {"NPS_rating": 9, "NPS_comment": "Fast", "NPS_date": "2026-01-01T00:00:01.000Z"}
    assert user() == {"identity": "u1", "properties": properties}


def test_without_a_comment_the_old_one_is_emptied() -> None:
    assert user(comment=None)["properties"]["NPS_comment"] == ""


def test_a_score_of_zero_is_a_score() -> None:
    assert user(score=0)["properties"]["NPS_rating"] == 0


def test_i15_a_long_comment_is_cut_here_too() -> None:
    assert len(user(comment="x" * 5000)["properties"]["NPS_comment"]) == TEXT_LIMIT


def test_without_an_nps_score_there_are_no_properties() -> None:
    with pytest.raises(ValueError, match="NPS"):
        user(survey_type="csat")


# --- whose it is ---------------------------------------------------------------------------------------------------


def test_both_are_owed_in_the_order_given_under_the_person() -> None:
    identify, submit = plan(emission())
    assert [identify.kind, submit.kind] == ["identify", "submit"]
    assert {(one.connection, one.person, one.subject) for one in (identify, submit)} == {("heap", "heap:u1", "shop/1")}
    assert identify.message_id != submit.message_id


def test_every_revision_sets_properties_under_a_key_of_its_own() -> None:
    first, second = (plan(emission(revision=revision, kinds=(Kind.IDENTIFY,)))[0] for revision in (1, 2))
    assert first.message_id != second.message_id


def test_a_user_id_is_trimmed_and_keeps_its_case() -> None:
    assert event(user_id=" User-7 ")["identity"] == "User-7"


def test_an_email_is_written_in_lower_case() -> None:
    (planned,) = plan(emission(email=" Ana@Example.org", kinds=(Kind.SUBMIT,)), identity="email")
    assert (said(planned)["identity"], planned.person) == ("ana@example.org", "heap:ana@example.org")


@pytest.mark.parametrize(("identity", "known"), [("user_id", {"user_id": None}), ("email", {"email": None})])
def test_a_person_without_the_identity_is_filtered_with_the_reason(identity: str, known: dict[str, None]) -> None:
    planned = plan(emission(**known), identity=identity)  # type: ignore[arg-type]
    reason = f"no {identity} (NPSBRIDGE_HEAP__IDENTITY) is known of this person"
    assert [one.filtered_because for one in planned] == [reason] * 2
    assert [one.body for one in planned] == [b"{}"] * 2


def test_an_anonymous_id_is_no_identity() -> None:
    (planned,) = plan(emission(user_id=None, kinds=(Kind.SUBMIT,)))
    assert planned.person == "anonymous:a1"
    assert planned.filtered_because


def test_an_identity_longer_than_heap_takes_is_filtered() -> None:
    planned = plan(emission(user_id="u" * 256))
    assert all(one.filtered_because and "characters" in one.filtered_because for one in planned)
    assert plan(emission(user_id="u" * 255))[0].filtered_because is None


def test_f46_another_environment_gives_other_keys() -> None:
    ours, theirs = (plan(emission(), app_id=app_id)[1].message_id for app_id in ("1", "2"))
    assert ours != theirs


def test_i15_what_is_planned_is_small() -> None:
    destination = HeapDestination(wiring())
    planned = destination.plan(emission(comment=GRIN * 100_000, user_id="\N{GRINNING FACE}" * 255))
    assert all(len(one.body) < 8_000 for one in planned)

"""Stable keys, held by golden files that no release may change."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.core.keys import (
    MESSAGE_ID_LIMIT,
    message_id,
    normalised_email,
    person_uuid,
    well_formed,
    write_key_fingerprint,
)
from npsbridge.core.model import Kind

GOLDEN = Path(__file__).parent / "golden"
ONCE = [Kind.ANSWERED, Kind.COMPLETED, Kind.CLOSED, Kind.VIEWED]
AGAIN = [Kind.IDENTIFY, Kind.SUBMIT, Kind.QUESTION]


def golden(name: str) -> list[dict[str, Any]]:
    vectors: list[dict[str, Any]] = json.loads((GOLDEN / name).read_text(encoding="utf-8"))
    return vectors


def kind_named(name: str) -> Kind:
    return Kind(name)


def submit_id(**other: Any) -> str:
    parts: dict[str, Any] = {
        "write_key": "key",
        "platform": "delighted",
        "connection": "shop",
        "response_id": "1",
        "kind": Kind.SUBMIT,
        "revision": 1,
    }
    return message_id(**(parts | other))


@pytest.mark.parametrize("vector", golden("message_ids.json"))
def test_i12_message_ids_are_those_of_every_earlier_release(vector: dict[str, Any]) -> None:
    expected = vector.pop("message_id")
    assert message_id(**(vector | {"kind": kind_named(vector["kind"])})) == expected


@pytest.mark.parametrize("vector", golden("person_uuids.json"))
def test_i12_made_up_anonymous_ids_are_those_of_every_earlier_release(vector: dict[str, Any]) -> None:
    expected = vector.pop("anonymous_id")
    assert person_uuid(**vector) == expected


def test_i12_the_golden_file_knows_every_kind() -> None:
    assert {vector["kind"] for vector in golden("message_ids.json")} == set(Kind)


ANY_TEXT = st.text(st.characters())


@given(ANY_TEXT, ANY_TEXT, st.sampled_from([*ONCE, *AGAIN]), st.integers(1, 10**6))
def test_i12_a_message_id_is_short_ascii_whatever_goes_in(
    write_key: str, response_id: str, kind: Kind, revision: int
) -> None:
    written = submit_id(write_key=write_key, response_id=response_id, kind=kind, revision=revision)
    assert re.fullmatch(r"nps-[0-9a-f]{40}", written)
    assert len(written) <= MESSAGE_ID_LIMIT == 64


PARTS = st.tuples(st.text("ab:,1"), st.text("ab:,1"), st.text("ab:,1"), st.text("ab:,1"))


@given(PARTS, PARTS)
def test_i12_other_parts_never_run_together_to_the_same_id(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    ids = {message_id(*parts, Kind.SUBMIT, 1) for parts in (one, other)}  # type: ignore[call-arg, arg-type]
    assert len(ids) == len({one, other})


@pytest.mark.parametrize("kind", ONCE)
def test_i12_what_is_said_once_has_one_id_at_every_revision(kind: Kind) -> None:
    assert submit_id(kind=kind, revision=7) == submit_id(kind=kind, revision=1)


@pytest.mark.parametrize("kind", AGAIN)
def test_what_is_said_of_each_revision_has_an_id_for_each(kind: Kind) -> None:
    assert submit_id(kind=kind, revision=7) != submit_id(kind=kind, revision=1)


@pytest.mark.parametrize("kind", [Kind.SUBMIT, Kind.ANSWERED])
def test_a_response_still_held_back_has_no_message_id(kind: Kind) -> None:
    with pytest.raises(ValueError, match="revisions start at 1"):
        submit_id(kind=kind, revision=0)


def test_f46_two_write_keys_give_two_ids_and_neither_shows_its_key() -> None:
    assert submit_id(write_key="one") != submit_id(write_key="two")
    assert "secret" not in write_key_fingerprint("secret")


def test_a_lone_surrogate_counts_as_the_character_that_replaces_it() -> None:
    assert submit_id(response_id="\ud83d") == submit_id(response_id="\ufffd")


def test_a_split_surrogate_pair_is_joined() -> None:
    assert well_formed("a\ud83d\ude42b\ude42") == "a🙂b\ufffd"


@pytest.mark.parametrize(
    ("given_email", "expected"),
    [
        (" Ana@Example.ORG\n", "ana@example.org"),
        ("ana+news@example.org", "ana+news@example.org"),
        ("jörg@bücher.example", "jörg@bücher.example"),
        ('"odd@name"@example.org', '"odd@name"@example.org'),
        ("a" * 300 + "@example.org", "a" * 300 + "@example.org"),
        (None, None),
        ("", None),
        ("  ", None),
        ("null", None),
        ("@example.org", None),
        ("ana@", None),
        ("ana and bob@example.org", None),
    ],
)
def test_f33_emails_are_stripped_and_lower_cased_and_else_left_alone(
    given_email: str | None, expected: str | None
) -> None:
    assert normalised_email(given_email) == expected


def test_the_same_email_is_the_same_person_at_every_platform() -> None:
    one = person_uuid(platform="delighted", connection="a", response_id="1", email="ana@example.org", person_id="7")
    other = person_uuid(platform="promoter", connection="b", response_id="2", email="ANA@example.org")
    assert one == other


def test_two_anonymous_answers_are_two_people() -> None:
    one, other = (person_uuid(platform="delighted", connection="a", response_id=each) for each in "12")
    assert one != other

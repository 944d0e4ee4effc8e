"""The identity ladder, and the keys that follow from it."""

from datetime import UTC, datetime

import msgspec
import pytest

from npsbridge.core.identity import carries_traits, delivery_person, is_anonymous, person_keys, resolve
from npsbridge.core.keys import person_uuid, real_id
from npsbridge.core.model import Identity, Respondent, Response

EMAIL = "ana@example.org"
RESPONSE = Response(
    platform="delighted",
    connection="shop",
    id="430021",
    survey_type="nps",
    score=9,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def answer_of(person: Respondent) -> Response:
    return msgspec.structs.replace(RESPONSE, person=person)


def identity_of(person: Respondent, known: Identity | None = None, *, allow: bool = False) -> Identity:
    return resolve(answer_of(person), known, allow_email_user_id=allow)


def made_up(email: str | None = None, person_id: str | None = None) -> str:
    return person_uuid(platform="delighted", connection="shop", response_id="430021", email=email, person_id=person_id)


def test_a_user_id_that_came_back_wins_over_everything() -> None:
    person = Respondent(id="7", email=EMAIL, user_id="u_1", anonymous_id="a_1")
    known = Identity(user_id="u_2", email=EMAIL)
    assert identity_of(person, known, allow=True) == Identity(user_id="u_1", email=EMAIL)


def test_an_anonymous_id_that_came_back_wins_over_what_we_know_of_the_email() -> None:
    person = Respondent(email=EMAIL, anonymous_id="a_1")
    assert identity_of(person, Identity(user_id="u_2")) == Identity(anonymous_id="a_1", email=EMAIL)


def test_what_we_know_of_the_email_comes_second() -> None:
    known = Identity(user_id="u_2", anonymous_id="a_2")
    assert identity_of(Respondent(id="7", email=EMAIL), known, allow=True) == Identity(user_id="u_2", email=EMAIL)


def test_a_known_anonymous_id_goes_before_the_email_as_user_id() -> None:
    identity = identity_of(Respondent(email=EMAIL), Identity(anonymous_id="a_2"), allow=True)
    assert identity == Identity(anonymous_id="a_2", email=EMAIL)


def test_the_email_is_the_user_id_only_if_allowed() -> None:
    person = Respondent(id="7", email=" Ana@Example.org ")
    assert identity_of(person, allow=True) == Identity(user_id=EMAIL, email=EMAIL)
    assert identity_of(person, allow=False) == Identity(anonymous_id=made_up(email=EMAIL), email=EMAIL)


def test_f33_a_person_without_email_is_known_by_the_vendors_id() -> None:
    assert identity_of(Respondent(id="7"), allow=True) == Identity(anonymous_id=made_up(person_id="7"))


def test_f33_an_anonymous_answer_has_an_identity_of_its_own() -> None:
    assert identity_of(Respondent(), allow=True) == Identity(anonymous_id=made_up())


NO_IDS = ["", " ", "\t\n", "null", "NULL", "undefined", "anonymous", "-1", "0", "00000000-0000-0000-0000-000000000000"]


@pytest.mark.parametrize("nobody", NO_IDS)
def test_f33_ids_that_are_no_ids_count_as_absent_on_every_rung(nobody: str) -> None:
    person = Respondent(id=nobody, email=nobody, user_id=nobody, anonymous_id=nobody)
    known = Identity(user_id=nobody, anonymous_id=nobody)
    assert identity_of(person, known, allow=True) == Identity(anonymous_id=made_up())


@pytest.mark.parametrize("somebody", ["1", "-2", "0x0", "nullable", " u_1 ", "10", "用户"])
def test_other_ids_are_left_as_they_are(somebody: str) -> None:
    assert real_id(somebody) == somebody


@pytest.mark.parametrize(
    "person",
    [Respondent(id="7"), Respondent(email=EMAIL), Respondent(user_id="u"), Respondent(anonymous_id="a")],
)
def test_an_answer_with_any_trace_of_a_person_is_not_anonymous(person: Respondent) -> None:
    assert not is_anonymous(person)
    assert carries_traits(answer_of(person))


def test_a_name_alone_does_not_tell_who_it_is() -> None:
    assert is_anonymous(Respondent(name="Ana", email="n/a"))


def test_i14_the_newest_answer_is_remembered_under_email_and_id() -> None:
    person = Respondent(email=EMAIL, user_id="u_1")
    assert person_keys(answer_of(person), identity_of(person)) == (f"email:{EMAIL}", "user:u_1")


def test_i14_without_email_the_newest_answer_is_remembered_under_the_id() -> None:
    person = Respondent(anonymous_id="a_1")
    assert person_keys(answer_of(person), identity_of(person)) == ("anonymous:a_1",)


def test_i14_an_anonymous_answer_is_nobodys_newest() -> None:
    assert person_keys(RESPONSE, identity_of(Respondent())) == ()


def test_i14_a_csat_answer_never_makes_an_nps_answer_look_old() -> None:
    person = Respondent(user_id="u_1")
    csat = msgspec.structs.replace(answer_of(person), survey_type="csat")
    assert person_keys(csat, identity_of(person)) == ()


@pytest.mark.parametrize(
    ("identity", "key"),
    [
        (Identity(user_id="u_1", email=EMAIL), "user:u_1"),
        (Identity(anonymous_id="u_1", email=EMAIL), "anonymous:u_1"),
    ],
)
def test_i5_deliveries_keep_their_order_within_the_id_they_go_out_under(identity: Identity, key: str) -> None:
    assert delivery_person(identity) == key

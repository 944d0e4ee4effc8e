import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.core.people import IdKind, PersonId
from npsbridge.store.traces import Traces

ANN = "ann+nps@example.com"
IDN = "jörg@exämple.de"


def traces(*emails: str, user_id: str | None = None) -> Traces:
    ids = [PersonId(IdKind.EMAIL, email) for email in emails]
    return Traces([*ids, PersonId(IdKind.USER, user_id)] if user_id else ids)


@pytest.mark.parametrize("text", [ANN, ANN.upper(), f"<{ANN}>", f"mail {ANN}.", f"mailto:{ANN}?x=1", f"{ANN}, b@x.de"])
def test_an_email_is_found_wherever_it_stands_as_a_whole(text: str) -> None:
    assert traces(ANN).in_text(text)


@pytest.mark.parametrize(
    "text", [f"x{ANN}", f"x.{ANN}", f"x-{ANN}", f"{ANN}.au", f"{ANN}munity", "ann@example.com", ""]
)
def test_a_longer_or_shorter_address_is_another(text: str) -> None:
    assert not traces(ANN).in_text(text)


@pytest.mark.parametrize("email", [ANN, IDN, "o'neil@example.com"])
def test_an_email_is_found_in_a_form(email: str) -> None:
    form = urlencode({"email": email, "send": "true"}) if email == ANN else f"email={email}"
    assert traces(email).in_body(form.encode())


@pytest.mark.parametrize("name", ["userId", "user_id", "anonymousId", "previousId", "segment_user_id", "User ID"])
@pytest.mark.parametrize("value", ["7", 7])
def test_an_id_counts_under_a_name_that_says_so(name: str, value: object) -> None:
    assert traces(user_id="7").in_value({"deep": [{name: value}]})


def test_an_id_counts_in_a_list_under_such_a_name() -> None:
    assert traces(user_id="7").in_value({"userId": ["8", "7"]})


@pytest.mark.parametrize("value", [{"score": 7}, {"id": "7"}, {"userId": 77}, {"userId": None}, ["7"]])
def test_the_same_text_elsewhere_is_no_id(value: object) -> None:
    assert not traces(user_id="7").in_value(value)


def test_an_email_may_be_the_name_of_something() -> None:
    assert traces(ANN).in_value({"data": {ANN: {"status": "created"}}})


def test_an_entry_that_is_no_json_goes_as_a_whole() -> None:
    assert traces(ANN).redact(b"{" + ANN.encode(), 3) == (b"[]", 3)
    assert traces(ANN).redact(b"{", 3) is None


def test_records_of_others_stay_as_the_bytes_they_were() -> None:
    body = b'[ {"a": 1.0,"b":"\\u00e4"} , {"email":"%b"},3]' % ANN.encode()
    assert traces(ANN).redact(body, 3) == (b'[{"a": 1.0,"b":"\\u00e4"},3]', 1)


def test_a_body_nested_beyond_reason_does_no_harm() -> None:
    assert traces(ANN).redact(b"[" * 100_000 + b"]" * 100_000, 1) is None


@given(st.emails(), st.booleans(), st.text(), st.booleans())
def test_whatever_is_a_trace_has_a_needle_in_it(email: str, as_ascii: bool, beside: str, in_capitals: bool) -> None:  # noqa: FBT001 - drawn
    text = email.upper() if in_capitals and email.upper().lower() == email.lower() else email
    found = traces(email.lower())
    body = json.dumps({"x": beside, "email": text}, ensure_ascii=as_ascii).encode(errors="replace")
    assert found.in_body(body)
    assert any(needle.encode() in body.lower() for needle in found.needles)

"""What goes into one request, and in which order requests are made."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from npsbridge.core.model import Delivery
from npsbridge.platforms.retently.trigger import REQUEST_BYTES, Trigger, parts, understood
from unit.platforms.retently.forwarding import PURCHASE, VISIT, survey


def triggers(*deliveries: Delivery) -> list[Trigger]:
    found = [understood(one) for one in deliveries]
    return [one for one in found if one is not None]


def ids(*deliveries: Delivery) -> list[list[int]]:
    return [[one.delivery.id for one in part] for part in parts(triggers(*deliveries))]


def test_people_are_together_by_campaign() -> None:
    assert ids(survey(1), survey(2, campaign=VISIT), survey(3)) == [[1, 3], [2]]


def test_nobody_is_in_a_request_twice() -> None:
    assert ids(survey(1, "a@b.c"), survey(2, "a@b.c"), survey(3)) == [[1, 3], [2]]


def test_a_person_with_two_emails_keeps_their_order() -> None:
    first, second = survey(2, "x@b.c", person=1, campaign=VISIT), survey(3, "y@b.c", person=1)
    assert ids(survey(1, person=2), first, second) == [[1], [2], [3]]


def test_a_request_that_would_be_too_large_is_split() -> None:
    large = "x" * (REQUEST_BYTES // 2)
    assert ids(survey(1, first_name=large), survey(2, first_name=large), survey(3)) == [[1], [2, 3]]


def test_what_is_no_request_for_one_survey_is_not_understood() -> None:
    good = survey(1)
    bodies = [b"{}", b"", b'{"campaign":"c","subscribers":[]}', b'{"campaign":"c","subscribers":[{"email":1}]}']
    assert understood(good) is not None
    assert understood(survey(1, kind="identify")) is None
    for body in bodies:
        assert understood(Delivery(**(as_fields(good) | {"body": body}))) is None


def as_fields(delivery: Delivery) -> dict[str, Any]:
    return {name: getattr(delivery, name) for name in delivery.__struct_fields__}


@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.sampled_from(["a@x.y", "b@x.y", "c@x.y"]), st.sampled_from([PURCHASE, VISIT])),
        max_size=20,
    )
)
def test_i5_nothing_is_lost_and_a_person_and_an_email_keep_their_order(asked: list[tuple[int, str, str]]) -> None:
    deliveries = [
        survey(number, email, person=person, campaign=campaign)
        for number, (person, email, campaign) in enumerate(asked, start=1)
    ]
    found = parts(triggers(*deliveries))
    in_order = [one.delivery for part in found for one in part]
    assert sorted(one.id for one in in_order) == [one.id for one in deliveries]
    for key in {one.person for one in deliveries}:
        own = [one.id for one in in_order if one.person == key]
        assert own == sorted(own)
    for part in found:
        assert len({one.email for one in part}) == len(part)
        assert len({one.campaign for one in part}) == 1

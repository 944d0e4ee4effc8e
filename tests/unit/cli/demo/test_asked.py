"""What each look-alike recorded is read in the same words."""

import pytest

from npsbridge.cli.demo.asked import AskedOf, repeated
from unit.cli.demo.asking import ACCOUNTS, described, note, recorded, surveyed

DESCRIBED = ["delighted", "satismeter", "promoter"]


@pytest.mark.parametrize("platform", DESCRIBED)
def test_somebody_who_is_described_is_read(platform: str) -> None:
    (ask,) = recorded(platform, described(platform, "u-1", visits=2)).asks
    assert (ask.user_id, ask.is_survey, ask.traits) == ("u-1", False, ("free", "2"))


@pytest.mark.parametrize("platform", ACCOUNTS)
def test_a_survey_is_read_with_its_order_where_the_vendor_takes_it(platform: str) -> None:
    (ask,) = recorded(platform, surveyed(platform, "u-1", "S-1")).surveys
    assert (ask.user_id, ask.is_survey) == ("u-1", True)
    assert ask.order == (None if platform == "satismeter" else "S-1")


def test_several_people_in_one_request_are_several_asks() -> None:
    body = surveyed("retently", "u-1", "S-1")
    body["subscribers"] += surveyed("retently", "u-2", "S-2")["subscribers"]
    asked = recorded("retently", body)
    assert ([ask.user_id for ask in asked.asks], asked.requests) == (["u-1", "u-2"], 1)


def test_the_newest_description_counts() -> None:
    bodies = [described("promoter", "u-1", visits=visits) for visits in (1, 2)]
    assert recorded("promoter", *bodies).newest == {"u-1": ("free", "2")}


def test_what_was_only_read_or_stopped_by_a_fault_is_left_out() -> None:
    account = ACCOUNTS["delighted"]()
    note(account, {}, method="GET")
    note(account, described("delighted", "u-1"), status=503, fault="answer")
    note(account, described("delighted", "u-2"))
    assert [ask.user_id for ask in AskedOf(account).asks] == ["u-2"]


def test_a_request_counts_when_it_is_answered() -> None:
    account = ACCOUNTS["delighted"]()
    note(account, described("delighted", "u-1"), status=None)
    asked = AskedOf(account)
    assert asked.requests == 0
    account.requests[0].status = 200
    note(account, described("delighted", "u-2"))
    assert [ask.user_id for ask in asked.asks] == ["u-1", "u-2"]


def test_who_is_described_as_before_is_counted() -> None:
    same = described("satismeter", "u-1")
    bodies = [same, described("satismeter", "u-2"), same, described("satismeter", "u-1", visits=1), same]
    assert repeated(recorded("satismeter", *bodies).asks) == 1

"""Whether an act was asked for on a page of ours."""

import pytest

from npsbridge.web.dashboard.forgery import PERIOD, Seal, is_of_our_own

NOW = 1_772_366_400_000
PERIOD_MS = PERIOD * 1000


def test_a_token_is_good_for_its_own_act_alone() -> None:
    seal = Seal()
    token = seal.token("drop 7", NOW)
    assert seal.knows(token, "drop 7", NOW)
    assert not seal.knows(token, "drop 8", NOW)
    assert not seal.knows(token, "retry 7", NOW)


@pytest.mark.parametrize("token", ["", "0" * 64, "\ud800", "é"])
def test_what_is_no_token_is_not_taken_for_one(token: str) -> None:
    assert not Seal().knows(token, "drop 7", NOW)


def test_another_process_does_not_know_it() -> None:
    assert not Seal().knows(Seal().token("drop 7", NOW), "drop 7", NOW)


def test_a_token_lasts_for_a_period_and_not_for_two() -> None:
    seal, begin = Seal(), NOW - NOW % PERIOD_MS
    token = seal.token("drop 7", begin)
    assert seal.knows(token, "drop 7", begin + 2 * PERIOD_MS - 1)
    assert not seal.knows(token, "drop 7", begin + 2 * PERIOD_MS)


def test_the_secret_is_not_shown() -> None:
    seal = Seal(b"the-secret")
    assert "the-secret" not in repr(seal)


@pytest.mark.parametrize(
    ("headers", "is_ours"),
    [
        ({}, True),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:8081"}, True),
        ({"Origin": "http://127.0.0.1:8081"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Origin": "http://127.0.0.1:9999"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"}, False),
    ],
)
def test_where_a_browser_says_it_comes_from_counts(headers: dict[str, str], is_ours: bool) -> None:  # noqa: FBT001
    assert is_of_our_own(headers, "127.0.0.1:8081") is is_ours

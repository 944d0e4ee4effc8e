"""What somebody narrowed the answers to."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.web.dashboard.filters import Filters
from npsbridge.web.dashboard.score import DAY_MS

NOON = 20_514 * DAY_MS + DAY_MS // 2
TOMORROW = 20_515 * DAY_MS
PLATFORMS = {"eu": "delighted", "delighted": "delighted", "retently": "retently"}


def test_nothing_said_means_the_last_90_whole_days_of_nps() -> None:
    wanted = Filters.read({}).wanted(PLATFORMS, NOON)
    assert (wanted.since, wanted.until, wanted.survey_type) == (TOMORROW - 90 * DAY_MS, TOMORROW, "nps")
    assert wanted.connections == ("delighted", "eu", "retently")


@pytest.mark.parametrize(
    ("query", "since", "until"),
    [
        ({"range": "30"}, TOMORROW - 30 * DAY_MS, TOMORROW),
        ({"range": "all"}, None, TOMORROW),
        ({"since": "2026-03-01"}, 20_513 * DAY_MS, TOMORROW),
        ({"until": "2026-03-01"}, None, 20_514 * DAY_MS),
        ({"range": "7", "since": "2026-02-01", "until": "2026-02-01"}, 20_485 * DAY_MS, 20_486 * DAY_MS),
    ],
)
def test_times_are_whole_days_and_dates_win(query: dict[str, str], since: int | None, until: int) -> None:
    assert Filters.read(query).stretch(NOON) == (since, until)


@pytest.mark.parametrize(
    ("query", "connections"),
    [
        ({"platform": "delighted"}, ("delighted", "eu")),
        ({"connection": "eu"}, ("eu",)),
        ({"connection": "eu", "platform": "retently"}, ()),
        ({"connection": "gone"}, ()),
    ],
)
def test_connections_and_platforms_narrow(query: dict[str, str], connections: tuple[str, ...]) -> None:
    assert Filters.read(query).wanted(PLATFORMS, NOON).connections == connections


@pytest.mark.parametrize(
    ("category", "inside", "outside"),
    [("detractor", [0, 6, 6.5], [7, 10]), ("passive", [7, 8, 8.5], [6.9999, 9]), ("promoter", [9, 10], [8.9999, 0])],
)
def test_a_camp_is_a_stretch_of_scores(category: str, inside: list[float], outside: list[float]) -> None:
    wanted = Filters.read({"category": category}).wanted(PLATFORMS, NOON)

    def is_meant(score: float) -> bool:
        low = wanted.lowest is None or score >= wanted.lowest
        return low and (wanted.highest is None or score <= wanted.highest)

    assert all(map(is_meant, inside))
    assert not any(map(is_meant, outside))


@pytest.mark.parametrize(
    "query",
    [
        {"range": "1e9", "sort": "up", "category": "angry", "window": "0"},
        {"since": "yesterday", "until": "2026-02-30"},
        {"page": "-1"},
        {"page": "9" * 50},
        {"page": "²"},
        {"comments": "maybe", "commented": "x"},
    ],
)
def test_what_makes_no_sense_counts_as_not_said(query: dict[str, str]) -> None:
    assert Filters.read(query) == Filters()


@given(st.dictionaries(st.sampled_from(Filters.__struct_fields__), st.text()))
def test_any_address_can_be_read(query: dict[str, str]) -> None:
    Filters.read(query).wanted(PLATFORMS, NOON)


def test_an_address_says_what_is_not_as_usual_and_leads_back() -> None:
    filters = Filters.read({"range": "30", "campaign": "a&b=c", "sort": "low", "page": "3"})
    address = filters.address(page=4)
    assert dict(parse_qsl(urlsplit(address).query)) == {
        "range": "30",
        "campaign": "a&b=c",
        "sort": "low",
        "page": "4",
    }
    assert filters.address(range="90", campaign="", sort="new") == "/nps"

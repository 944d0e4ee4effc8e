"""How numbers, times and other people's texts are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.web.dashboard import words

NOW = 1_772_366_400_000
DAY = 86_400_000


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (NOW, "now"),
        (NOW - 4_999, "now"),
        (NOW - 5_000, "5 s ago"),
        (NOW - 90_000, "1 min ago"),
        (NOW - 2 * 3_600_000, "2 h ago"),
        (NOW - DAY, "1 day ago"),
        (NOW - 40 * DAY, "40 days ago"),
        (NOW + 4_999, "now"),
        (NOW + 61_000, "in 1 min"),
    ],
)
def test_times_are_told_from_now(at: int, text: str) -> None:
    assert words.ago(at, NOW).replace("\N{NO-BREAK SPACE}", " ") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "\N{EN DASH}"), (0.4, "0"), (-0.4, "0"), (12.5, "+12"), (31.6, "+32"), (-50.0, "\N{MINUS SIGN}50")],
)
def test_an_nps_has_its_sign_and_no_fraction(value: float | None, text: str) -> None:
    assert words.signed(value) == text


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain\nlines\tstay", "plain\nlines\tstay"),
        ("a\u202eb", "a[U+202E]b"),
        ("\u2066x\u2069", "[U+2066]x[U+2069]"),
        ("\u200b\ufeff\u00ad", "[U+200B][U+FEFF][U+00AD]"),
        ("\x00\x1b[31m", "[U+0000][U+001B][31m"),
        # A Persian word, which a non-joiner keeps in two parts.
        ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u200c\u062e"),
        ("👩\u200d💻", "👩\u200d💻"),
        ("\ue000", "[U+E000]"),
        ("\u2028", "[U+2028]"),
        ("\ud800", "[U+D800]"),
    ],
)
def test_what_cannot_be_seen_is_named(text: str, seen: str) -> None:
    assert words.visible(text) == seen


@given(st.text())
def test_a_text_shown_can_be_sent_and_turns_nothing_around(text: str) -> None:
    shown = words.visible(text)
    shown.encode()
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")


@given(st.text(), st.integers(1, 50))
def test_a_shortened_text_is_a_beginning(text: str, most: int) -> None:
    short = words.shortened(text, most)
    assert short == text or (text.startswith(short[:-1]) and len(short) <= most + 1 and short.endswith("…"))


def test_a_text_is_cut_between_words_where_one_ends_near() -> None:
    assert words.shortened("the quick brown fox", 12) == "the quick…"
    assert words.shortened("x" * 20, 12) == "x" * 12 + "…"


@pytest.mark.parametrize("url", ["https://delighted.com/r/1", "http://x.example/?a=b#c", " https://x.example "])
def test_links_to_web_pages_are_links(url: str) -> None:
    assert words.safe_link(url) == url.strip()


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "//x.example", "https:", "http://[", 7, None],
)
def test_all_else_is_none(url: object) -> None:
    assert words.safe_link(url) is None

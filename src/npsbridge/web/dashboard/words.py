"""How numbers, times and other people's texts are written on a page (pure)."""

import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from npsbridge.core.times import iso_utc

TITLES: Final = {
    "delighted": "Delighted",
    "retently": "Retently",
    "satismeter": "SatisMeter",
    "promoter": "Promoter.io",
    "segment": "Segment",
    "heap": "Heap",
}
"""Platforms as their vendors write them; one from outside is called by its own name."""
_JUST_NOW: Final = 5
_STEPS: Final = ((86_400, "day"), (3_600, "h"), (60, "min"), (1, "s"))
_JOINERS: Final = "\u200c\u200d"
"""Zero-width, and yet a part of words in Persian and Hindi, and of emojis."""
_LAYOUT: Final = "\n\t"


def title(platform: str) -> str:
    """A platform by the name that its vendor writes."""
    return TITLES.get(platform, platform)


def number(amount: float) -> str:
    """A count with its thousands apart."""
    return f"{amount:,.0f}"


def signed(value: float | None) -> str:
    """An NPS: whole, with its sign; a dash when there is none."""
    if value is None:
        return "\N{EN DASH}"
    whole = round(value)
    return f"+{whole}" if whole > 0 else f"\N{MINUS SIGN}{-whole}" if whole < 0 else "0"


def score(value: float | None) -> str:
    """A score without a superfluous fraction; a dash when there is none."""
    return "\N{EN DASH}" if value is None else f"{value:g}"


def share(part: float) -> str:
    """A part of one in percent."""
    return f"{part:.0%}"


def span(seconds: float) -> str:
    """A length of time by its largest unit, such as `3 min`; days are counted in words."""
    for step, unit in _STEPS:
        if seconds >= step:
            count = int(seconds // step)
            return f"{count}\N{NO-BREAK SPACE}{unit}{'s' if unit == 'day' and count > 1 else ''}"
    return "0\N{NO-BREAK SPACE}s"


def ago(at: int, now: int) -> str:
    """How long ago something was, or in how long it will be; both in milliseconds since 1970."""
    seconds = (now - at) / 1000
    if seconds < -_JUST_NOW:
        return f"in {span(-seconds)}"
    return "now" if seconds < _JUST_NOW else f"{span(seconds)} ago"


def moment(at: int) -> datetime:
    """A stored time, in UTC."""
    return datetime.fromtimestamp(at / 1000, UTC)


def machine_time(at: int) -> str:
    """A stored time as `datetime` attributes have it."""
    return iso_utc(moment(at))


def full_time(at: int) -> str:
    """A stored time for people, to the second."""
    return f"{moment(at):%Y-%m-%d %H:%M:%S} UTC"


def date(at: int) -> str:
    """The day of a stored time."""
    return f"{moment(at):%-d %b %Y}"


def visible(text: str) -> str:
    """Somebody else's text with whatever cannot be seen in it made visible, such as `[U+202E]`.

    What would turn the direction of the rest, or hide in it, is named; joiners of words and emojis stay, as do
    line breaks.
    """
    return "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character in _LAYOUT or character in _JOINERS:
        return character
    if unicodedata.category(character) in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}:
        return f"[U+{ord(character):04X}]"
    return character


def shortened(text: str, most: int) -> str:
    """The beginning of a text, at most so many characters, to the end of a word where one is near."""
    if len(text) <= most:
        return text
    cut = text[:most]
    head, blank, _ = cut.rpartition(" ")
    return f"{head if blank and len(head) >= most * 3 // 4 else cut}\N{HORIZONTAL ELLIPSIS}"


def safe_link(url: object) -> str | None:
    """A link that leads to a web page, or None: what a vendor sends may be anything."""
    if not isinstance(url, str):
        return None
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return None
    return url.strip() if parts.scheme in {"http", "https"} and parts.netloc else None


def twice(text: str) -> tuple[str, str]:
    """An option that is called what it is."""
    return text, text


def titled(platform: str) -> tuple[str, str]:
    """An option for a platform."""
    return platform, title(platform)


FILTERS: Final[dict[str, Callable[..., object]]] = {
    "title_of": title,
    "title_pair": titled,
    "twice": twice,
    "number": number,
    "signed": signed,
    "score": score,
    "share": share,
    "span": span,
    "machine_time": machine_time,
    "full_time": full_time,
    "date": date,
    "visible": visible,
    "shortened": shortened,
    "safe_link": safe_link,
}
"""By the names that templates know them by."""

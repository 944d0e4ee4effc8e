"""What somebody narrowed the answers to, read from an address and written into one (pure).

Whatever makes no sense is taken for not said: an address may be old, or typed by hand.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from math import nextafter
from typing import Final
from urllib.parse import urlencode

import msgspec

from npsbridge.core.model import Record
from npsbridge.core.times import milliseconds
from npsbridge.core.views import Answers
from npsbridge.web.dashboard.score import DAY_MS

RANGES: Final = {"7": "Last 7 days", "30": "Last 30 days", "90": "Last 90 days", "365": "Last year", "all": "All time"}
WINDOWS: Final = {"7": "7 days", "30": "30 days", "90": "90 days"}
CATEGORIES: Final = {"detractor": "Detractors (0-6)", "passive": "Passives (7-8)", "promoter": "Promoters (9-10)"}
SORTS: Final = {"new": "Newest first", "low": "Unhappiest first"}
OPTIONS: Final = {"range": RANGES, "window": WINDOWS, "category": CATEGORIES, "sort": SORTS}
"""What can be chosen, and how it is called, by the name of the filter."""
NPS: Final = "nps"
PAGE: Final = 20
_LAST_PAGE: Final = 10_000
# From and to, both included; scores may have fractions, so that a camp ends right before the next one.
_BOUNDS: Final[dict[str, tuple[float | None, float | None]]] = {
    "detractor": (None, nextafter(7, 0)),
    "passive": (7, nextafter(9, 0)),
    "promoter": (9, None),
}


class Filters(Record, frozen=True, kw_only=True):
    """What is meant by an address of the NPS page."""

    range: str = "90"
    since: str = ""
    until: str = ""
    """Days, as a date field writes them; they win over the range."""
    connection: str = ""
    platform: str = ""
    campaign: str = ""
    category: str = ""
    survey: str = NPS
    window: str = "30"
    sort: str = "new"
    commented: str = ""
    """`only`: answers without a comment are left out."""
    comments: str = ""
    """`hide`: what people wrote is not shown."""
    page: int = 1

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "Filters":
        """From the query of an address."""
        page = query.get("page", "1")
        return cls(
            range=_one_of(RANGES, query.get("range"), "90"),
            since=_day_text(query.get("since")),
            until=_day_text(query.get("until")),
            connection=query.get("connection", ""),
            platform=query.get("platform", ""),
            campaign=query.get("campaign", ""),
            category=_one_of(CATEGORIES, query.get("category"), ""),
            survey=query.get("survey") or NPS,
            window=_one_of(WINDOWS, query.get("window"), "30"),
            sort=_one_of(SORTS, query.get("sort"), "new"),
            commented=_one_of({"only"}, query.get("commented"), ""),
            comments=_one_of({"hide"}, query.get("comments"), ""),
            page=min(max(int(page), 1), _LAST_PAGE) if page.isascii() and page.isdigit() and len(page) < 6 else 1,  # noqa: PLR2004 - digits of the last page
        )

    def address(self, **changes: str | int) -> str:
        """The address of the page with some of it changed; what is as usual is left out."""
        changed = msgspec.structs.replace(self, **({"page": 1} | changes))
        usual = Filters()
        said = {name: getattr(changed, name) for name in self.__struct_fields__}
        query = urlencode({name: value for name, value in said.items() if value != getattr(usual, name)})
        return f"/nps?{query}" if query else "/nps"

    @property
    def hides_comments(self) -> bool:
        """Whether what people wrote is not to be seen."""
        return self.comments == "hide"

    @property
    def is_narrowed(self) -> bool:
        """Whether less than everybody of the time is meant."""
        return bool(self.connection or self.platform or self.campaign or self.category or self.commented)

    @property
    def has_more(self) -> bool:
        """Whether something is said that the page keeps folded away."""
        usual = Filters()
        folded = ("since", "until", "platform", "survey", "window", "commented")
        return any(getattr(self, name) != getattr(usual, name) for name in folded)

    def stretch(self, now: int) -> tuple[int | None, int]:
        """From when, None for the beginning of time, and until when, in milliseconds since 1970; whole days."""
        tomorrow = (now // DAY_MS + 1) * DAY_MS
        since, until = _day_ms(self.since), _day_ms(self.until)
        end = until + DAY_MS if until is not None else tomorrow
        if since is not None or until is not None:
            return since, end
        return (None if self.range == "all" else end - int(self.range) * DAY_MS), end

    def wanted(self, platforms: Mapping[str, str], now: int) -> Answers:
        """Which answers are meant.

        Args:
            platforms: by name of each connection that has answers or is configured: its platform.
            now: milliseconds since 1970.
        """
        since, until = self.stretch(now)
        lowest, highest = _BOUNDS.get(self.category, (None, None))
        return Answers(
            connections=tuple(
                name
                for name, platform in sorted(platforms.items())
                if self.connection in {"", name} and self.platform in {"", platform}
            ),
            survey_type=self.survey,
            campaign=self.campaign or None,
            lowest=lowest,
            highest=highest,
            since=since,
            until=until,
            with_comment=bool(self.commented),
        )


def _one_of(known: Mapping[str, str] | set[str], given: str | None, otherwise: str) -> str:
    return given if given is not None and given in known else otherwise


def _day_text(given: str | None) -> str:
    return given if given and _day_ms(given) is not None else ""


def _day_ms(text: str) -> int | None:
    try:
        return milliseconds(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC))
    except ValueError:
        return None

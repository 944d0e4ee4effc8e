"""What the suite needs of a platform: an account that people answer in, and how that vendor words things.

One small class per vendor, in front of its look-alike; the tests know nothing of what is behind it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from npsbridge.core.model import Record
from npsbridge.sandbox.server import LookAlike, Now


class Answered(Record, frozen=True, kw_only=True):
    """An answer that somebody gives."""

    at: float
    """Seconds since 1970."""
    score: int = 9
    email: str | None = None
    comment: str | None = None


class Raw(Record, frozen=True, kw_only=True):
    """A record as a vendor might send it: every value as it comes, whatever it is."""

    case: str
    """Stands in the record, so that what became of it can be found."""
    number: Any
    at: Any
    score: Any = 9
    comment: Any = None
    """None: the case."""
    email: Any = "ana@example.org"
    person: Any = "p-1"
    """The vendor's id of the person."""
    survey_type: Any = None
    """None: whatever the vendor sends where there is only NPS."""
    more: Mapping[str, Any] = {}

    @property
    def text(self) -> Any:
        """The comment."""
        return self.case if self.comment is None else self.comment


class Account(ABC):
    """An account of the platform under test; what people do in it happens at once and without webhooks.

    Args:
        now: wall clock, seconds since 1970.
    """

    platform: ClassVar[str]
    """The platform's name."""
    entry_point: ClassVar[str | None] = None
    """`module:name` of a platform that is not built in; it is found by it, as that of an installed package is."""
    lists: ClassVar[str]
    """A part of the path of every request for the list of responses."""
    page_size: ClassVar[int] = 100
    """How many responses fit on a page."""
    limit: ClassVar[int]
    """The vendor's own limit, requests a minute, or what an operator is told to assume."""
    knows_survey_types: ClassVar[bool] = True
    """Whether the vendor says which kind of survey was answered."""
    key: ClassVar[str] = "API_KEY"
    """The setting to be named when the key is refused."""

    server: LookAlike

    @abstractmethod
    def __init__(self, now: Now) -> None:
        """Open the account."""

    @property
    @abstractmethod
    def token(self) -> str | None:
        """The last part of the webhook's URL; None where webhooks are signed."""

    @abstractmethod
    def settings(self) -> dict[str, str]:
        """What leads a daemon here, by the last part of the settings' names."""

    @abstractmethod
    def answer(self, given: Answered) -> str:
        """Somebody answers, or an answer of an earlier time becomes visible only now; returns its id."""

    @abstractmethod
    def edit(self, number: str, **changes: Any) -> None:
        """An answer gets another `score` or `comment`, now."""

    @abstractmethod
    def remove(self, number: str) -> None:
        """An answer is removed without a trace."""

    @abstractmethod
    def webhook(self, number: str) -> tuple[Mapping[str, str], bytes]:
        """Headers and body of a webhook about an answer as it is now."""

    @abstractmethod
    def record(self, raw: Raw) -> object:
        """A record in the vendor's own words."""

    @abstractmethod
    def page(self, records: list[object]) -> str:
        """The body of a list that has just these records."""

    @abstractmethod
    def limit_rate(self, requests: int) -> None:
        """From now on refuse who comes more often than so many times a minute."""

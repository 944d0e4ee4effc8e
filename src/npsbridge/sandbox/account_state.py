"""What the accounts behind the survey platforms share: switches, a clock, chance, news, and what was asked of them.

It knows neither HTTP nor any vendor.
"""

import random
from collections import Counter
from collections.abc import Callable
from typing import Generic, TypedDict, TypeVar

from npsbridge.core.model import Record
from npsbridge.sandbox.switches import AccountSwitches

SwitchesT = TypeVar("SwitchesT", bound=AccountSwitches)
NewsT = TypeVar("NewsT")


class Surroundings(TypedDict, Generic[NewsT]):
    """What an account is given beside its switches; see `AccountState`."""

    now: Callable[[], float]
    dice: random.Random
    on_news: Callable[[NewsT], None]


class Asked(Record, frozen=True, kw_only=True):
    """What callers of an account's API have asked for, in numbers."""

    people: int
    """How many people were made known or described, however often."""
    surveys: int
    """Surveys, or events that may lead to one."""
    throttled: int
    """Of these, those that were not sent because the person had been surveyed not long ago."""


class AccountState(Generic[SwitchesT, NewsT]):
    """The state behind an API.

    Args:
        switches: How the account behaves.
        now: Wall clock, seconds since 1970.
        dice: Source of chance.
        on_news: Told of everything a webhook would tell.

    Attributes:
        described: How often callers of the API made somebody known or described them, by the vendor's own key.
    """

    def __init__(
        self,
        switches: SwitchesT,
        *,
        now: Callable[[], float],
        dice: random.Random,
        on_news: Callable[[NewsT], None],
    ) -> None:
        self.switches = switches
        self.now = now
        self.dice = dice
        self.described: Counter[str] = Counter()
        self._on_news = on_news

    def second(self) -> int:
        """Now, in whole seconds since 1970."""
        return int(self.now())

    def adopt(self, switches: SwitchesT) -> None:
        """Behave by other switches from now on."""
        self.switches = switches

    def catch_up(self) -> None:
        """Let happen what is due by now; nothing, where nothing takes time."""

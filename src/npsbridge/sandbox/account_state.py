"""What the accounts behind the survey platforms' look-alikes share: switches, a clock, chance, and who is told of news.

It knows neither HTTP nor any vendor.
"""

import random
from collections.abc import Callable
from typing import Generic, TypedDict, TypeVar

from npsbridge.sandbox.switches import AccountSwitches

SwitchesT = TypeVar("SwitchesT", bound=AccountSwitches)
NewsT = TypeVar("NewsT")


class Surroundings(TypedDict, Generic[NewsT]):
    """What an account is given beside its switches; see `AccountState`."""

    now: Callable[[], float]
    dice: random.Random
    on_news: Callable[[NewsT], None]


class AccountState(Generic[SwitchesT, NewsT]):
    """The state behind an API.

    Args:
        switches: How the account behaves.
        now: Wall clock, seconds since 1970.
        dice: Source of chance.
        on_news: Told of everything a webhook would tell.
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
        self._on_news = on_news

    def second(self) -> int:
        """Now, in whole seconds since 1970."""
        return int(self.now())

    def adopt(self, switches: SwitchesT) -> None:
        """Behave by other switches from now on."""
        self.switches = switches

    def catch_up(self) -> None:
        """Let happen what is due by now; nothing, where nothing takes time."""

"""What surrounds the daemon in one world: four vendors, Segment, a clock that can be set, and how often things happen.

Everything about a world follows from its seed.
"""

import json
import random
from collections.abc import Callable
from typing import Any, Final

from contract.platforms.account import Account
from contract.platforms.vendors.delighted import DelightedAccount
from contract.platforms.vendors.promoter import PromoterAccount
from contract.platforms.vendors.retently import RetentlyAccount
from contract.platforms.vendors.satismeter import SatisMeterAccount
from end_to_end.outbound import ACTIVATION, CAMPAIGN, INVITATION, PURCHASE, SECRET, WRITE_KEY
from npsbridge.core.model import Record
from npsbridge.sandbox import SegmentServer

VENDORS: Final[dict[str, type[Account]]] = {
    kind.platform: kind for kind in (DelightedAccount, RetentlyAccount, SatisMeterAccount, PromoterAccount)
}
DOOR: Final = 8080
"""Where the daemon listens, whichever of its lives it is."""
EPOCH: Final = 1_775_001_600.0
"""When every world begins: 2026-04-01T00:00:00Z."""
REPORTS: Final = 400
"""SatisMeter is told nothing of an event but its name; so many names there are."""
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
CALMLY: Final = 4 * HOUR
"""Between two rounds when all is over and only the daily look back is waited for."""


class Nature(Record, frozen=True, kw_only=True):
    """What kind of world it is."""

    vendors: tuple[str, ...]
    pulse: float
    """Seconds between two rounds of polling, and about as many between two things that happen."""
    latency: float
    """Seconds that bytes are under way."""
    lag: float
    """Seconds after which an answer may become visible only; less than the overlap."""
    rate_limit: int
    """Requests a minute that each vendor is asked at most; 0 for no limit."""
    segment_limit: int
    settle: int
    on_unknown: str
    sample_rate: float
    delay: int
    has_webhooks: bool
    answers_before: int


def nature(chance: random.Random) -> Nature:
    """Draw one."""
    few = chance.choices((1, 2, 3, 4), weights=(5, 4, 1, 1))[0]
    return Nature(
        vendors=tuple(sorted(chance.sample(sorted(VENDORS), few))),
        pulse=chance.choice((MINUTE, 10 * MINUTE, HOUR)),
        latency=chance.choice((0.0, 0.02, 0.3)),
        lag=chance.choice((0.0, 0.0, 100.0)),
        rate_limit=chance.choice((0, 120, 600)),
        segment_limit=chance.choice((0, 5, 100)),
        settle=chance.choice((0, 0, 120)),
        on_unknown=chance.choice(("verify", "hold")),
        sample_rate=chance.choice((1.0, 0.5)),
        delay=chance.choice((0, 0, 3600)),
        has_webhooks=chance.random() < 0.5,
        answers_before=chance.choice((0, 3, 12)),
    )


class WallClock:
    """The daemon's own clock, which can be set; the vendors' clocks are right."""

    def __init__(self, elapsed: Callable[[], float]) -> None:
        self._elapsed = elapsed
        self.error = 0.0
        """Seconds that it is ahead."""
        self.furthest = 0.0
        """The most seconds that it has been ahead, ever."""

    def true(self) -> float:
        """Seconds since 1970, as everybody else has them."""
        return EPOCH + self._elapsed()

    def shown(self) -> float:
        """Seconds since 1970, as the daemon has them."""
        return self.true() + self.error

    def jump(self, seconds: float) -> None:
        """Somebody sets it."""
        self.error += seconds
        self.furthest = max(self.furthest, self.error)


class Places:
    """The vendors of a world, and Segment; enter each server before anything is asked of it.

    Attributes:
        accounts: The vendors by name.
        segment: Where answers are told.
    """

    def __init__(self, kind: Nature, clock: WallClock, chance: random.Random) -> None:
        self.accounts = {name: VENDORS[name](clock.true) for name in kind.vendors}
        self.segment = SegmentServer(now=clock.true)
        self._kind = kind
        for account in self.accounts.values():
            server: Any = account.server
            server.dice = random.Random(chance.random())  # noqa: S311 - repeatable
        self._quieten()
        if "retently" in self.accounts:
            _remember_surveys(self.servers["retently"])

    @property
    def servers(self) -> dict[str, Any]:
        """All of them, by name."""
        return {**{name: account.server for name, account in self.accounts.items()}, "segment": self.segment}

    def _quieten(self) -> None:
        """Nothing that would make the vendors refuse by themselves."""
        if "delighted" in self.accounts:
            self.servers["delighted"].change_switches({"throttle_days": None})

    def begin_webhooks(self, chance: random.Random) -> None:
        """Let the vendors send webhooks, in their own unreliable way."""
        if not self._kind.has_webhooks:
            return
        for server in (account.server for account in self.accounts.values()):
            assert hasattr(server, "send_webhooks_to")
            server.send_webhooks_to(f"http://127.0.0.1:{DOOR}")
            server.change_switches({"webhooks": _manners(chance)})

    def settings(self, store: str) -> dict[str, str]:
        """Settings that join all of it, by names without the prefix."""
        kind = self._kind
        shared = {
            "STORE_URL": store,
            "LISTEN": "127.0.0.1:0",
            "ADMIN_LISTEN": "127.0.0.1:0",
            "SEGMENT__WRITE_KEY": self.segment.write_keys[0],
            "SEGMENT__BASE_URL": self.segment.base_url,
            "SEGMENT__RATE_LIMIT": str(kind.segment_limit),
            "EVENTS__SETTLE": str(kind.settle),
            "INGEST__WRITE_KEYS": json.dumps([WRITE_KEY]),
            "INGEST__WEBHOOK_SECRET": SECRET,
        }
        for name, account in self.accounts.items():
            own = {**account.settings(), **_usual(name, kind), **_TRIGGERS[name](account.server, kind)}
            shared |= {f"{name.upper()}__{key}": value for key, value in own.items()}
        return shared


def _remember_surveys(server: Any) -> None:
    """Retently's requests do not say what they were asked with; note it where they are made, as `asked_with`."""
    server.asked_with, ask = [], server.account.ask_survey

    def asking(email: str, campaign_id: str, *, delay_days: float = 0.0) -> Any:
        request = ask(email, campaign_id, delay_days=delay_days)
        step = server.account.find_customer(email).properties["step"]
        server.asked_with.append((int(step), request))
        return request

    server.account.ask_survey = asking


def _usual(name: str, kind: Nature) -> dict[str, str]:
    on_unknown = "hold" if name == "satismeter" else kind.on_unknown
    return {
        "POLL_INTERVAL": str(int(kind.pulse)),
        "RATE_LIMIT": str(kind.rate_limit),
        "ON_UNKNOWN": on_unknown,
    }


def _manners(chance: random.Random) -> dict[str, Any]:
    """How webhooks travel in a world."""
    return {
        "copies": chance.choice((1, 1, 2)),
        "reorder": chance.choice((1, 3)),
        "delay": chance.choice((0.0, 5.0, 200.0)),
        "drop_every": chance.choice((None, 2)),
        "attempts": chance.choice((1, 4)),
    }


_TRIGGERS: Final[dict[str, Callable[[Any, Nature], dict[str, str]]]] = {
    "delighted": lambda _, kind: {
        "SURVEYS": json.dumps({PURCHASE: {"sample_rate": kind.sample_rate, "delay": kind.delay}})
    },
    "retently": lambda server, _: {"CAMPAIGNS": json.dumps({server.account.default_campaign: [ACTIVATION]})},
    "satismeter": lambda *_: {"EVENTS": json.dumps([report(number) for number in range(REPORTS)])},
    "promoter": lambda *_: {"SURVEYS": json.dumps([INVITATION]), "CAMPAIGN_ID": str(CAMPAIGN)},
}
"""By vendor: the settings that name what triggers a survey there."""


def report(step: int) -> str:
    """The name of an event that SatisMeter is told of."""
    return f"Report {step % REPORTS}"


def trigger(vendor: str, step: int) -> str:
    """The name of an event that makes a vendor survey somebody."""
    names = {"delighted": PURCHASE, "retently": ACTIVATION, "promoter": INVITATION, "satismeter": report(step)}
    return names[vendor]

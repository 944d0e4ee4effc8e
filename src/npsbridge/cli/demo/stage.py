"""What the demo plays on: look-alikes of every vendor, the real daemon between them, and a folder for its store.

The daemon's settings come from here alone: whatever the user has set for a real one is not read.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npsbridge.cli.demo.asked import AskedOf
from npsbridge.cli.demo.daemon import Daemon, living_daemon
from npsbridge.cli.demo.heard import Heard
from npsbridge.cli.demo.sdk import SECRET, WRITE_KEY
from npsbridge.cli.demo.shop import ORDERED, Shop
from npsbridge.cli.demo.titles import SURVEY_PLATFORMS
from npsbridge.cli.demo.truth import AnyAccount, Truth, all_given, closed_at, count_at, opened_at
from npsbridge.clock import Clock
from npsbridge.platforms import settings_classes
from npsbridge.sandbox import Sandbox, open_sandbox
from npsbridge.settings import Settings, load


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How much happens, and how fast. The defaults are for eyes; all times are seconds."""

    people: int = 400
    storm: int = 40
    """How often everybody in the identify storm is described."""
    history: float = 4.0
    """About how long a vendor takes to give its history away."""
    pause: float = 0.7
    """Between two things that happen."""
    outage: float = 2.5
    """How long somebody is away."""
    patience: float = 20.0
    """The longest wait for anything that has to follow."""


@dataclass(slots=True, kw_only=True)
class Stage:
    """Everything the script acts on and the display looks at."""

    sandbox: Sandbox
    daemon: Daemon
    heard: Heard
    history: int
    """How many answers there were before the daemon came."""
    closed_before: int
    """How many surveys had been closed at SatisMeter."""
    shop: Shop
    """Who sends calls."""
    asked: dict[str, AskedOf]
    """By platform: what its look-alike was asked."""
    edits: int = 0
    """How often an answer was changed since."""

    @property
    def truth(self) -> Truth:
        """What is so at the vendors now."""
        return Truth(
            answers=all_given(self.sandbox),
            edits=self.edits,
            opened=opened_at(self.sandbox.retently),
            closed=closed_at(self.sandbox.satismeter) - self.closed_before,
        )

    def change(self, account: AnyAccount, response_id: Any, **changes: Any) -> None:
        """Somebody thinks better of an answer, or adds to it."""
        account.edit(response_id, **changes)
        self.edits += 1


@asynccontextmanager
async def open_stage(folder: Path, pace: Pace, clock: Clock) -> AsyncIterator[Stage]:
    """Start everything, on free ports; the folder takes the daemon's store."""
    async with open_sandbox(first_port=0, people=pace.people, now=lambda: clock.now().timestamp()) as sandbox:
        history, closed = sum(map(count_at, sandbox.accounts)), closed_at(sandbox.satismeter)
        # Its limit is one of requests a minute, and the demo ends before a minute is over.
        sandbox.retently.change_switches({"rate_limit": None})
        async with living_daemon(daemon_settings(folder, sandbox), clock) as daemon:
            heard = Heard(sandbox.segment.events)
            yield Stage(
                sandbox=sandbox,
                daemon=daemon,
                heard=heard,
                history=history,
                closed_before=closed,
                shop=Shop(sandbox.segment.now),
                asked={account.kind: AskedOf(account) for account in sandbox.accounts},
            )


def daemon_settings(folder: Path, sandbox: Sandbox) -> Settings:
    """The settings of the demo's daemon: the embedded default, pointed at the look-alikes and in a hurry."""
    given = {
        "NPSBRIDGE_STORE_URL": f"sqlite:///{folder}/npsbridge.db",
        "NPSBRIDGE_LISTEN": "127.0.0.1:0",
        "NPSBRIDGE_ADMIN_LISTEN": "127.0.0.1:0",
        "NPSBRIDGE_SHUTDOWN_TIMEOUT": "5",
        "NPSBRIDGE_HEAP__IDENTITY": "email",
        **{f"NPSBRIDGE_{name.upper()}__POLL_INTERVAL": "1" for name in SURVEY_PLATFORMS},
        **{f"NPSBRIDGE_{name.upper()}__RATE_LIMIT": "0" for name in SURVEY_PLATFORMS},
        **_triggers(sandbox),
        **sandbox.environment,
    }
    return load(settings_classes(), environ=given)


def _triggers(sandbox: Sandbox) -> dict[str, str]:
    """Who may send calls, and that an order asks for a survey at every platform."""
    return {
        "NPSBRIDGE_INGEST__WRITE_KEYS": json.dumps([WRITE_KEY]),
        "NPSBRIDGE_INGEST__WEBHOOK_SECRET": SECRET,
        "NPSBRIDGE_DELIGHTED__SURVEYS": json.dumps([ORDERED]),
        "NPSBRIDGE_RETENTLY__CAMPAIGNS": json.dumps({sandbox.retently.account.default_campaign: [ORDERED]}),
        "NPSBRIDGE_SATISMETER__EVENTS": json.dumps([ORDERED]),
        "NPSBRIDGE_PROMOTER__SURVEYS": json.dumps([ORDERED]),
    }

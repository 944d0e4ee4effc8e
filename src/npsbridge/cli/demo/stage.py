"""What the demo plays on: both look-alikes, the real daemon between them, and a folder that is gone afterwards.

The daemon's settings come from here alone: whatever the user has set for a real one is not read.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from npsbridge.app import App, running
from npsbridge.cli.demo.heard import Heard
from npsbridge.cli.demo.verdict import Truth
from npsbridge.clock import Clock
from npsbridge.platforms import settings_classes
from npsbridge.sandbox import Sandbox, open_sandbox
from npsbridge.settings import Settings, load


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How much happens, and how fast. The defaults are for eyes; all times are seconds."""

    people: int = 500
    page: float = 0.55
    """How long Delighted takes for a page of its history."""
    pause: float = 1.2
    """Between two things that happen."""
    outage: float = 4.0
    """How long Segment is away."""
    patience: float = 20.0
    """The longest wait for anything that has to follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything the script acts on and the display looks at."""

    sandbox: Sandbox
    app: App
    heard: Heard
    history: int
    """How many responses there were before the daemon came."""
    edits_before: int
    """How often they had been edited."""

    @property
    def truth(self) -> Truth:
        """What is so at Delighted now."""
        delighted = self.sandbox.delighted
        return Truth(
            responses=delighted.responses,
            emails={number: person.email for number, person in delighted.people.items()},
            edits_before=self.edits_before,
        )

    @property
    def webhook_url(self) -> str:
        """Where the daemon takes Delighted's webhooks."""
        return f"http://127.0.0.1:{self.app.public_port}/hooks/delighted"

    def counted(self, metric: str, **labels: str) -> int:
        """A figure of the daemon's own metrics; 0 while there is none."""
        return int(self.app.metrics.registry.get_sample_value(f"npsbridge_{metric}", labels) or 0)


@asynccontextmanager
async def open_stage(folder: Path, pace: Pace, clock: Clock) -> AsyncIterator[Stage]:
    """Start everything, on free ports; the folder takes the daemon's store."""
    async with open_sandbox(
        first_port=0, only=("delighted", "segment"), people=pace.people, now=lambda: clock.now().timestamp()
    ) as sandbox:
        past = sandbox.delighted.responses.values()
        history, edits = len(past), sum(row.edits for row in past)
        async with running(daemon_settings(folder, sandbox), clock=clock) as app:
            heard = Heard(sandbox.segment.events)
            yield Stage(sandbox=sandbox, app=app, heard=heard, history=history, edits_before=edits)


def daemon_settings(folder: Path, sandbox: Sandbox) -> Settings:
    """The settings of the demo's daemon: the embedded default, pointed at the look-alikes."""
    given = {
        "NPSBRIDGE_STORE_URL": f"sqlite:///{folder}/npsbridge.db",
        "NPSBRIDGE_LISTEN": "127.0.0.1:0",
        "NPSBRIDGE_ADMIN_LISTEN": "127.0.0.1:0",
        "NPSBRIDGE_SHUTDOWN_TIMEOUT": "5",
        "NPSBRIDGE_DELIGHTED__POLL_INTERVAL": "1",
        **sandbox.environment,
    }
    return load(settings_classes(), environ=given)

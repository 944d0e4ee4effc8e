"""`npsbridge connect --sandbox`: the same set-up between look-alikes, and one answer on its whole way.

Nothing of it is kept, and nobody's account is touched.
"""

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import anyio

from npsbridge.app import App, running
from npsbridge.app.parts import wire
from npsbridge.cli.show import console, print_json, readable
from npsbridge.cli.walking import guide_of
from npsbridge.clock import Clock
from npsbridge.errors import UsageError, VendorError
from npsbridge.metrics import Metrics
from npsbridge.net.client import open_session
from npsbridge.platforms import Platform, settings_classes
from npsbridge.sandbox import PLATFORMS, Sandbox, open_sandbox
from npsbridge.settings import Settings, load
from npsbridge.telemetry import start_logging

PATIENCE: Final = 60.0
"""Seconds that the answer may take."""
_LOOK_EVERY: Final = 0.05
_SCORE: Final = 9
_WHO: Final = "ann@example.com"
_SAID: Final = "Found by npsbridge connect"


async def rehearse(platform: Platform[Any], *, as_json: bool) -> int:
    """Set up the platform's look-alike and let an answer through; returns the exit code.

    Raises:
        UsageError: the platform has no look-alike.
    """
    if platform.name not in PLATFORMS:
        raise UsageError(f"--sandbox: {platform.name} has no look-alike; there are {', '.join(PLATFORMS)}")
    is_source = platform.source is not None
    source, sink = (platform.name, "segment") if is_source else ("delighted", platform.name)
    lines: list[str] = []
    out = console()

    def say(text: str) -> None:
        lines.append(text)
        if not as_json:
            out.print(readable(text), soft_wrap=True)

    async with open_sandbox(first_port=0, only=(source, sink), people=0) as sandbox:
        is_seen = await _through(sandbox, platform, source, sink, say)
    if as_json:
        print_json({"connection": platform.name, "seen": is_seen, "steps": lines})
    return 0 if is_seen else VendorError.exit_code


async def _through(
    sandbox: Sandbox, platform: Platform[Any], source: str, sink: str, say: Callable[[str], None]
) -> bool:
    say("Look-alikes on this machine; these lines point npsbridge at them:")
    for line in sandbox.lines:
        say(f"  {line}")
    async with _daemon(sandbox) as app:
        for finding in await _checked(app.settings, platform):
            say(finding)
        account = getattr(sandbox, source)
        account.send_webhooks_to(f"http://{app.public}")
        say(f"The webhook's URL, to be pasted at {source}: {account.webhook_url}")
        for number, text in enumerate(guide_of(platform).webhook, 1):
            say(f"  {number}. {text}")
        answer = account.answer(_WHO, _SCORE, comment=_SAID)
        say(f"seen    {source}: somebody answers with a {_SCORE} (response {answer})")
        message_id = await _arrives(sandbox, sink)
        told = f"Submit Survey about it, as {message_id}" if message_id else f"nothing within {PATIENCE:.0f} s"
        say(f"{'seen' if message_id else 'NOT SEEN':8}{sink}: {told}")
        say(f"        ({_webhooks(app):.0f} webhooks came in; polling would have told of it as well)")
    return message_id is not None


@asynccontextmanager
async def _daemon(sandbox: Sandbox) -> AsyncIterator[App]:
    """A daemon of its own, whose store is gone when it ends."""
    with tempfile.TemporaryDirectory(prefix="npsbridge-connect-") as folder:
        own = {
            "NPSBRIDGE_STORE_URL": f"sqlite:///{Path(folder)}/npsbridge.db",
            "NPSBRIDGE_LISTEN": "127.0.0.1:0",
            "NPSBRIDGE_ADMIN_LISTEN": "127.0.0.1:0",
            # A look-alike's people exist only here, and Heap names its people by userId.
            "NPSBRIDGE_IDENTITY__ALLOW_EMAIL_USER_ID": "true",
        }
        settings = load(settings_classes(), environ=sandbox.environment | own)
        start_logging("WARNING", "text", secrets=settings.secrets())
        async with running(settings) as app:
            yield app


async def _checked(settings: Settings, platform: Platform[Any]) -> list[str]:
    if platform.check is None:
        return []
    connection = settings.connections[platform.name]
    marks = {True: "ok", False: "wrong", None: "unknown"}
    async with open_session() as session:
        found = await platform.check(wire(connection, platform, session, Metrics(), Clock()))
    return [f"{marks[one.is_good]:8}{one.text}" for one in found]


async def _arrives(sandbox: Sandbox, sink: str) -> str | None:
    """The messageId under which the answer has reached the other end; None when it does not in time."""
    with anyio.move_on_after(PATIENCE):
        while True:
            if found := _told_of(sandbox, sink):
                return found
            await anyio.sleep(_LOOK_EVERY)
    return None


def _told_of(sandbox: Sandbox, sink: str) -> str | None:
    if sink == "heap":
        keys = (one.idempotency_key for one in sandbox.heap.events if one.event == "Submit Survey")
        return next(filter(None, keys), None)
    tracks = sandbox.segment.tracks("Submit Survey")
    return next((str(one["messageId"]) for one in tracks if one["properties"]["comment"] == _SAID), None)


def _webhooks(app: App) -> float:
    sample = app.metrics.registry.get_sample_value
    return sum(
        sample("npsbridge_ingest_events_total", {"source": "webhook", "result": result}) or 0.0
        for result in ("stored", "hinted")
    )

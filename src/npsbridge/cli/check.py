"""`npsbridge check`: what is set, what it leads to, and, with --online, what the vendors say of it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.text import Text

from npsbridge.app.parts import Parts, assemble, idle_warnings, wire
from npsbridge.cli.opening import settings_from
from npsbridge.cli.show import console, print_json, readable
from npsbridge.clock import Clock
from npsbridge.core.ports import Finding
from npsbridge.errors import ConfigurationError, Fault, VendorError
from npsbridge.metrics import Metrics
from npsbridge.net.client import open_session
from npsbridge.platforms import available
from npsbridge.settings import Settings
from npsbridge.store import open_store

_MARKS: Final = {True: ("ok", "green"), False: ("wrong", "red"), None: ("unknown", "yellow")}


def check_settings(env_file: Path | None, *, online: bool, as_json: bool) -> int:
    """Print the findings; returns the exit code: 78 for wrong settings, 69 when a vendor refuses them."""
    try:
        settings = settings_from(env_file)
    except ConfigurationError as error:
        _show(list(map(_fault, error.faults)), as_json=as_json)
        return ConfigurationError.exit_code
    own, vendors = asyncio.run(_findings(settings, online=online))
    _show([*own, *vendors], as_json=as_json)
    if _has_wrong(own):
        return ConfigurationError.exit_code
    return VendorError.exit_code if _has_wrong(vendors) else 0


def _fault(fault: Fault) -> Finding:
    example = f" (for example {fault.example})" if fault.example else ""
    return Finding(subject=fault.setting, is_good=False, text=fault.problem + example)


def _has_wrong(findings: Sequence[Finding]) -> bool:
    return any(finding.is_good is False for finding in findings)


async def _findings(settings: Settings, *, online: bool) -> tuple[list[Finding], list[Finding]]:
    """What follows from the settings alone, and what the vendors say."""
    clock, metrics, platforms = Clock(), Metrics(), available()
    vendors: list[Finding] = []
    async with open_session() as session:
        parts = assemble(settings, session, metrics, clock)
        for connection in settings.connections.values() if online else ():
            platform = platforms[connection.platform]
            if platform.check:
                vendors += await platform.check(wire(connection, platform, session, metrics, clock))
    return [*_of_settings(settings, parts), *_of_store(settings), *_of_webhooks(settings, parts)], vendors


def _of_settings(settings: Settings, parts: Parts) -> list[Finding]:
    found = [Finding(subject="settings", is_good=True, text="every setting can be used")]
    # A daemon that only passes calls on needs no sink; one without any connection does nothing at all.
    is_good = None if settings.connections else False
    found += [Finding(subject="settings", is_good=is_good, text=text) for text in idle_warnings(settings, parts)]
    return found + [Finding(subject="settings", is_good=None, text=text) for text in settings.warnings]


def _of_store(settings: Settings) -> list[Finding]:
    """Whether this release has the kind of store that is asked for; nothing is opened."""
    try:
        open_store(settings.store_url, clock=Clock())
    except ConfigurationError as error:
        return list(map(_fault, error.faults))
    return []


def _of_webhooks(settings: Settings, parts: Parts) -> list[Finding]:
    base = str(settings.public_url or f"http://{settings.listen}")
    paths = {name: f"/hooks/{name}" for name in parts.receivers}
    for name in parts.hooks:
        # The token is a secret: the operator puts it in.
        paths[name] = f"/hooks/{name}/<{settings.connections[name].prefix}WEBHOOK_TOKEN>"
    found = [
        Finding(subject=name, is_good=True, text=f"paste as webhook URL at the vendor: {base}{path}")
        for name, path in paths.items()
    ]
    if settings.ingest.webhook_secret:
        text = f"paste into Segment's Webhooks destination, with the shared secret: {base}/hooks/segment"
        found.append(Finding(subject="segment", is_good=True, text=text))
    if settings.ingest.write_keys:
        text = f"SDKs send to {base} (paths /v1/identify, /v1/track, /v1/batch ...) with one of your write keys"
        found.append(Finding(subject="tracking API", is_good=True, text=text))
    if found and settings.public_url is None:
        text = "is not set, so the URLs above are of this machine alone: set it to the address that vendors can reach"
        found.append(Finding(subject="NPSBRIDGE_PUBLIC_URL", is_good=None, text=text))
    return found


def _show(findings: Sequence[Finding], *, as_json: bool) -> None:
    if as_json:
        print_json([{"subject": one.subject, "good": one.is_good, "text": one.text} for one in findings])
        return
    out = console()
    for one in findings:
        word, style = _MARKS[one.is_good]
        out.print(Text(f"{word:8}", style=style) + readable(f"{one.subject}: {one.text}"), soft_wrap=True)

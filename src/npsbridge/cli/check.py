"""`npsbridge check`: what is set, what it leads to, and, with --online, what the vendors say of it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from npsbridge.app.parts import Parts, assemble, idle_warnings, wire
from npsbridge.cli.opening import settings_from
from npsbridge.cli.show import console, print_json
from npsbridge.clock import Clock
from npsbridge.core.ports import Finding
from npsbridge.errors import ConfigurationError, VendorError
from npsbridge.metrics import Metrics
from npsbridge.net.client import open_session
from npsbridge.platforms import available
from npsbridge.settings import Settings

MARKS = {True: "[green]ok[/]", False: "[red]wrong[/]", None: "[yellow]unknown[/]"}


def check_settings(env_file: Path | None, *, online: bool, as_json: bool) -> int:
    """Print the findings; returns the exit code: 78 for wrong settings, 69 when a vendor refuses them."""
    try:
        settings = settings_from(env_file)
    except ConfigurationError as error:
        findings = [
            Finding(subject=fault.setting, is_good=False, text=_without_name(str(fault))) for fault in error.faults
        ]
        _show(findings, as_json=as_json)
        return ConfigurationError.exit_code
    findings = asyncio.run(_findings(settings, online=online))
    _show(findings, as_json=as_json)
    return VendorError.exit_code if any(finding.is_good is False for finding in findings) else 0


def _without_name(fault: str) -> str:
    return fault.partition(": ")[2]


async def _findings(settings: Settings, *, online: bool) -> list[Finding]:
    clock, metrics, platforms = Clock(), Metrics(), available()
    async with open_session() as session:
        parts = assemble(settings, session, metrics, clock)
        found = _offline(settings, parts)
        for connection in settings.connections.values() if online else ():
            platform = platforms[connection.platform]
            if platform.check:
                found += await platform.check(wire(connection, platform, session, metrics, clock))
    return found


def _offline(settings: Settings, parts: Parts) -> list[Finding]:
    found = [Finding(subject="settings", is_good=True, text="every setting can be used")]
    found += [Finding(subject="settings", is_good=False, text=text) for text in idle_warnings(settings, parts)]
    found += [Finding(subject="settings", is_good=None, text=text) for text in settings.warnings]
    base = str(settings.public_url or f"http://{settings.listen}").rstrip("/")
    for name in parts.receivers:
        text = f"paste as webhook URL at the vendor: {base}/hooks/{name}"
        found.append(Finding(subject=name, is_good=True, text=text))
    if parts.receivers and settings.public_url is None:
        text = "vendors cannot reach a loopback address: set it to the address they can"
        found.append(Finding(subject="NPSBRIDGE_PUBLIC_URL", is_good=None, text=text))
    return found


def _show(findings: Sequence[Finding], *, as_json: bool) -> None:
    if as_json:
        print_json([{"subject": one.subject, "good": one.is_good, "text": one.text} for one in findings])
        return
    out = console()
    for one in findings:
        out.print(f"{MARKS[one.is_good]} {escape(one.subject)}: {escape(one.text)}", soft_wrap=True)

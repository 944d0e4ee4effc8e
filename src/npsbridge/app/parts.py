"""From settings to the parts that the configured connections are made of."""

from dataclasses import dataclass, field
from typing import Any

import aiohttp

from npsbridge.clock import Clock
from npsbridge.core.pace import RateWindow
from npsbridge.core.ports import Destination, Parser, Receiver, Source
from npsbridge.core.route import Rules
from npsbridge.core.translate import EventRules
from npsbridge.metrics import Metrics
from npsbridge.net.client import HttpClient
from npsbridge.platforms import Platform, Wiring, available
from npsbridge.settings import Connection, Settings, SurveySettings


@dataclass(slots=True, kw_only=True)
class Parts:
    """The working parts of all connections."""

    parsers: dict[str, Parser] = field(default_factory=dict)
    sources: list[Source] = field(default_factory=list)
    receivers: dict[str, Receiver] = field(default_factory=dict)
    sinks: list[Destination] = field(default_factory=list)

    def with_work(self) -> "Parts":
        """Without a sink nothing is taken in: answers would count as told, and a sink set later never hear them."""
        return self if self.sinks else Parts(parsers=self.parsers)


def wire(
    connection: Connection, platform: Platform[Any], session: aiohttp.ClientSession, metrics: Metrics, clock: Clock
) -> Wiring[Any]:
    """Everything a platform needs for one configured connection; all that talks to the account shares its limit."""
    window = RateWindow(platform.requests_per_minute(connection.settings), 60.0)
    http = HttpClient(session, metrics, connection=connection.name, window=window)
    return Wiring(name=connection.name, settings=connection.settings, http=http, clock=clock, prefix=connection.prefix)


def assemble(settings: Settings, session: aiohttp.ClientSession, metrics: Metrics, clock: Clock) -> Parts:
    """Build the parts of every configured connection."""
    platforms, parts = available(), Parts()
    # An imported archive names a platform whose account may be gone: it is understood without being configured.
    parts.parsers.update({name: platform.parse for name, platform in platforms.items() if platform.parse})
    for connection in settings.connections.values():
        platform = platforms[connection.platform]
        _add(parts, connection, platform, wire(connection, platform, session, metrics, clock))
    return parts


def _add(parts: Parts, connection: Connection, platform: Platform[Any], wiring: Wiring[Any]) -> None:
    survey = connection.settings if isinstance(connection.settings, SurveySettings) else None
    if platform.parse:
        parts.parsers[connection.name] = platform.parse
    if platform.source and survey and survey.pull:
        parts.sources.append(platform.source(wiring))
    if platform.receiver and connection.settings.authenticates_hooks:
        parts.receivers[connection.name] = platform.receiver(wiring)
    if platform.destination and survey is None:
        parts.sinks.append(platform.destination(wiring))


def idle_warnings(settings: Settings, parts: Parts) -> list[str]:
    """What is configured in a way that leaves it without work."""
    warnings = []
    if not settings.connections:
        warnings.append(
            "no connection is configured: set NPSBRIDGE_DELIGHTED__API_KEY and NPSBRIDGE_SEGMENT__WRITE_KEY"
        )
    elif parts.sources and not parts.sinks:
        warnings.append("there is nowhere to send answers, so none are read: set NPSBRIDGE_SEGMENT__WRITE_KEY")
    if settings.ingest.write_keys or settings.ingest.webhook_secret:
        warnings.append("NPSBRIDGE_INGEST__* is set, but this release does not take calls yet")
    return warnings


def rules(settings: Settings) -> Rules:
    """What routing needs of the settings."""
    events = EventRules(
        names=frozenset(settings.events.names),
        on_update=settings.events.on_update,
        also=frozenset(settings.events.also),
    )
    return Rules(
        events=events,
        settle_ms=int(settings.events.settle * 1000),
        allow_email_user_id=settings.identity.allow_email_user_id,
    )

"""From settings to the parts that the configured connections are made of."""

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import aiohttp

from npsbridge.app.frozen import frozen_facts
from npsbridge.clock import Clock
from npsbridge.core.leases import Leases
from npsbridge.core.pace import RateWindow
from npsbridge.core.ports import Destination, Forwarder, Lookup, Parser, Receiver, Source, TokenReceiver
from npsbridge.core.route import Rules
from npsbridge.core.translate import EventRules
from npsbridge.metrics import Metrics
from npsbridge.net.client import HttpClient
from npsbridge.platforms import Platform, Wiring, available
from npsbridge.settings import Connection, Settings, SurveySettings

MINUTE = 60.0
SET_A_SINK = "NPSBRIDGE_SEGMENT__WRITE_KEY or NPSBRIDGE_HEAP__APP_ID"


@dataclass(slots=True, kw_only=True)
class Parts:
    """The working parts of all connections."""

    parsers: dict[str, Parser] = field(default_factory=dict)
    sources: list[Source] = field(default_factory=list)
    receivers: dict[str, Receiver] = field(default_factory=dict)
    hooks: dict[str, TokenReceiver] = field(default_factory=dict)
    lookups: dict[str, Lookup] = field(default_factory=dict)
    """What reads back the hints of the hooks, by the same names."""
    sinks: list[Destination] = field(default_factory=list)
    """What is told of survey responses."""
    forwarders: list[Forwarder] = field(default_factory=list)
    """What is told of people, and asked to survey them."""
    windows: dict[str, RateWindow] = field(default_factory=dict)
    """The request limits, by connection."""
    frozen: dict[str, dict[str, str]] = field(default_factory=dict)
    """The facts that the first delivery to a sink makes true for good, by connection."""

    def with_work(self) -> "Parts":
        """Without a sink no answer is taken in: it would count as told, and a sink set later never hear of it."""
        return self if self.sinks else Parts(parsers=self.parsers, forwarders=self.forwarders)


def wire(
    connection: Connection,
    platform: Platform[Any],
    session: aiohttp.ClientSession,
    metrics: Metrics,
    clock: Clock,
    *,
    leases: Leases | None = None,
) -> Wiring[Any]:
    """Everything a platform needs for one configured connection; all that talks to the account shares its limit.

    With `leases` that others share, so do their replicas.
    """
    window, book = RateWindow(platform.requests_per_minute(connection.settings), MINUTE), None
    if leases is not None and leases.is_shared and window.limit > 0:
        book = partial(leases.book, connection.name, limit=window.limit, seconds=MINUTE)
    http = HttpClient(session, metrics, connection=connection.name, window=window, book=book)
    return Wiring(name=connection.name, settings=connection.settings, http=http, clock=clock, prefix=connection.prefix)


def assemble(
    settings: Settings,
    session: aiohttp.ClientSession,
    metrics: Metrics,
    clock: Clock,
    leases: Leases | None = None,
) -> Parts:
    """Build the parts of every configured connection."""
    platforms, parts = available(), Parts()
    # An imported archive names a platform whose account may be gone: it is understood without being configured.
    parts.parsers.update({name: platform.parse for name, platform in platforms.items() if platform.parse})
    for connection in settings.connections.values():
        platform = platforms[connection.platform]
        wired = wire(connection, platform, session, metrics, clock, leases=leases)
        wiring = replace(wired, events=frozenset(settings.events.names))
        parts.windows[connection.name] = wiring.http.window
        _add(parts, connection, platform, wiring, takes_calls=takes_calls(settings))
    return parts


def takes_calls(settings: Settings) -> bool:
    """Whether anybody may send Segment calls."""
    return bool(settings.ingest.write_keys or settings.ingest.webhook_secret)


def _add(
    parts: Parts, connection: Connection, platform: Platform[Any], wiring: Wiring[Any], *, takes_calls: bool
) -> None:
    survey = connection.settings if isinstance(connection.settings, SurveySettings) else None
    if platform.parse:
        parts.parsers[connection.name] = platform.parse
    source = platform.source(wiring) if platform.source and survey else None
    if source and survey and survey.pull:
        parts.sources.append(source)
    if connection.settings.authenticates_hooks:
        if platform.receiver:
            parts.receivers[connection.name] = platform.receiver(wiring)
        if platform.hook and source and isinstance(source, Lookup):
            parts.hooks[connection.name] = platform.hook(wiring)
            parts.lookups[connection.name] = source
    if platform.forwarder and survey and survey.forward and takes_calls:
        parts.forwarders.append(platform.forwarder(wiring))
    if platform.destination and survey is None:
        parts.sinks.append(platform.destination(wiring))
        parts.frozen[connection.name] = frozen_facts(connection, platform)


def idle_warnings(settings: Settings, parts: Parts) -> list[str]:
    """What is configured in a way that leaves it without work."""
    warnings = []
    if not settings.connections:
        text = "no connection is configured: set the keys of a survey platform, such as NPSBRIDGE_DELIGHTED__API_KEY, "
        warnings.append(text + SET_A_SINK)
    elif parts.sources and not parts.sinks:
        warnings.append("there is nowhere to send answers, so none are read: set " + SET_A_SINK)
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

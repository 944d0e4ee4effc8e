"""`npsbridge replay`: sends again what sinks were sent, and tells a sink what it has never heard of."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from npsbridge.app.parts import assemble, rules
from npsbridge.cli.asking import agree
from npsbridge.cli.backfill import Span
from npsbridge.cli.opening import is_daemon_running, settings_from, store_beside
from npsbridge.cli.show import console, print_json, table
from npsbridge.clock import Clock
from npsbridge.core.forward import IDENTIFY
from npsbridge.core.model import Record, Response
from npsbridge.core.ports import Destination
from npsbridge.core.records import RememberedResponse, Sent
from npsbridge.core.replay import Fate, Untold, count_untold, fate_of, is_newest, tell
from npsbridge.core.route import Rules
from npsbridge.core.storage import Store
from npsbridge.core.times import milliseconds
from npsbridge.engine.router import recall_of
from npsbridge.errors import ErasedMeanwhile, UsageError
from npsbridge.metrics import Metrics
from npsbridge.net.client import open_session
from npsbridge.settings import Settings
from npsbridge.settings.values import duration_text, parse_duration

_AT_ONCE: Final = 500


class Wanted(Record, frozen=True, kw_only=True):
    """What is to be sent again."""

    since: int
    """Milliseconds since 1970."""
    before: int
    """Never later than the beginning of the replay, whose own deliveries are not sent again."""
    to: str | None
    surveys: bool
    dry_run: bool

    def holds(self, response: Response) -> bool:
        """Whether it was answered in this time."""
        return self.since <= milliseconds(response.created_at) < self.before


@dataclass(slots=True)
class Tally:
    """How much becomes of what: by connection, kind and fate."""

    counts: Counter[tuple[str, str, Fate]] = field(default_factory=Counter)

    def count(self, connection: str, kind: str, fate: Fate, number: int) -> None:
        """Count so many."""
        self.counts[connection, kind, fate] += number

    @property
    def rows(self) -> list[dict[str, Any]]:
        """For a table or as JSON."""
        return [
            {"connection": connection, "kind": kind, "count": number, "what": fate.value}
            for (connection, kind, fate), number in sorted(self.counts.items())
        ]


def replay(
    env_file: Path | None,
    *,
    since: str,
    until: str | None,
    to: str | None,
    surveys: bool,
    dry_run: bool,
    is_agreed: bool,
    as_json: bool,
) -> None:
    """Send again what was delivered in a time; with `to`, also what that sink has never heard of.

    Raises:
        UsageError: a time cannot be read, there is no such connection, or nobody is named who may be asked again.
    """
    if surveys and to is None:
        raise UsageError("--surveys asks people again who were asked already: name the platform with --to")
    wanted = _wanted(since, until, to, surveys=surveys, dry_run=dry_run)
    settings = settings_from(env_file)
    if to is not None and to not in settings.connections:
        raise UsageError(f"there is no connection {to}; configured: {', '.join(settings.connections) or 'none'}")
    if surveys and not dry_run:
        agree(f"Have {to} survey people again who were surveyed in this time?", is_agreed=is_agreed)
    tally, is_running = asyncio.run(_replay(settings, wanted))
    if as_json:
        print_json(tally.rows)
    else:
        _print(tally, wanted, settings, is_running=is_running)


def _wanted(since: str, until: str | None, to: str | None, *, surveys: bool, dry_run: bool) -> Wanted:
    clock = Clock()
    span = Span.read(_dated(since, clock), None if until is None else _dated(until, clock))
    now = clock.now_ms()
    return Wanted(
        since=milliseconds(span.since) if span.since else 0,
        before=min(milliseconds(span.before), now) if span.before else now,
        to=to,
        surveys=surveys,
        dry_run=dry_run,
    )


def _dated(text: str, clock: Clock) -> str:
    """What is written as a duration is so long ago; all else stays, to be read as a date or time."""
    try:
        seconds = parse_duration(text) if text.strip()[-1:].isalpha() else None
    except ValueError:
        return text
    return (clock.now() - timedelta(seconds=seconds)).isoformat() if isinstance(seconds, float) else text


# --- doing it ---------------------------------------------------------------------------------------------------


async def _replay(settings: Settings, wanted: Wanted) -> tuple[Tally, bool]:
    """What was done, and whether a daemon is running to do the rest."""
    tally, decided = Tally(), rules(settings)
    async with open_session() as session, store_beside(settings) as store:
        sinks = {sink.connection: sink for sink in assemble(settings, session, Metrics(), Clock()).sinks}
        names = [wanted.to] if wanted.to is not None else list(sinks)
        if not names:
            raise UsageError("there is no sink; configure one, or name a survey platform with --to")
        for name in names:
            await _send_again(store, name, wanted, decided, tally)
        if wanted.to in sinks:
            await _tell_untold(store, sinks[wanted.to], wanted, decided, tally)
        return tally, await is_daemon_running(settings, store)


async def _send_again(store: Store, name: str, wanted: Wanted, decided: Rules, tally: Tally) -> None:
    async for some in _sent(store, name, wanted):
        outdated = await _outdated(store, some, decided)
        fates = {one.id: fate_of(one, surveys=wanted.surveys, outdated=outdated) for one in some}
        for one in some:
            tally.count(name, one.kind, fates[one.id], 1)
        if not wanted.dry_run:
            await store.send_again([number for number, fate in fates.items() if fate is Fate.AGAIN])


async def _sent(store: Store, name: str, wanted: Wanted) -> AsyncIterator[list[Sent]]:
    """What was delivered in the time, a piece at a time."""
    after = (wanted.since, 0)
    while some := await store.sent(name, before=wanted.before, after=after, limit=_AT_ONCE):
        yield some
        after = (some[-1].settled_at, some[-1].id)


async def _outdated(store: Store, sent: Iterable[Sent], decided: Rules) -> set[str]:
    """The subjects of identify calls whose persons have given a newer answer since."""
    subjects: dict[str, set[str]] = defaultdict(set)
    for one in sent:
        if one.kind == IDENTIFY and one.subject:
            connection, _, response_id = one.subject.partition("/")
            subjects[connection].add(response_id)
    outdated = set()
    for connection, ids in subjects.items():
        known = await store.recall(connection, responses=ids, people=(), emails=())
        responses = [one.response for one in known.responses.values()]
        recall = await recall_of(store, connection, responses, decided)
        outdated |= {f"{connection}/{one.id}" for one in responses if not is_newest(one, recall, decided)}
    return outdated


async def _tell_untold(store: Store, sink: Destination, wanted: Wanted, decided: Rules, tally: Tally) -> None:
    after, erasures = 0, await store.erasures()
    while found := await store.untold(sink.connection, after=after, limit=_AT_ONCE):
        try:
            for connection, some in _by_connection(found, wanted).items():
                recall = await recall_of(store, connection, [one.response for one in some], decided)
                told = [tell(one, recall, rules=decided, plan=sink.plan) for one in some]
                if not wanted.dry_run:
                    await store.commit_routing([_joined(told).routing], erasures=erasures)
                for one in told:
                    count_untold(one, partial(tally.count, sink.connection))
            after = found[-1][0]
        except ErasedMeanwhile:
            erasures = await store.erasures()


def _by_connection(
    found: Iterable[tuple[int, RememberedResponse]], wanted: Wanted
) -> dict[str, list[RememberedResponse]]:
    groups: dict[str, list[RememberedResponse]] = defaultdict(list)
    for _, one in found:
        if wanted.holds(one.response):
            groups[one.response.connection].append(one)
    return groups


def _joined(told: Sequence[Untold]) -> Untold:
    return Untold(
        deliveries=tuple(delivery for one in told for delivery in one.deliveries),
        shelved=tuple(item for one in told for item in one.shelved),
    )


# --- telling ----------------------------------------------------------------------------------------------------


def _print(tally: Tally, wanted: Wanted, settings: Settings, *, is_running: bool) -> None:
    out = console()
    if rows := tally.rows:
        out.print(table(None, list(rows[0]), [list(row.values()) for row in rows]))
    else:
        out.print("Nothing was delivered in that time.")
    kept = settings.retention.delivered
    if wanted.since < Clock().now_ms() - kept * 1000:
        advice = "" if wanted.to else "; --to NAME also tells that sink of older answers, as they are now"
        out.print(f"The outbox reaches back {duration_text(kept)} (NPSBRIDGE_RETENTION__DELIVERED){advice}.")
    if wanted.dry_run:
        out.print("Nothing was changed or sent.")
    elif rows and not is_running:
        out.print("No daemon is running; the next one sends it.")

"""`npsbridge backfill`: read a platform's history, beside the daemon or without it."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from npsbridge.app.parts import wire
from npsbridge.cli.opening import settings_from, store_beside, store_path
from npsbridge.cli.show import console, print_json, readable, table
from npsbridge.clock import Clock
from npsbridge.core.model import Response
from npsbridge.core.pace import backoff
from npsbridge.core.ports import Page, Parser, Source
from npsbridge.core.reading import joined
from npsbridge.core.records import Arrival, Origin
from npsbridge.core.storage import Store
from npsbridge.core.translate import category
from npsbridge.errors import BadRecord, ConfigurationError, Fault, StoreError, TryLater, UsageError
from npsbridge.metrics import Metrics
from npsbridge.net.client import open_session
from npsbridge.platforms import Platform, Wiring, available
from npsbridge.settings import Connection, Settings, SurveySettings
from npsbridge.settings.values import parse_instant

_SAMPLE: Final = 5
_TRIES: Final = 6
"""Passing trouble in a row, after which it is told instead of waited out."""
_DATE_LENGTH: Final = len("2024-01-31")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Which answers are wanted, by when they were given."""

    since: datetime | None
    before: datetime | None

    @classmethod
    def read(cls, since: str | None, until: str | None) -> "Span":
        """From what the operator wrote; a day without a time is meant whole. Raises UsageError."""
        end = _instant("--until", until)
        is_day = until is not None and len(until.strip()) == _DATE_LENGTH
        step = timedelta(days=1) if is_day else timedelta(milliseconds=1)
        begin, before = _instant("--since", since), end + step if end else None
        if begin and before and begin >= before:
            raise UsageError(f"--since {since} is later than --until {until}: nothing lies between them")
        return cls(since=begin, before=before)

    def holds(self, response: Response) -> bool:
        """Whether a response is wanted; what is older than `since` is not asked for in the first place."""
        return self.before is None or response.created_at < self.before


def _instant(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = parse_instant(text)
    except ValueError as error:
        raise UsageError(f"{option} {text}: {error}, such as 2024-01-31 or 2024-01-31T12:00:00Z") from None
    return found if isinstance(found, datetime) else None


@dataclass(slots=True)
class Tally:
    """What was read, each response counted once however often it came."""

    camps: dict[str, str | None] = field(default_factory=dict)
    """By response id: promoter, passive or detractor; None for what is no NPS score."""
    bad: Counter[str] = field(default_factory=Counter)
    sample: list[Response] = field(default_factory=list)

    def take(self, response: Response) -> None:
        """Count a response."""
        if response.id not in self.camps and len(self.sample) < _SAMPLE:
            self.sample.append(response)
        is_scored = response.survey_type == "nps" and response.score is not None
        self.camps[response.id] = category(int(response.score)) if is_scored and response.score is not None else None

    def scores(self) -> dict[str, int]:
        """How many NPS scores each camp has."""
        camps = Counter(self.camps.values())
        return {"promoters": camps["promoter"], "passives": camps["passive"], "detractors": camps["detractor"]}

    def nps(self) -> float | None:
        """The NPS of what was read; None without a score."""
        scores = self.scores()
        scored = sum(scores.values())
        return round(100 * (scores["promoters"] - scores["detractors"]) / scored, 1) if scored else None


def backfill_connection(
    env_file: Path | None, connection: str, *, since: str | None, until: str | None, dry_run: bool, as_json: bool
) -> None:
    """Read a connection's history and journal it, or only report what it holds.

    Raises:
        UsageError: a time cannot be read, or there is no such connection.
        VendorError: the vendor refuses, or has been in trouble for too long.
    """
    span = Span.read(since, until)
    settings = settings_from(env_file)
    history = _history_of(settings, connection, span, dry_run=dry_run)
    tally = Tally()
    asyncio.run(_backfill(settings, history, tally, dry_run=dry_run))
    if as_json:
        print_json(_document(tally, connection, dry_run=dry_run))
    else:
        _report(tally, connection, dry_run=dry_run)


# --- reading ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What is to be read, and with what."""

    connection: Connection
    platform: Platform[Any]
    source: Callable[[Wiring[Any]], Source]
    parse: Parser
    span: Span


def _history_of(settings: Settings, name: str, span: Span, *, dry_run: bool) -> History:
    """The history of a connection, to be read whatever the daemon is set to do at its first start."""
    connection = settings.connections.get(name)
    if connection is None:
        raise UsageError(f"there is no connection {name}; configured: {', '.join(settings.connections) or 'none'}")
    platform = available()[connection.platform]
    if not isinstance(connection.settings, SurveySettings) or not platform.source or not platform.parse:
        raise UsageError(f"{name} has no history to read")
    if not (connection.settings.pull or dry_run):
        raise ConfigurationError([Fault(setting=f"{connection.prefix}PULL", problem="is false")])
    whole = connection.settings.model_copy(update={"backfill": True, "backfill_since": span.since})
    connection = connection.model_copy(update={"settings": whole})
    return History(connection=connection, platform=platform, source=platform.source, parse=platform.parse, span=span)


async def _backfill(settings: Settings, history: History, tally: Tally, *, dry_run: bool) -> None:
    name = history.connection.name
    async with open_session() as session, _store_of(settings, dry_run=dry_run) as store:
        leases = store.leases if store else None
        wiring = wire(history.connection, history.platform, session, Metrics(), Clock(), leases=leases)
        pages = _shown(_sifted(patiently(history.source(wiring)), history, tally), name, tally)
        if dry_run or store is None:
            async for _ in pages:
                pass
        else:
            await _journal(store, name, pages)


@asynccontextmanager
async def _store_of(settings: Settings, *, dry_run: bool) -> AsyncIterator[Store | None]:
    """Where the pages go; for a dry run only where replicas book their requests, and if it can be opened."""
    async with AsyncExitStack() as stack:
        store = None
        if not (dry_run and store_path(settings)):
            try:
                store = await stack.enter_async_context(store_beside(settings))
            except StoreError:
                if not dry_run:
                    raise
        yield store


async def patiently(source: Source) -> AsyncIterator[Page]:
    """The pages of the history; passing trouble is waited out, and reading goes on behind the last good page."""
    checkpoint: bytes | None = None
    failures = 0
    while True:
        try:
            async for page in source.read(checkpoint):
                yield page
                if not page.backfilling:
                    return
                checkpoint, failures = page.checkpoint, 0
        except TryLater as trouble:
            failures += 1
            if failures >= _TRIES:
                raise
            await asyncio.sleep(_pause(trouble, failures))
        else:
            return


def _pause(trouble: TryLater, failures: int) -> float:
    jitter = random.random()  # noqa: S311 - spreads retries, guards nothing
    return max(trouble.after or 0.0, backoff(failures, jitter=jitter, base=1.0, cap=30.0))


async def _sifted(pages: AsyncIterator[Page], history: History, tally: Tally) -> AsyncIterator[Page]:
    """The pages without the answers that are not wanted, and without those that the page before ended with.

    What cannot be read stays, for the daemon's shelf.
    """
    before: frozenset[bytes] = frozenset()
    async for page in pages:
        fresh = [record for record in page.records if record not in before]
        before = frozenset(page.records)
        records = [record for record in fresh if _is_kept(history, record, tally)]
        yield Page(records=records, checkpoint=page.checkpoint, backfilling=True, progress=page.progress)


def _is_kept(history: History, record: bytes, tally: Tally) -> bool:
    try:
        response = history.parse(history.connection.name, record)
    except BadRecord as error:
        tally.bad[str(error)] += 1
        return True
    if not history.span.holds(response):
        return False
    tally.take(response)
    return True


async def _journal(store: Store, name: str, pages: AsyncIterator[Page]) -> None:
    clock = Clock()
    async for page in pages:
        arrival = Arrival(
            connection=name,
            origin=Origin.BACKFILL,
            body=joined(page.records),
            count=len(page.records),
            received_at=clock.now_ms(),
        )
        await store.append([arrival] if page.records else [])


# --- telling ----------------------------------------------------------------------------------------------------


async def _shown(pages: AsyncIterator[Page], name: str, tally: Tally) -> AsyncIterator[Page]:
    """Pass the pages on behind a progress bar, which is no part of the result and keeps to terminals."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[read]} read"),
    )
    out = console(stderr=True)
    with Progress(
        *columns, TimeElapsedColumn(), TimeRemainingColumn(), console=out, disable=not out.is_terminal
    ) as progress:
        task = progress.add_task(f"history of {name}", total=1.0, read=0)
        async for page in pages:
            progress.update(task, completed=page.progress or 0.0, read=len(tally.camps))
            yield page
        progress.update(task, completed=1.0)


def _document(tally: Tally, connection: str, *, dry_run: bool) -> dict[str, Any]:
    return {
        "connection": connection,
        "responses": len(tally.camps),
        **tally.scores(),
        "nps": tally.nps(),
        "unusable": [{"reason": reason, "count": count} for reason, count in tally.bad.most_common()],
        "journaled": not dry_run,
    }


def _report(tally: Tally, connection: str, *, dry_run: bool) -> None:
    out = console()
    nps, scored = tally.nps(), sum(tally.scores().values())
    said = f", NPS {nps:.1f}" if nps is not None else ""
    out.print(f"{connection}: {len(tally.camps)} responses, {scored} NPS scores{said}, {tally.bad.total()} unusable")
    for reason, count in tally.bad.most_common():
        out.print(readable(f"  unusable: {count} x {reason}"))
    if dry_run:
        _print_sample(out, tally)
    else:
        out.print("All of it is in the journal; the daemon emits what is new.")


def _print_sample(out: Console, tally: Tally) -> None:
    rows = [(one.id, one.created_at.isoformat(), one.survey_type, one.score) for one in tally.sample]
    if rows:
        out.print(table("The oldest of them", ["response", "answered", "type", "score"], rows))
    out.print("Nothing was kept or sent.")

"""`npsbridge backfill`: read a platform's history, beside the daemon or without it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from npsbridge.app.parts import wire
from npsbridge.cli.opening import settings_from, store_beside
from npsbridge.cli.show import console, table
from npsbridge.clock import Clock
from npsbridge.core.model import Response
from npsbridge.core.ports import Arrival, Origin, Page, Parser, Source
from npsbridge.core.translate import category
from npsbridge.errors import BadRecord, ConfigurationError, Fault, UsageError
from npsbridge.metrics import Metrics
from npsbridge.net.client import open_session
from npsbridge.platforms import available
from npsbridge.settings import Settings, SurveySettings

SAMPLE = 5


@dataclass(slots=True)
class Tally:
    """What was read."""

    read: int = 0
    kept: int = 0
    bad: list[str] = field(default_factory=list)
    categories: Counter[str] = field(default_factory=Counter)
    sample: list[Response] = field(default_factory=list)


def backfill_connection(
    env_file: Path | None, connection: str, *, since: datetime | None, until: datetime | None, dry_run: bool
) -> None:
    """Read a connection's history and journal it, or only report what it holds."""
    settings = settings_from(env_file)
    start, end = _utc(since), _utc(until)
    tally = asyncio.run(_backfill(settings, connection, since=start, until=end, dry_run=dry_run))
    _report(tally, connection, dry_run=dry_run)


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


async def _backfill(
    settings: Settings, name: str, *, since: datetime | None, until: datetime | None, dry_run: bool
) -> Tally:
    tally = Tally()
    async with open_session() as session:
        connection = settings.connections.get(name)
        if connection is None:
            known = ", ".join(settings.connections) or "none"
            raise UsageError(f"there is no connection {name}; configured: {known}")
        platform = available()[connection.platform]
        if not isinstance(connection.settings, SurveySettings) or not platform.source or not platform.parse:
            raise UsageError(f"{name} has no history to read")
        if not (connection.settings.pull or dry_run):
            raise ConfigurationError([Fault(setting=f"{connection.prefix}PULL", problem="is false")])
        history = connection.settings.model_copy(update={"backfill": True, "backfill_since": since})
        wanted = connection.model_copy(update={"settings": history})
        source = platform.source(wire(wanted, platform, session, Metrics(), Clock()))
        pages = _wanted(source, platform.parse, until, tally)
        if dry_run:
            async for _ in _shown(pages, name):
                pass
        else:
            await _journal(settings, name, _shown(pages, name))
    return tally


async def _wanted(source: Source, parse: Parser, until: datetime | None, tally: Tally) -> AsyncIterator[Page]:
    """The pages of the history, without what was answered after `until`."""
    async for page in source.read(None):
        if not page.backfilling and tally.read:
            return
        records = [record for record in page.records if _note(source.connection, parse, record, until, tally)]
        yield Page(records=records, checkpoint=page.checkpoint, backfilling=True, progress=page.progress)
        if not page.backfilling:
            return


def _note(connection: str, parse: Parser, record: bytes, until: datetime | None, tally: Tally) -> bool:
    tally.read += 1
    try:
        response = parse(connection, record)
    except BadRecord as error:
        tally.bad.append(str(error))
        return True
    if until is not None and response.created_at > until:
        return False
    tally.kept += 1
    if response.survey_type == "nps" and response.score is not None:
        tally.categories[category(int(response.score))] += 1
    if len(tally.sample) < SAMPLE:
        tally.sample.append(response)
    return True


async def _shown(pages: AsyncIterator[Page], name: str) -> AsyncIterator[Page]:
    """Pass the pages on behind a progress bar."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[read]} read"),
    )
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console()) as progress:
        task = progress.add_task(f"history of {name}", total=1.0, read=0)
        read = 0
        async for page in pages:
            read += len(page.records)
            progress.update(task, completed=page.progress or 0.0, read=read)
            yield page
        progress.update(task, completed=1.0)


async def _journal(settings: Settings, name: str, pages: AsyncIterator[Page]) -> None:
    clock = Clock()
    async with store_beside(settings) as store:
        async for page in pages:
            arrival = Arrival(
                connection=name,
                origin=Origin.BACKFILL,
                body=b"[" + b",".join(page.records) + b"]",
                count=len(page.records),
                received_at=clock.now_ms(),
            )
            await store.append([arrival] if page.records else [])


def _report(tally: Tally, connection: str, *, dry_run: bool) -> None:
    out = console()
    promoters, detractors = tally.categories["promoter"], tally.categories["detractor"]
    scored = tally.categories.total()
    nps = f", NPS {100 * (promoters - detractors) / scored:.1f}" if scored else ""
    out.print(f"{connection}: {tally.kept} responses, {scored} NPS scores{nps}, {len(tally.bad)} unusable")
    for reason, count in Counter(tally.bad).most_common():
        out.print(f"  unusable: {count} x {reason}")
    if dry_run:
        rows = [(one.id, one.created_at.isoformat(), one.survey_type, one.score) for one in tally.sample]
        out.print(table("A sample of what would be emitted", ["response", "answered", "type", "score"], rows))
        out.print("Nothing was kept or sent.")
    else:
        out.print("All of it is in the journal; the daemon emits what is new.")

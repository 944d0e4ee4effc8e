"""`npsbridge import`: an exported history into the journal, as if it had been polled.

It can be stopped at any moment and started again: what is journaled is not read twice, and what is known is recognised.
"""

import asyncio
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from npsbridge.app.parts import rules
from npsbridge.cli.archive import Item, csv_items, json_items, sniff
from npsbridge.cli.opening import settings_from, store_beside_or_new
from npsbridge.cli.show import console, print_json
from npsbridge.clock import Clock
from npsbridge.core.model import Emission, PlannedDelivery, Response
from npsbridge.core.ports import Arrival, Origin, Parser, Recall, Store
from npsbridge.core.route import Reading, route
from npsbridge.core.translate import call, category
from npsbridge.errors import BadRecord, UsageError
from npsbridge.platforms import Platform, available
from npsbridge.settings import Settings

RECORDS_AT_ONCE = 500
SHOWN_REFUSALS = 50
SAMPLE = 3
DATA = 65


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the operator asked for."""

    file: Path
    connection: str
    format: Literal["api-json", "csv"] | None
    mapping: dict[str, str]
    date_format: str | None
    dry_run: bool


@dataclass(slots=True)
class Tally:
    """What became of the archive's records."""

    taken: int = 0
    skipped: int = 0
    refused: int = 0
    camps: dict[str, int] = field(default_factory=lambda: {"promoter": 0, "passive": 0, "detractor": 0})
    refusals: list[tuple[int, str]] = field(default_factory=list)
    sample: list[Response] = field(default_factory=list)

    def refuse(self, number: int, reason: str) -> None:
        """Count a refusal, and keep the first ones to be shown."""
        self.refused += 1
        if len(self.refusals) < SHOWN_REFUSALS:
            self.refusals.append((number, reason))

    def take(self, response: Response) -> None:
        """Count a usable response."""
        self.taken += 1
        if response.survey_type == "nps" and response.score is not None:
            self.camps[category(int(response.score))] += 1
        if len(self.sample) < SAMPLE:
            self.sample.append(response)


def pairs(texts: Sequence[str]) -> dict[str, str]:
    """`FIELD=COLUMN` texts as a mapping. Raises UsageError."""
    for text in texts:
        if "=" not in text:
            raise UsageError(f"--map {text}: must be written FIELD=COLUMN")
    return {name.strip(): column.strip() for name, _, column in (text.partition("=") for text in texts)}


def import_archive(env_file: Path | None, request: Request) -> int:
    """Journal an archive, or only report on it; returns 65 when a record was refused, else 0."""
    settings = settings_from(env_file)
    platform, parse = _platform(settings, request.connection)
    if not request.file.is_file():
        raise UsageError(f"there is no file {request.file}")
    tally = asyncio.run(_import(settings, platform, parse, request))
    _report(settings, request, tally)
    return DATA if tally.refused else 0


def _platform(settings: Settings, name: str) -> tuple[Platform[Any], Parser]:
    """The platform of a connection. One that is not configured may be named by its platform: no key is needed here."""
    platforms = available()
    connection = settings.connections.get(name)
    platform = platforms.get(connection.platform if connection else name)
    if platform is None or platform.parse is None:
        known = sorted({*settings.connections, *(one for one, found in platforms.items() if found.parse)})
        raise UsageError(f"--connection {name}: there is none that has responses; there are {', '.join(known)}")
    return platform, platform.parse


async def _import(settings: Settings, platform: Platform[Any], parse: Parser, request: Request) -> Tally:
    tally = Tally()
    size = request.file.stat().st_size or 1
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[taken]} taken"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console()) as progress:
        task = progress.add_task(request.file.name, total=size, taken=0)
        chunks = _chunks(_items(platform, request))
        if request.dry_run:
            for chunk in chunks:
                _usable(parse, request.connection, chunk, tally)
                _advance(progress, task, chunk, tally)
            return tally
        async with store_beside_or_new(settings) as store:
            keeper = _Keeper(store, request)
            done = await keeper.done()
            for chunk in chunks:
                fresh = [item for item in chunk if item.number > done]
                tally.skipped += len(chunk) - len(fresh)
                records = _usable(parse, request.connection, fresh, tally)
                await keeper.keep(records, through=chunk[-1].number)
                _advance(progress, task, chunk, tally)
            await keeper.finish()
    return tally


def _items(platform: Platform[Any], request: Request) -> Iterator[Item]:
    if (request.format or sniff(request.file)) == "api-json":
        return json_items(request.file)
    if platform.compose is None:
        raise UsageError(f"{platform.name} takes no CSV archives; use --format api-json")
    return csv_items(request.file, platform.compose, request.mapping, date_format=request.date_format)


def _chunks(items: Iterator[Item]) -> Iterator[list[Item]]:
    while chunk := list(islice(items, RECORDS_AT_ONCE)):
        yield chunk


def _usable(parse: Parser, connection: str, items: Iterable[Item], tally: Tally) -> list[bytes]:
    """The records that parse; the others are refused with their line."""
    records: list[bytes] = []
    for item in items:
        if item.record is None:
            tally.refuse(item.number, item.refusal or "cannot be read")
            continue
        try:
            tally.take(parse(connection, item.record))
        except BadRecord as error:
            tally.refuse(item.number, str(error))
        else:
            records.append(item.record)
    return records


def _advance(progress: Progress, task: TaskID, chunk: Sequence[Item], tally: Tally) -> None:
    progress.update(task, completed=chunk[-1].read, taken=tally.taken)


class _Keeper:
    """Journals chunks, each together with how far the file has been read."""

    def __init__(self, store: Store, request: Request) -> None:
        self._store = store
        self._connection = request.connection
        self._clock = Clock()
        self._place = f"import:{request.connection}:{_fingerprint(request)}"

    async def done(self) -> int:
        """The last line an interrupted import has journaled; 0 for none."""
        return int(await self._store.checkpoint(self._place) or b"0")

    async def keep(self, records: Sequence[bytes], *, through: int) -> None:
        arrival = Arrival(
            connection=self._connection,
            origin=Origin.IMPORT,
            body=b"[" + b",".join(records) + b"]",
            count=len(records),
            received_at=self._clock.now_ms(),
        )
        await self._store.append([arrival] if records else [], checkpoint=(self._place, str(through).encode()))

    async def finish(self) -> None:
        """The next import of this file starts from its beginning, and finds everything known."""
        await self._store.append([], checkpoint=(self._place, b"0"))


def _fingerprint(request: Request) -> str:
    """What tells this archive, read in this way, from another."""
    how = repr((request.format, sorted(request.mapping.items()), request.date_format, request.file.stat().st_size))
    with request.file.open("rb") as file:
        start = file.read(1 << 20)
    return hashlib.sha256(how.encode() + start).hexdigest()[:32]


# --- telling ----------------------------------------------------------------------------------------------------


def _report(settings: Settings, request: Request, tally: Tally) -> None:
    out = console()
    scored = sum(tally.camps.values())
    words = ", ".join(f"{count} {camp}s" for camp, count in tally.camps.items())
    nps = f" (NPS {100 * (tally.camps['promoter'] - tally.camps['detractor']) / scored:.1f})" if scored else ""
    out.print(f"{tally.taken} responses: {words}{nps}; {tally.refused} refused, {tally.skipped} journaled before")
    for number, reason in tally.refusals:
        out.print(f"  line {number}: {reason}")
    if tally.refused > len(tally.refusals):
        out.print(f"  ... and {tally.refused - len(tally.refusals)} more")
    if request.dry_run:
        out.print("A sample of what would be emitted; nothing was kept or sent:")
        print_json(sample_calls(settings, tally.sample))
    else:
        out.print("They are in the journal; the daemon emits what is new, now or when it is started.")


def sample_calls(settings: Settings, responses: Sequence[Response]) -> list[dict[str, Any]]:
    """The calls that these responses would become if nothing were known yet."""
    calls: list[dict[str, Any]] = []

    def plan(emission: Emission) -> list[PlannedDelivery]:
        calls.extend(call(emission, kind, integrations=None, library_version="") for kind in emission.kinds)
        return []

    entry = Reading(journal_id=0, origin=Origin.IMPORT, responses=list(responses), shelved=[])
    route([entry], Recall(), rules=rules(settings), plans=[plan], now=Clock().now_ms())
    return calls

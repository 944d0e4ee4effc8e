"""`npsbridge import`: an exported history into the journal, as if it had been polled.

It can be stopped at any moment and started again: what is journaled is not journaled twice, and an answer that is
known is recognised. What cannot be used is told with its line, by every run that reads it.
"""

import asyncio
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

from npsbridge.cli.archive import Format, Item, Seen, sniff, unreadable
from npsbridge.cli.csv_archive import csv_items
from npsbridge.cli.import_report import Tally, document, report, watched
from npsbridge.cli.json_archive import json_items
from npsbridge.cli.opening import settings_from, store_beside_or_new
from npsbridge.cli.show import print_json
from npsbridge.clock import Clock
from npsbridge.core.archive import told
from npsbridge.core.model import Response
from npsbridge.core.ports import Parser
from npsbridge.core.reading import joined
from npsbridge.core.records import Arrival, Origin
from npsbridge.core.storage import Store
from npsbridge.core.times import milliseconds
from npsbridge.errors import BadRecord, UsageError
from npsbridge.platforms import Platform, available
from npsbridge.settings import Settings

RECORDS_AT_ONCE: Final = 300
"""As many as the daemon routes in one run."""
BYTES_AT_ONCE: Final = 1 << 20
DATA: Final = 65


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the operator asked for."""

    file: Path
    connection: str
    format: Format | None
    mapping: Mapping[str, str]
    date_format: str | None
    dry_run: bool


def pairs(texts: Sequence[str]) -> dict[str, str]:
    """`FIELD=COLUMN` texts as a mapping. Raises UsageError."""
    for text in texts:
        if "=" not in text:
            raise UsageError(f"--map {text}: must be written FIELD=COLUMN")
    return {name.strip(): column.strip() for name, _, column in (text.partition("=") for text in texts)}


def import_archive(env_file: Path | None, request: Request, *, as_json: bool = False) -> int:
    """Journal an archive, or only report on it; returns 65 when a record was refused, else 0."""
    settings = settings_from(env_file)
    platform, parse = _platform(settings, request.connection)
    if not request.file.is_file():
        raise UsageError(f"there is no file {request.file}")
    tally = Tally()
    with closing(Seen()) as seen:
        items = watched(_items(platform, request, seen, tally), request.file, tally)
        chunks = _chunks(_Reading(parse, request.connection, seen, tally).records(items))
        asyncio.run(_keep(settings, request, chunks, tally))
    if as_json:
        print_json(document(settings, tally, dry_run=request.dry_run))
    else:
        report(settings, tally, dry_run=request.dry_run)
    return DATA if tally.refused else 0


def _platform(settings: Settings, name: str) -> tuple[Platform[Any], Parser]:
    """The platform of a connection. One that is not configured may be named by its platform: no key is needed here."""
    platforms = available()
    connection = settings.connections.get(name)
    platform = platforms.get(connection.platform if connection else name)
    if platform is None or platform.parse is None:
        accounts = {one: platforms.get(found.platform) for one, found in settings.connections.items()}
        known = sorted(one for one, found in (platforms | accounts).items() if found and found.parse)
        raise UsageError(f"--connection {name}: answers are of one of {', '.join(known)}")
    return platform, platform.parse


# --- reading ----------------------------------------------------------------------------------------------------


def _items(platform: Platform[Any], request: Request, seen: Seen, tally: Tally) -> Iterator[Item]:
    if reason := unreadable(request.file):
        return iter([Item(number=1, line=1, refusal=reason, read=0)])
    if (request.format or sniff(request.file)) == "api-json":
        if request.mapping or request.date_format:
            raise UsageError("--map and --date-format are for CSV; the platform's own objects are read as they stand")
        return json_items(request.file)
    if platform.compose is None:
        raise UsageError(f"{platform.name} takes no CSV archives; use --format api-json")
    return csv_items(
        request.file,
        platform.compose,
        request.mapping,
        date_format=request.date_format,
        seen=seen,
        understood=tally.understand,
    )


@dataclass(frozen=True, slots=True)
class _Usable:
    """An item that was read, and its record if it can be used."""

    item: Item
    record: bytes | None


@dataclass(frozen=True, slots=True)
class _Reading:
    """Sorts items into those that can be used and those that are refused."""

    parse: Parser
    connection: str
    seen: Seen
    tally: Tally

    def records(self, items: Iterable[Item]) -> Iterator[_Usable]:
        """The items in order; the tally knows of each."""
        for item in items:
            try:
                yield _Usable(item, self._record(item))
            except BadRecord as error:
                self.tally.refuse(item.place, told(error))
                yield _Usable(item, None)

    def _record(self, item: Item) -> bytes:
        if item.record is None:
            raise BadRecord("", item.refusal or "cannot be read")
        response = self.parse(self.connection, item.record)
        if self._is_repeated(response):
            raise BadRecord("/id", "stands in an earlier line already")
        self.tally.take(response)
        return item.record

    def _is_repeated(self, response: Response) -> bool:
        """Whether an answer came before; one that was changed later, and says so, is an edit, as in a poll."""
        key = f"{'viewed' if response.viewed else 'answer'} {response.id}"
        known = self.seen.add(key, milliseconds(response.changed_at))
        is_edit = known is not None and response.updated_at is not None and milliseconds(response.updated_at) > known
        if is_edit:
            self.seen.change(key, milliseconds(response.changed_at))
        return known is not None and not is_edit


def _chunks(usable: Iterable[_Usable]) -> Iterator[list[_Usable]]:
    """As much as is journaled at once: not too many records, and not too long ones."""
    chunk: list[_Usable] = []
    size = 0
    for one in usable:
        chunk.append(one)
        size += len(one.record or b"")
        if len(chunk) == RECORDS_AT_ONCE or size >= BYTES_AT_ONCE:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


# --- keeping ----------------------------------------------------------------------------------------------------


async def _keep(settings: Settings, request: Request, chunks: Iterator[list[_Usable]], tally: Tally) -> None:
    if request.dry_run:
        for _ in chunks:
            pass
        return
    first = list(islice(chunks, 1))  # before there is a store: what cannot be meant shows here
    async with store_beside_or_new(settings) as store:
        keeper = _Keeper(store, request)
        done = await keeper.done()
        for chunk in chain(first, chunks):
            fresh = [one.record for one in chunk if one.record is not None and one.item.number > done]
            tally.kept_before += sum(one.record is not None for one in chunk) - len(fresh)
            if chunk[-1].item.number > done:
                await keeper.keep(fresh, through=chunk[-1].item.number)
        await keeper.finish()


class _Keeper:
    """Journals chunks, each together with how far the file has been read."""

    def __init__(self, store: Store, request: Request) -> None:
        self._store = store
        self._connection = request.connection
        self._clock = Clock()
        self._place = f"import:{request.connection}:{_fingerprint(request)}"

    async def done(self) -> int:
        """The last item that an interrupted import has journaled; 0 for none."""
        return int(await self._store.checkpoint(self._place) or b"0")

    async def keep(self, records: Sequence[bytes], *, through: int) -> None:
        """Journal records; every item up to `through` is then done with."""
        arrival = Arrival(
            connection=self._connection,
            origin=Origin.IMPORT,
            body=joined(records),
            count=len(records),
            received_at=self._clock.now_ms(),
        )
        await self._store.append([arrival] if records else [], checkpoint=(self._place, str(through).encode()))

    async def finish(self) -> None:
        """The next import of this file starts from its beginning, and finds everything known."""
        await self._store.append([], checkpoint=(self._place, b"0"))


def _fingerprint(request: Request) -> str:
    """What tells this archive, read in this way, from another; one that was edited in between is another."""
    found = request.file.stat()
    how = (request.format, sorted(request.mapping.items()), request.date_format, found.st_size, found.st_mtime_ns)
    with request.file.open("rb") as file:
        start = file.read(1 << 20)
    return hashlib.sha256(repr(how).encode() + start).hexdigest()[:32]

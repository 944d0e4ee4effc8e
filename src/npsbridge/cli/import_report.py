"""What `npsbridge import` tells: how far it is, what became of the records, and a sample of what would be emitted."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from npsbridge import __version__
from npsbridge.app.parts import rules
from npsbridge.cli.archive import Item
from npsbridge.cli.opening import store_path
from npsbridge.cli.show import console, print_json, readable
from npsbridge.clock import Clock
from npsbridge.core.archive import Columns
from npsbridge.core.model import Emission, PlannedDelivery, Response
from npsbridge.core.records import Origin, Recall
from npsbridge.core.route import Reading, route
from npsbridge.core.translate import call, category
from npsbridge.platforms import available
from npsbridge.settings import Settings, SurveySettings

SHOWN_REFUSALS: Final = 1000
SAMPLE: Final = 1
_TENTHS: Final = 10
_SOON_READ: Final = 1 << 20
"""Bytes; nobody waits for less."""
_ITEMS_A_LOOK: Final = 100


@dataclass(slots=True)
class Tally:
    """What became of the archive's records."""

    taken: int = 0
    kept_before: int = 0
    """Of those taken, how many an interrupted import had journaled already."""
    refused: int = 0
    camps: dict[str, int] = field(default_factory=lambda: {"promoter": 0, "passive": 0, "detractor": 0})
    refusals: list[tuple[str, str]] = field(default_factory=list)
    """Place and reason of the first ones."""
    sample: list[Response] = field(default_factory=list)
    columns: Columns | None = None
    """What those of a CSV were taken for."""

    def understand(self, columns: Columns) -> None:
        """Keep what the columns of a CSV are taken for."""
        self.columns = columns

    def refuse(self, place: str, reason: str) -> None:
        """Count a refusal, and keep the first ones to be shown."""
        self.refused += 1
        if len(self.refusals) < SHOWN_REFUSALS:
            self.refusals.append((place, reason))

    def take(self, response: Response) -> None:
        """Count a usable response."""
        self.taken += 1
        if response.survey_type == "nps" and response.score is not None:
            self.camps[category(int(response.score))] += 1
        if len(self.sample) < SAMPLE:
            self.sample.append(response)


# --- while it goes on -------------------------------------------------------------------------------------------


def watched(items: Iterator[Item], file: Path, tally: Tally) -> Iterator[Item]:
    """Pass the items on, and show how far the file has been read: a bar on a terminal, else lines if it takes long."""
    size = file.stat().st_size or 1
    out = console(stderr=True)
    if out.is_terminal:
        return _behind_a_bar(items, file.name, size, tally, out)
    return items if size < _SOON_READ else _in_lines(items, size, tally, out)


def _behind_a_bar(items: Iterator[Item], name: str, size: int, tally: Tally, out: Console) -> Iterator[Item]:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[taken]} taken, {task.fields[refused]} refused"),
    )
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=out) as progress:
        task = progress.add_task(name, total=size, taken=0, refused=0)
        for number, item in enumerate(items):
            if number % _ITEMS_A_LOOK == 0:
                progress.update(task, completed=item.read, taken=tally.taken, refused=tally.refused)
            yield item
        progress.update(task, completed=size, taken=tally.taken, refused=tally.refused)


def _in_lines(items: Iterator[Item], size: int, tally: Tally, out: Console) -> Iterator[Item]:
    shown = 0
    for item in items:
        tenth = min(_TENTHS - 1, item.read * _TENTHS // size)
        if tenth > shown:
            shown = tenth
            out.print(f"{tenth * 100 // _TENTHS}% read, {tally.taken} taken, {tally.refused} refused")
        yield item


# --- at the end -------------------------------------------------------------------------------------------------


def document(settings: Settings, tally: Tally, *, dry_run: bool) -> dict[str, Any]:
    """The same for machines; all refusals are counted, the first ones named."""
    return {
        "responses": tally.taken,
        "journaled_before": tally.kept_before,
        **{f"{camp}s": count for camp, count in tally.camps.items()},
        "refused": tally.refused,
        "refusals": [{"place": place, "reason": reason} for place, reason in tally.refusals],
        **({} if tally.columns is None else {"columns": tally.columns.named, "properties": tally.columns.unnamed}),
        "journaled": not dry_run,
        **({"sample": sample_calls(settings, tally.sample)} if dry_run else {}),
    }


def report(settings: Settings, tally: Tally, *, dry_run: bool) -> None:
    """Say what became of the archive."""
    out = console()
    out.print(_summary(tally))
    if tally.columns is not None:
        out.print(readable(_taken_for(tally.columns)))
    for place, reason in tally.refusals:
        out.print(readable(f"  {place}: {reason}"))
    if tally.refused > len(tally.refusals):
        out.print(f"  ... and {tally.refused - len(tally.refusals)} more")
    if dry_run:
        out.print("What one of them would become; nothing was kept or sent:")
        print_json(sample_calls(settings, tally.sample))
    elif tally.taken:
        path = store_path(settings)
        where = "the database" if path is None else readable(str(path.resolve()))
        out.print(f"They are in the journal ({where}); the daemon emits what is new, now or when it is started.")
        if not _has_sink(settings):
            out.print("They wait there: nothing is set to send them to, such as NPSBRIDGE_SEGMENT__WRITE_KEY.")


def _taken_for(columns: Columns) -> str:
    """A wrong guess shows here, before anything is sent."""
    fields = ", ".join(f"{field} = {column}" for field, column in columns.named.items())
    kept = f"; kept as properties of the person: {', '.join(columns.unnamed)}" if columns.unnamed else ""
    return f"columns, unless --map says otherwise: {fields}{kept}"


def _summary(tally: Tally) -> str:
    scored = sum(tally.camps.values())
    words = ", ".join(f"{count} {camp}s" for camp, count in tally.camps.items())
    nps = f" (NPS {100 * (tally.camps['promoter'] - tally.camps['detractor']) / scored:.1f})" if scored else ""
    before = f", {tally.kept_before} of them journaled before" if tally.kept_before else ""
    return f"{tally.taken} responses{before}: {words}{nps}; {tally.refused} refused"


def _has_sink(settings: Settings) -> bool:
    platforms = available()
    return any(
        platforms[connection.platform].destination and not isinstance(connection.settings, SurveySettings)
        for connection in settings.connections.values()
    )


def sample_calls(settings: Settings, responses: Sequence[Response]) -> list[dict[str, Any]]:
    """The calls that these responses would become if nothing were known yet."""
    calls: list[dict[str, Any]] = []

    def plan(emission: Emission) -> list[PlannedDelivery]:
        said: Iterable[dict[str, Any]] = (
            call(emission, kind, integrations=None, library_version=__version__) for kind in emission.kinds
        )
        calls.extend(said)
        return []

    entry = Reading(journal_id=0, origin=Origin.IMPORT, responses=list(responses), shelved=[])
    route([entry], Recall(), rules=rules(settings), plans=[plan], now=Clock().now_ms())
    return calls

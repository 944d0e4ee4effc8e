"""What `npsbridge status` looks like: a page to be read, a view that fits a terminal, a line for a log (pure)."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from npsbridge.cli.show import readable, table

Snapshot = dict[str, Any]

_STYLES: Final = {
    "connected": "green",
    "waiting_for_data": "cyan",
    "backfilling": "cyan",
    "retrying": "yellow",
    "paused": "bold red",
    "retired": "magenta",
}
_WORST_FIRST: Final = ("paused", "retrying", "retired", "backfilling", "waiting_for_data", "connected")
_OWED: Final = ("queued", "waiting", "inflight")
_UNFINISHED: Final = (*_OWED, "held", "dead")
"""States in which something is still to be done, by npsbridge or by somebody; the ledger counts the others."""
_ROOMY: Final = 64
"""Columns from which on what is owed has a column of its own."""
_FRAME: Final = 6
"""Lines of a view besides those of connections and their reasons: two at the top, four at the end."""
_BAR: Final = 12
_ALIKE: Final = ("version", "settings")
"""In what replicas should not differ."""
_FLEET: Final = 5
"""One line in so many may tell of replicas, in a terminal of the usual height."""
_HIGH: Final = 24
_MEASURE: Final = Console(width=80)
"""Only asked how texts break."""
_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


# --- a page -----------------------------------------------------------------------------------------------------


def page(found: Snapshot) -> Group:
    """The status for people; a stopped daemon's states are shown as what they are, past."""
    connections = [
        (f"{one['connection']}:{one['direction']}", _state_words(one), one["since"], one["reason"])
        for one in found["connections"]
    ]
    unfinished = [one for one in found["deliveries"] if one["state"] in _UNFINISHED]
    queues = [(one["connection"], one["state"], one["count"]) for one in unfinished]
    parts: list[RenderableType] = [
        _daemon(found),
        "",
        table("Connections", ["connection", "state", "since", "reason"], connections),
        "",
        table("Ledger", ["entry", "count"], list(found["ledger"].items())),
    ]
    if queues:
        parts += ["", table("Deliveries not finished", ["connection", "state", "count"], queues)]
    if found["replicas"]:
        columns = ["replica", "version", "settings", "since", "last heard of", "work"]
        parts += ["", table("Replicas", columns, [_row(one) for one in found["replicas"]])]
        parts += [f"Done by nobody at this moment: {', '.join(found['unheld'])}"] if found["unheld"] else []
        parts += found["warnings"]
    return Group(*(readable(part) if isinstance(part, str) else part for part in parts))


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    """A replica; what differs from most of the others is marked."""
    version, settings = (f"{one[name]} (differs)" if name in one["differs_in"] else one[name] for name in _ALIKE)
    return one["id"], version, settings, one["since"], one["heard_at"], ", ".join(one["work"])


def _daemon(found: Snapshot) -> str:
    if not found["daemon"]["running"]:
        return "No daemon is running; this is how the last one left it."
    count = len(found["replicas"])
    return f"{count} replicas are running." if count > 1 else "The daemon is running."


def _state_words(one: dict[str, Any]) -> str:
    words, progress = str(one["state"]).replace("_", " "), one["progress"]
    return words if progress is None else f"{words} {progress:.0%}"


# --- a line -----------------------------------------------------------------------------------------------------


def one_line(found: Snapshot, now: datetime) -> str:
    """The status on one line, for whoever watches through a pipe."""
    states = " ".join(f"{one['connection']}:{one['direction']}={one['state']}" for one in found["connections"])
    ledger = found["ledger"]
    figures = " ".join(f"{entry}={ledger[entry]}" for entry in ("waiting", "held", "dead", "imbalance"))
    running = "running" if found["daemon"]["running"] else "stopped"
    fleet = f" replicas={len(found['replicas'])} warnings={len(found['warnings'])}" if found["replicas"] else ""
    return readable(f"{now:%Y-%m-%dT%H:%M:%SZ} {running}{fleet} {states} {figures}").plain


# --- a view -----------------------------------------------------------------------------------------------------


def view(found: Snapshot, *, now: datetime, width: int, height: int) -> Group:
    """The status within a terminal of some columns and lines; what is worst comes first, and what has no room last."""
    lines = sorted(found["connections"], key=lambda one: (_WORST_FIRST.index(one["state"]), one["connection"]))
    fleet = _fleet(found, now, height)
    room = max(1, height - _FRAME - len(fleet) - _lines_of(_ledger(found), width))
    shown = _fitting(lines, room, width)
    left = len(lines) - len(shown)
    more = [_dim(f"... and {left} more, with less to say")] if left else []
    keys = _dim(f"{now:%H:%M:%S}Z  q quits")
    rows = _rows(found, shown, now, width)
    return Group(_head(found), Text(""), rows, *more, *fleet, Text(""), _ledger(found), Text(""), keys)


def _fleet(found: Snapshot, now: datetime, height: int) -> list[Text]:
    """What warns of replicas and a line for each, as far as there is room; a low terminal has their number alone."""
    warnings = [Text(text, style="yellow", overflow="ellipsis", no_wrap=True) for text in found["warnings"]]
    lines = [*warnings, *(_one_replica(one, now) for one in found["replicas"])]
    if not lines or height < _HIGH:
        return []
    most = height // _FLEET
    more = [_dim(f"... and {len(lines) - most + 1} more")] if len(lines) > most else []
    return [Text(""), *lines[: most - len(more)], *more]


def _one_replica(one: dict[str, Any], now: datetime) -> Text:
    said = Text(f"{one['id']} ", overflow="ellipsis", no_wrap=True)
    for name in _ALIKE:
        said.append(f"{one[name]} ", "yellow" if name in one["differs_in"] else "dim")
    said.append(f"up {ago(one['since'], now)}, heard of {ago(one['heard_at'], now)} ago, ", "dim")
    return said.append(f"{len(one['work'])} leases: {', '.join(one['work'])}" if one["work"] else "no lease")


def _dim(text: str) -> Text:
    """A line that stays one, however narrow the terminal."""
    return Text(text, style="dim", overflow="ellipsis", no_wrap=True)


def _head(found: Snapshot) -> Text:
    is_running = found["daemon"]["running"]
    said = Text("npsbridge ", style="bold", overflow="ellipsis", no_wrap=True)
    said.append("is running" if is_running else "is not running; as it was left", "green" if is_running else "bold red")
    imbalance = found["ledger"]["imbalance"]
    said.append(", the ledger balances" if not imbalance else f", THE LEDGER IS OUT BY {imbalance}", _bad(imbalance))
    if replicas := len(found["replicas"]):
        said.append(f", {replicas} {'replica' if replicas == 1 else 'replicas'}")
    if warnings := len(found["warnings"]):
        said.append(f", {warnings} {'warning' if warnings == 1 else 'warnings'}", "yellow")
    return said


def _bad(figure: int) -> str:
    return "bold red" if figure else ""


def _fitting(lines: Sequence[dict[str, Any]], room: int, width: int) -> list[dict[str, Any]]:
    """As many as there is room for, with their reasons."""
    shown: list[dict[str, Any]] = []
    for one in lines:
        room -= 1 + (_lines_of(_reason(one), width) if one["reason"] else 0)
        if room < (1 if len(shown) + 1 < len(lines) else 0):
            break
        shown.append(one)
    return shown or list(lines[:1])


def _lines_of(text: Text, width: int) -> int:
    return len(text.wrap(_MEASURE, max(width, 1)))


def _reason(one: dict[str, Any]) -> Text:
    return Text("  ") + readable(one["reason"]) if one["reason"] else Text("")


def _rows(found: Snapshot, lines: Sequence[dict[str, Any]], now: datetime, width: int) -> RenderableType:
    if not lines:
        return Text("Nothing is known of any connection yet.")
    return Group(*_blocks(found, lines, now, width))


def _blocks(found: Snapshot, lines: Sequence[dict[str, Any]], now: datetime, width: int) -> Iterator[RenderableType]:
    """Rows of one table, in pieces of the same widths, with the reasons between them over the whole width."""
    is_roomy = width >= _ROOMY
    names = max(len(_name(one)) for one in lines)
    for one in lines:
        row = Table.grid(padding=(0, 2, 0, 0), expand=False)
        row.add_column(width=min(names, max(12, width // 3)), no_wrap=True, overflow="ellipsis")
        row.add_column(width=16, no_wrap=True)
        row.add_column(width=6, justify="right", no_wrap=True)
        cells: list[RenderableType] = [readable(_name(one)), _state(one), Text(ago(one["since"], now), style="dim")]
        if is_roomy:
            row.add_column(no_wrap=True, overflow="ellipsis")
            cells.append(_last(found, one))
        row.add_row(*cells)
        yield row
        if one["reason"]:
            yield _styled(_reason(one), _STYLES[one["state"]])


def _styled(text: Text, style: str) -> Text:
    text.stylize(style)
    return text


def _name(one: dict[str, Any]) -> str:
    return f"{one['connection']}:{one['direction']}"


def _state(one: dict[str, Any]) -> Text:
    return Text(_state_words(one), style=_STYLES[one["state"]])


def _last(found: Snapshot, one: dict[str, Any]) -> RenderableType:
    """A bar while a history is read, and what is owed where something is sent."""
    if one["progress"] is not None:
        return ProgressBar(total=1.0, completed=one["progress"], width=_BAR)
    if one["direction"] != "forward":
        return Text("")
    counts = {each["state"]: each["count"] for each in found["deliveries"] if each["connection"] == one["connection"]}
    owed = sum(counts.get(state, 0) for state in _OWED)
    said = Text(f"{owed:,} owed" if owed else "nothing owed", style="" if owed else "dim")
    for state in ("held", "dead"):
        if count := counts.get(state, 0):
            said.append(f", {count:,} {state}", "bold red")
    return said


def _ledger(found: Snapshot) -> Text:
    """The ledger as the sum that it is; zeros are left out."""
    entries = {entry: count for entry, count in found["ledger"].items() if entry not in {"accepted", "imbalance"}}
    parts = [f"{count:,} {entry}" for entry, count in entries.items() if count]
    return Text(f"{found['ledger']['accepted']:,} accepted = " + (" + ".join(parts) or "nothing yet"))


def ago(since: str, now: datetime) -> str:
    """How long ago an ISO time was, in its largest unit."""
    seconds = max(0, int((now - datetime.fromisoformat(since)).total_seconds()))
    size, unit = next((one for one in _UNITS if seconds >= one[0]), _UNITS[-1])
    return f"{seconds // size}{unit}"

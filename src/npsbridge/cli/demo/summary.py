"""The end of the demo: every platform, both ends side by side, and what to do next."""

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from npsbridge.cli.demo.figure import Figure
from npsbridge.cli.demo.sdk import WRITE_KEY
from npsbridge.cli.demo.shop import ORDERED
from npsbridge.cli.demo.stage import Stage
from npsbridge.cli.demo.titles import CONNECTED, TITLES
from npsbridge.cli.demo.verdict import Place, Verdict
from npsbridge.cli.demo.view import View
from npsbridge.cli.demo.way_out import Way

NEXT: Final = """\
With your own accounts, in this order (README, "Set up in five minutes"):

  export NPSBRIDGE_RETENTLY__API_KEY=...    # or that of another survey platform
  export NPSBRIDGE_SEGMENT__WRITE_KEY=...   # Segment: where answers go; Heap: NPSBRIDGE_HEAP__APP_ID
  npsbridge check --online                  # are the keys good?
  npsbridge backfill retently --dry-run     # what is there? nothing is sent
  npsbridge run

No accounts at hand? `npsbridge sandbox` serves these look-alikes to build on."""


def platforms(places: Sequence[Place]) -> Table:
    """Every platform with its state and its answers at the vendor, at Segment and at Heap."""
    made = _table("The platforms, and how many answers each end knows")
    for name in ("", "direction", "state"):
        made.add_column(name, overflow="fold")
    for name in ("vendor", "Segment", "Heap"):
        made.add_column(name, justify="right", overflow="fold")
    for one in places:
        state = Text(one.state.replace("_", " "), "green" if one.state == CONNECTED else "bold red")
        counts = [Text("" if count is None else f"{count:,}") for count in (one.answers, one.segment, one.heap)]
        made.add_row(Text(one.title), Text(one.direction), state, *counts)
    return made


def ways_out(ways: Sequence[Way]) -> Table:
    """What each survey platform was asked for, by its look-alike's own account, and what has not gone out."""
    made = _table("The way out: what each vendor was asked for, and what did not go out")
    made.add_column("", overflow="fold")
    for name in ("requests", "people", "surveys", "throttled", "twice", "waiting/expired/held"):
        made.add_column(name, justify="right", overflow="fold")
    for one in ways:
        counts = (one.requests, one.asked.people, one.asked.surveys, one.asked.throttled, one.twice)
        left = f"{one.waiting:,}/{one.expired:,}/{one.held:,}"
        made.add_row(Text(one.title), *(Text(f"{count:,}") for count in counts), Text(left))
    return made


def summary(
    figures: Sequence[Figure],
    title: str = "What is true, and what was told",
    ends: tuple[str, str] = ("at the vendors", "told"),
) -> Table:
    """What is so at one end beside what is so at the other."""
    made = _table(title)
    for name in ("", *ends, ""):
        made.add_column(name, justify="left" if not name else "right", overflow="fold")
    for one in figures:
        word, style = ("agrees", "green") if one.agrees else ("DIFFERS", "bold red")
        made.add_row(Text(one.name), Text(one.true), Text(one.told), Text(word, style))
    return made


def print_summary(console: Console, verdict: Verdict, view: View, seconds: float) -> None:
    """Print the end of the demo."""
    sent = summary(verdict.sent, "What was sent, and what the vendors recorded", ("sent", "recorded"))
    for table in (platforms(verdict.places), ways_out(verdict.ways), sent, summary(verdict.figures)):
        console.print()
        console.print(table)
    console.print()
    print(f"{sum(view.calls.values()):,} calls at Segment in {seconds:.0f} s.", flush=True)
    print(f"{view.recognised:,} records came more than once and were recognised.", flush=True)
    print(flush=True)


def addresses(stage: Stage) -> Iterator[str]:
    """Where to look while it stays up."""
    admin, width = stage.daemon.admin, max(map(len, TITLES.values()))
    yield "People go on answering. Look at the dashboard in a browser:"
    yield ""
    yield f"  {admin}/"
    yield ""
    yield "One platform is down now, and one survey is in doubt: find both there, and settle the survey."
    yield "Further places to look:"
    yield f"  {'the daemon':{width}}  {admin}/healthz  {admin}/metrics"
    for server in stage.sandbox.servers:
        kind = server.state()["kind"]
        things = "events" if kind in {"segment", "heap"} else "responses"
        yield f"  {TITLES[kind]:{width}}  {server.origin}/__sim/state  {server.origin}/__sim/{things}?limit=5"
    said = f"""'{{"userId":"u-1001","event":"{ORDERED}"}}'"""
    yield "Somebody buys something, and is asked how it was:"
    yield f"  curl -u {WRITE_KEY}: -H 'Content-Type: application/json' -d {said} {stage.daemon.public}/v1/track"
    yield "Ctrl-C ends it."


def _table(title: str) -> Table:
    return Table(title=title, title_style="bold", title_justify="left", box=None)

"""The end of the demo: both ends side by side, and what to do next."""

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from npsbridge.cli.demo.stage import Stage
from npsbridge.cli.demo.verdict import Figure
from npsbridge.cli.demo.view import View

NEXT: Final = """\
With your own accounts, in this order (README, "Set up in five minutes"):

  export NPSBRIDGE_DELIGHTED__API_KEY=...   # Delighted: Settings > API
  export NPSBRIDGE_SEGMENT__WRITE_KEY=...   # Segment: where answers go
  npsbridge check --online                  # are the keys good?
  npsbridge backfill delighted --dry-run    # what is there? nothing is sent
  npsbridge run

No accounts at hand? `npsbridge sandbox` serves these look-alikes to build on."""


def summary(figures: Sequence[Figure]) -> Table:
    """What is true at Delighted beside what Segment was told."""
    made = Table(title="What is true, and what Segment was told", title_style="bold", title_justify="left", box=None)
    for name in ("", "Delighted", "Segment", ""):
        made.add_column(name, justify="left" if not name else "right", overflow="fold")
    for one in figures:
        word, style = ("agrees", "green") if one.agrees else ("DIFFERS", "bold red")
        made.add_row(Text(one.name), Text(one.delighted), Text(one.segment), Text(word, style))
    return made


def print_summary(console: Console, figures: Sequence[Figure], view: View, seconds: float) -> None:
    """Print the end of the demo."""
    console.print()
    console.print(summary(figures))
    console.print()
    print(f"{sum(view.calls.values()):,} calls in {seconds:.0f} s, every one of them once.", flush=True)
    print(f"{view.recognised:,} records came more than once and were recognised.", flush=True)
    print(flush=True)


def addresses(stage: Stage) -> Iterator[str]:
    """Where to look while it stays up."""
    admin = f"http://127.0.0.1:{stage.app.admin_port}"
    delighted, segment = stage.sandbox.delighted, stage.sandbox.segment
    yield "People go on answering; look at it from another terminal or a browser:"
    yield f"  the daemon    {admin}/healthz  {admin}/metrics"
    yield f"  Segment       {segment.origin}/__sim/state  {segment.origin}/__sim/events?limit=5"
    yield f"  Delighted     {delighted.origin}/__sim/state  {delighted.origin}/__sim/responses?limit=5"
    yield "Ctrl-C ends it."

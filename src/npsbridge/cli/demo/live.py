"""The demo on a terminal: one page that is drawn anew several times a second."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from npsbridge.cli.demo.heard import nps
from npsbridge.cli.demo.log_tail import LogTail
from npsbridge.cli.demo.story import Beat, Story
from npsbridge.cli.demo.view import View

TITLE: Final = "npsbridge demo: the real daemon between look-alikes of Delighted and Segment"
CALLS: Final = ("identify", "Submit Survey", "Answered NPS Survey", "Completed NPS Survey")
STYLES: Final = {"promoter": "green", "passive": "yellow", "detractor": "red"}
_BLOCKS: Final = {"promoter": "█", "passive": "▒", "detractor": "░"}
_PLAIN_BLOCKS: Final = {"promoter": "#", "passive": "=", "detractor": "-"}
_NARROW: Final = 72
_BAR: Final = 30
_MARGIN: Final = 1
"""Lines of the terminal that stay free below the page."""


class LiveScreen:
    """Draws views and the story; what is on it when it is closed stays on the terminal."""

    refresh_seconds = 0.125

    def __init__(self, console: Console, story: Story, log: LogTail) -> None:
        self._console = console
        self._story = story
        self._log = log
        self._draws = console.encoding.lower().startswith("utf")
        self._progress = Progress(
            TextColumn("history"),
            BarColumn(bar_width=None if console.width < _NARROW else 40),
            TaskProgressColumn(),
            TextColumn("{task.fields[read]:,} read"),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._progress.add_task("history", total=1.0, read=0)
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")
        self._last: RenderableType = Text()

    def open(self) -> None:
        """Take the terminal."""
        self._live.start()

    def show(self, view: View) -> None:
        """Draw a view, with as much of the story as the terminal has room for."""
        head = Group(*self._head(view))
        told = [*(self._beat(beat) for beat in self._story.beats), *(Text(line, "dim") for line in self._log.lines)]
        self._last = Group(head, *told)
        room = self._console.height - self._height(head) - _MARGIN
        self._live.update(Group(head, *self._latest(told, room)), refresh=True)

    def close(self) -> None:
        """Give the terminal back, with the whole story on it."""
        self._live.update(self._last, refresh=False)
        self._live.stop()

    def _height(self, part: RenderableType) -> int:
        return len(self._console.render_lines(part))

    def _latest(self, told: Sequence[Text], room: int) -> list[Text]:
        """The last things told that fit into so many lines."""
        shown: list[Text] = []
        for text in reversed(told):
            room -= self._height(text)
            if room < 0:
                break
            shown.append(text)
        return shown[::-1]

    def _head(self, view: View) -> Iterator[RenderableType]:
        yield _line(TITLE, "bold")
        yield Text()
        if view.progress is not None or not view.calls:
            self._progress.update(self._task, completed=view.progress or 0.0, read=view.read)
            yield self._progress.get_renderable()
            yield Text()
        yield self._figures(view)
        yield Text()
        for name, words in view.health.items():
            yield _line(f"  {name:18} {words}", "yellow" if "away" in words else "")
        yield Text()

    def _figures(self, view: View) -> RenderableType:
        calls = _numbers("calls at Segment", {name: view.calls.get(name, 0) for name in CALLS})
        camps = self._camps(view.camps)
        if self._console.width < _NARROW:
            return Group(calls, Text(), camps)
        side_by_side = Table.grid(padding=(0, 6))
        side_by_side.add_row(calls, camps)
        return side_by_side

    def _camps(self, camps: Mapping[str, int]) -> RenderableType:
        value = nps(camps)
        shown = Text("NPS so far ", "bold") + Text("" if value is None else f"{value:+.1f}", "bold")
        counts = Table.grid(padding=(0, 2))
        for camp, style in STYLES.items():
            counts.add_row(Text(f"{camp}s", style), Text(f"{camps.get(camp, 0):,}", justify="right"))
        return Group(shown, self._bar(camps), counts)

    def _bar(self, camps: Mapping[str, int]) -> Text:
        blocks = _BLOCKS if self._draws else _PLAIN_BLOCKS
        widths = shares([camps.get(camp, 0) for camp in STYLES], _BAR)
        bar = Text()
        for (camp, style), width in zip(STYLES.items(), widths, strict=True):
            bar.append(blocks[camp] * width, style)
        return bar

    def _beat(self, beat: Beat) -> Text:
        if beat.outcome is None:
            return Text(f"{'…' if self._draws else '.'} {beat.text}", "bold")
        return Text.assemble(("✓ " if self._draws else "* ", "green"), beat.text, (f": {beat.outcome}", "dim"))


def shares(counts: Iterable[int], width: int) -> list[int]:
    """Divide a bar of so many characters by counts; the parts add up to the width, or to nothing."""
    counts = list(counts)
    total = sum(counts)
    ends = [round(width * sum(counts[: number + 1]) / total) if total else 0 for number in range(len(counts))]
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


def _numbers(title: str, rows: Mapping[str, int]) -> Table:
    made = Table.grid(padding=(0, 2))
    made.add_row(Text(title, "bold"))
    for name, number in rows.items():
        made.add_row(Text(name), Text(f"{number:,}", justify="right"))
    return made


def _line(text: str, style: str = "") -> Text:
    return Text(text, style, no_wrap=True, overflow="ellipsis")

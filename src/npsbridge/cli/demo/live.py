"""The demo on a terminal: one page that is drawn anew several times a second."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from npsbridge.cli.demo.heard import ANSWERED, CLOSED, COMPLETED, SUBMIT, VIEWED, nps
from npsbridge.cli.demo.log_tail import LogTail
from npsbridge.cli.demo.story import Beat, Story
from npsbridge.cli.demo.view import Standing, View

TITLE: Final = "npsbridge demo: the real daemon between look-alikes of four survey platforms, Segment and Heap"
CALLS: Final = ("identify", SUBMIT, ANSWERED, COMPLETED, CLOSED, VIEWED)
STYLES: Final = {"promoter": "green", "passive": "yellow", "detractor": "red"}
_BLOCKS: Final = {"promoter": "█", "passive": "▒", "detractor": "░"}
_PLAIN_BLOCKS: Final = {"promoter": "#", "passive": "=", "detractor": "-"}
_NARROW: Final = 72
_BAR: Final = 30
_PROGRESS: Final = 20
_LARGEST_HEAD: Final = 2 / 3
"""The share of the terminal that figures may take; without room for the story they are left out."""
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
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")
        self._last: RenderableType = Text()

    def open(self) -> None:
        """Take the terminal."""
        self._live.start()

    def show(self, view: View) -> None:
        """Draw a view, with as much of the story as the terminal has room for."""
        head = self._head(view)
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

    def _head(self, view: View) -> RenderableType:
        standings = Group(_line(TITLE, "bold"), self._standings(view.standings))
        whole = Group(standings, Text(), self._figures(view), Text())
        has_room = self._height(whole) <= self._console.height * _LARGEST_HEAD
        return whole if has_room else standings

    def _standings(self, standings: Iterable[Standing]) -> Table:
        """One line for each platform: how much of what is there has been told, and how it is."""
        has_bars = self._console.width >= _NARROW
        made = Table.grid(padding=(0, 1), expand=True)
        made.add_column(no_wrap=True)
        if has_bars:
            made.add_column(width=_PROGRESS)
        made.add_column(justify="right", no_wrap=True)
        made.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        for one in standings:
            words = Text(one.words, "yellow" if one.is_away else "", no_wrap=True, overflow="ellipsis")
            made.add_row(Text(one.title), *([_bar_of(one)] if has_bars else []), Text(_counted(one)), words)
        return made

    def _figures(self, view: View) -> RenderableType:
        calls = _numbers("calls at Segment", {name: view.calls.get(name, 0) for name in CALLS})
        asked = Text(f"surveys asked for: {view.surveys:,}" if view.surveys else "")
        camps = Group(self._camps(view.camps), Text(), asked)
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


def _bar_of(one: Standing) -> RenderableType:
    """How much of what is known at a platform has been told; a sink has no end."""
    return ProgressBar(total=max(one.known, 1), completed=one.told, width=_PROGRESS) if one.known is not None else ""


def _counted(one: Standing) -> str:
    return f"{one.told:,}" if one.known is None else f"{one.told:,}/{one.known:,}"


def _numbers(title: str, rows: Mapping[str, int]) -> Table:
    made = Table.grid(padding=(0, 2))
    made.add_row(Text(title, "bold"))
    for name, number in rows.items():
        made.add_row(Text(name), Text(f"{number:,}", justify="right"))
    return made


def _line(text: str, style: str = "") -> Text:
    return Text(text, style, no_wrap=True, overflow="ellipsis")

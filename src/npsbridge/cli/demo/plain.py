"""The demo without a terminal: plain lines, none of them drawn over."""

from typing import Final

from npsbridge.cli.demo.live import TITLE
from npsbridge.cli.demo.story import Beat, Story
from npsbridge.cli.demo.view import View

_STEP: Final = 0.25
"""The history is told by quarters; the last one ends the beat, which says so itself."""


class PlainScreen:
    """Prints what happens, when it has happened."""

    refresh_seconds = 0.25

    def __init__(self, story: Story) -> None:
        self._story = story
        self._next_share = _STEP

    def open(self) -> None:
        """Begin."""
        print(TITLE, flush=True)
        self._story.on_change = self._tell

    def show(self, view: View) -> None:
        """Say how far the history is."""
        share = view.history
        if self._next_share <= share < 1:
            told = ", ".join(f"{one.title} {one.told:,}" for one in view.standings if one.known is not None)
            print(f"  history {share:.0%}: {told} answers at Segment", flush=True)
            self._next_share = share - share % _STEP + _STEP

    def close(self) -> None:
        """Nothing has to be given back."""

    def _tell(self, beat: Beat) -> None:
        print(f"{beat.text} ..." if beat.outcome is None else f"  {beat.outcome}", flush=True)

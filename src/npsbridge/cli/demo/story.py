"""What has happened in the demo so far, for whoever shows it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Beat:
    """One thing that happens, and what came of it."""

    text: str
    outcome: str | None = None
    """None while it is still going on."""


def _unheard(_: Beat) -> None:
    """Nobody listens."""


@dataclass(slots=True)
class Story:
    """The beats in order; the last one may still be going on."""

    beats: list[Beat] = field(default_factory=list)
    on_change: Callable[[Beat], None] = _unheard
    """Told when a beat begins and when it has ended."""

    @contextmanager
    def beat(self, text: str) -> Iterator[Beat]:
        """Something happens; whoever tells it sets the outcome before the block ends."""
        beat = Beat(text)
        self.beats.append(beat)
        self.on_change(beat)
        yield beat
        self.on_change(beat)

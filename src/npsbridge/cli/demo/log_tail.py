"""Where the daemon's log goes while a display is on the screen: its last lines are shown below, none through it."""

import io
from collections import deque
from typing import TextIO

KEPT = 3


class LogTail(io.StringIO):
    """A stream for the log; keeps the last lines, or hands all of them on."""

    def __init__(self, forward_to: TextIO | None = None) -> None:
        super().__init__()
        self.forward_to = forward_to
        self.lines: deque[str] = deque(maxlen=KEPT)

    def write(self, text: str) -> int:
        """Take one line of the log."""
        if self.forward_to is not None:
            return self.forward_to.write(text)
        self.lines.extend(text.splitlines())
        return len(text)

    def flush(self) -> None:
        """Nothing is held back here."""
        if self.forward_to is not None:
            self.forward_to.flush()

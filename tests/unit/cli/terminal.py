"""The command on a terminal of its own, which shows what a person would see and takes keys."""

import asyncio
import fcntl
import os
import pty
import re
import signal
import struct
import sys
import termios
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from unit.cli.commands import PATIENCE, own_environment

_STEERING = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]")


@dataclass(kw_only=True)
class Terminal:
    """A command on a terminal. Made by `on_terminal`."""

    process: asyncio.subprocess.Process
    ours: int
    theirs: int
    raw: str = ""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def text(self) -> str:
        """All that was shown, without what steers the terminal."""
        return _STEERING.sub("", self.raw)

    def take(self) -> None:
        """Read what it shows."""
        try:
            self.raw += os.read(self.ours, 65_536).decode(errors="replace")
        except OSError:  # Linux's way of saying that nobody holds the other end any more
            asyncio.get_running_loop().remove_reader(self.ours)
        self._changed.set()

    async def shows(self, part: str, *, after: int = 0) -> int:
        """Wait until something is shown behind a place; returns the place behind it."""
        try:
            async with asyncio.timeout(PATIENCE):
                while (at := self.text.find(part, after)) < 0:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"{part!r} was never shown, but:\n{self.text[after:]}") from None
        return at + len(part)

    def press(self, keys: str) -> None:
        """Type something."""
        os.write(self.ours, keys.encode())

    def resize(self, columns: int, lines: int) -> None:
        """Give the window another size, of which the command is told as by a terminal."""
        set_size(self.theirs, columns, lines)
        self.process.send_signal(signal.SIGWINCH)

    def modes(self) -> list[object]:
        """How the terminal treats keys."""
        return list(termios.tcgetattr(self.theirs))

    async def ended(self) -> int:
        """Wait until the command has ended; its exit code."""
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()


def set_size(terminal: int, columns: int, lines: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


@asynccontextmanager
async def on_terminal(
    *arguments: str, columns: int = 80, lines: int = 24, environ: Mapping[str, str] | None = None
) -> AsyncIterator[Terminal]:
    """The command on a terminal of some size; it is gone when the block ends."""
    ours, theirs = pty.openpty()
    set_size(theirs, columns, lines)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "npsbridge", *arguments),
        **dict.fromkeys(("stdin", "stdout", "stderr"), theirs),  # type: ignore[arg-type]
        env=own_environment() | {"TERM": "xterm-256color"} | dict(environ or {}),
        start_new_session=True,
    )
    terminal, loop = Terminal(process=process, ours=ours, theirs=theirs), asyncio.get_running_loop()
    loop.add_reader(ours, terminal.take)
    try:
        yield terminal
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        loop.remove_reader(ours)
        os.close(ours)
        os.close(theirs)

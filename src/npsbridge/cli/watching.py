"""Watching something on a terminal until q or Ctrl-C: drawn again now and then, and when the window changes."""

import asyncio
import os
import signal
import sys
import termios
import tty
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from rich.console import Console, RenderableType
from rich.live import Live

_QUITS: Final = frozenset(b"qQ\x03\x04")
"""q, and what Ctrl-C and Ctrl-D send while the terminal makes no signals of them."""


async def watch_live(
    draw: Callable[[], Awaitable[Callable[[], RenderableType]]], out: Console, *, every: float
) -> None:
    """Show what `draw` says on the whole screen until somebody has seen enough; the terminal is then as it was.

    Args:
        draw: looks; what it returns puts what was seen into the window as it is now.
        out: a terminal.
        every: seconds between two looks.
    """
    awake = asyncio.Event()
    with _keys(awake) as has_quit, Live(console=out, auto_refresh=False, screen=True) as live:
        while not has_quit():
            page = await draw()
            await _until_next(live, page, awake, has_quit, every)


async def _until_next(
    live: Live,
    page: Callable[[], RenderableType],
    awake: asyncio.Event,
    has_quit: Callable[[], bool],
    seconds: float,
) -> None:
    """Keep a page on the screen for a while, drawn again whenever the window has another size."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not has_quit():
                live.update(page(), refresh=True)
                awake.clear()
                await awake.wait()


@contextmanager
def _keys(awake: asyncio.Event) -> Iterator[Callable[[], bool]]:
    """Whether a key to quit was pressed; rings for every key and every change of the window."""
    loop, pressed = asyncio.get_running_loop(), bytearray()
    loop.add_signal_handler(signal.SIGWINCH, awake.set)
    try:
        if not sys.stdin.isatty():
            yield lambda: False
            return
        with _unbuffered(sys.stdin.fileno()) as keyboard:

            def take() -> None:
                pressed.extend(os.read(keyboard, 64) or b"\x04")
                awake.set()

            loop.add_reader(keyboard, take)
            try:
                yield lambda: not _QUITS.isdisjoint(pressed)
            finally:
                loop.remove_reader(keyboard)
    finally:
        loop.remove_signal_handler(signal.SIGWINCH)


@contextmanager
def _unbuffered(keyboard: int) -> Iterator[int]:
    """Keys come one by one and unseen; Ctrl-C still interrupts."""
    before = termios.tcgetattr(keyboard)
    tty.setcbreak(keyboard)
    try:
        yield keyboard
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)

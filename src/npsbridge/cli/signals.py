"""Ending tidily: what a verb that stays up waits for."""

import signal
from typing import Final

import anyio

_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, a service manager, a closed terminal."""


async def until_told() -> None:
    """Return once somebody wants the process to end; a second signal is as urgent as ever."""
    with anyio.open_signal_receiver(*_ENDING) as signals:
        async for _ in signals:
            return

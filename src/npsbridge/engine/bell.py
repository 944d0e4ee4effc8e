"""A wake-up call between tasks: ringing is remembered until somebody has waited for it."""

import anyio


class Bell:
    """Rung when there may be work; a ring before the wait is not lost."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def ring(self) -> None:
        """Wake whoever waits, now or next."""
        self._event.set()

    async def wait(self, seconds: float) -> bool:
        """Return True once rung, False when nobody rang for so many seconds."""
        with anyio.move_on_after(seconds):
            await self._event.wait()
        rung = self._event.is_set()
        if rung:
            self._event = anyio.Event()
        return rung

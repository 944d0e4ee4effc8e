"""A wake-up call between tasks: ringing is remembered until somebody has waited for it."""

import anyio


class Bell:
    """Rung when there may be work; a ring before the wait is not lost."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def ring(self) -> None:
        """Wake whoever waits, now or next."""
        self._event.set()

    async def wait(self, timeout: float) -> bool:  # noqa: ASYNC109 - the wait is the whole function
        """Return True when rung, False after `timeout` seconds."""
        with anyio.move_on_after(timeout):
            await self._event.wait()
        rung = self._event.is_set()
        if rung:
            self._event = anyio.Event()
        return rung

"""Keeps a task going through unexpected errors: others are not disturbed, and a task that cannot live ends us all."""

from collections import deque
from collections.abc import Awaitable, Callable
from math import inf

import anyio
from loguru import logger

from npsbridge.clock import Clock
from npsbridge.core.pace import backoff
from npsbridge.errors import StoreError, StoreUnavailable
from npsbridge.metrics import Metrics

RESTARTS = 5
WINDOW = 600.0
"""A task that fails more than so often within so many seconds is given up, and the daemon with it."""
FULL_STORE_PAUSE = 5.0


async def supervise(name: str, run: Callable[[], Awaitable[None]], *, clock: Clock, metrics: Metrics) -> None:
    """Run a task to its end, starting it again after an unexpected error.

    Raises:
        StoreError: at once; nothing here can mend a failing disk.
        Exception: the task's own error, when it keeps failing.
    """
    failures: deque[float] = deque()
    unavailable_at = -inf
    while True:
        try:
            await run()
        except StoreUnavailable as error:
            level = "WARNING" if clock.monotonic() - unavailable_at > WINDOW else "DEBUG"  # one line for one outage
            logger.bind(task=name, reason=str(error)).log(level, "A task waits until the store can be used again")
            unavailable_at, pause = clock.monotonic(), FULL_STORE_PAUSE
        except StoreError:
            raise
        except Exception:
            if _is_beyond_hope(failures, clock.monotonic()):
                raise
            logger.bind(task=name).exception("A task failed unexpectedly and is started again")
            pause = backoff(len(failures), jitter=0.0, base=1.0)
        else:
            return
        metrics.task_restarts.labels(name).inc()
        await anyio.sleep(pause)


def _is_beyond_hope(failures: deque[float], now: float) -> bool:
    failures.append(now)
    while failures[0] < now - WINDOW:
        failures.popleft()
    return len(failures) > RESTARTS

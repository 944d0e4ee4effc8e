"""Work that is cancelled at one of its awaits, wherever that is: in it, or in whatever it awaits."""

import asyncio
from collections.abc import Coroutine, Generator
from functools import partial
from typing import Any


class CutShort:
    """To be awaited instead of the work itself.

    Args:
        work: what is done.
        at: it is cancelled when it has to wait for the so-many-th time; 0 for never.
    """

    def __init__(self, work: Coroutine[Any, Any, Any], at: int) -> None:
        self._work = work
        self._at = at
        self.waits = 0
        """How often it has had to wait so far."""

    def __await__(self) -> Generator[Any, Any, Any]:
        step = partial(self._work.send, None)
        while True:
            try:
                waits_for = step()
            except StopIteration as end:
                return end.value
            self.waits += 1
            if self.waits == self._at and (task := asyncio.current_task()):
                task.cancel()
            try:
                yield waits_for
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is the work's to deal with
                step = partial(self._work.throw, error)
            else:
                step = partial(self._work.send, None)


async def awaited(work: CutShort) -> Any:
    """A coroutine of it, for a task."""
    return await work

"""An event loop in which time jumps, nothing is random and nothing leaves the process.

Where asyncio would wait for a socket or a timer, this loop moves its clock to the next timer. Connections are pairs of
transports in memory (`network.py`), and what asks for a thread is done at once. So a run depends on nothing but its
seed, a day costs no more than what happens in it, and everything between two steps of the loop is a moment at which a
process can be killed.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from fault.simulation.network import Network

MOST_STEPS = 6_000_000
"""Turns of the loop after which something must be spinning."""
RESOLUTION = 1e-6
"""Seconds; what two timers differ by at least, so that a clock that counts months still reaches each."""


class Standstill(Exception):
    """Nothing is left to do and nothing to wait for, or there is no end of it."""


class _Selector:
    """Stands where asyncio has its selector: no descriptor is ever ready, and to wait is to move the clock."""

    def __init__(self, loop: "SimulatedLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        self._loop.turn(timeout)
        return []


class SimulatedLoop(asyncio.BaseEventLoop):
    """See the module.

    Attributes:
        network: Every connection and every listener.
        steps: How many turns there were.
    """

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._clock_resolution = RESOLUTION
        self._selector = _Selector(self)
        self._planned: dict[int, list[Callable[[], object]]] = {}
        self.steps = 0
        self.network = Network(self)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._now

    def turn(self, timeout: float | None) -> None:
        """Between two turns: let what was planned for this step happen, or else let time pass."""
        self.steps += 1
        if planned := self._planned.pop(self.steps, None):
            for callback in planned:
                self.call_soon(callback)
        elif timeout is None:
            raise Standstill("everybody waits for somebody else")
        elif self.steps > MOST_STEPS:
            raise Standstill(f"no end after {self.steps} steps")
        else:
            self._now += timeout

    def in_steps(self, count: int, callback: Callable[[], object]) -> None:
        """Call back after so many turns, wherever everybody is by then."""
        self._planned.setdefault(self.steps + max(1, count), []).append(callback)

    # --- what asyncio wants of a loop -------------------------------------------------------------------------------

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody sleeps in a system call."""

    def remove_reader(self, fd: object) -> bool:  # noqa: ARG002 - asyncio's signature
        """There are no readers."""
        return False

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]  # noqa: ARG002
        """What wants a thread is done at once, by everybody's only one."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it belongs to whoever asked
            future.set_exception(error)
        return future

    async def create_server(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: str | None = None,  # noqa: ARG002 - everything is on this host
        port: int | None = None,
        *,
        sock: socket.socket | None = None,
        **_: Any,
    ) -> Any:
        """Listen at the port of a bound socket, or at a free one."""
        if sock is not None:
            port = sock.getsockname()[1]
            sock.close()
        return self.network.listen(protocol_factory, port or None)

    async def connect(self, factory: Callable[[], asyncio.BaseProtocol], port: int) -> Any:
        """A connection to whoever listens at a port; raises OSError, or waits for ever where nothing answers."""
        return await self.network.connect(factory, port)

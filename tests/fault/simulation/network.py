"""Connections in memory: ordered, with latency, cut or refused when the world wants it.

Each end remembers to whom it belongs, so that all connections of a process die with it.
"""

import asyncio
import errno
import itertools
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import Any

WORLD = "world"
OWNER: ContextVar[str] = ContextVar("OWNER", default=WORLD)
"""Who acts: a life of the daemon, or the world around it."""
FIRST_PORT = 20_000
"""Below those that the system hands out: the daemon binds a real one, whose number must be free here as well."""


class Network:
    """All that is connected.

    Attributes:
        latency: Seconds that bytes are under way.
        aliases: Ports that lead to others, as a proxy in front of a daemon does.
        dead_ports: Where connections are refused although somebody listens.
        silent_ports: Where nobody answers a newcomer at all.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._listeners: dict[int, Listener] = {}
        self._ports = itertools.count(FIRST_PORT)
        self._gone: set[str] = set()
        self._ends: set[_End] = set()
        self.latency = 0.0
        self.aliases: dict[int, int] = {}
        self.dead_ports: set[int] = set()
        self.silent_ports: set[int] = set()

    def listen(self, factory: Callable[[], asyncio.BaseProtocol], port: int | None) -> "Listener":
        """Listen; a port that nobody named is a free one."""
        port = port or next(self._ports)
        if port in self._listeners:
            raise OSError(errno.EADDRINUSE, "the address is in use")
        listener = self._listeners[port] = Listener(self, factory, port, OWNER.get())
        return listener

    def close(self, port: int) -> None:
        """Nobody listens there any more."""
        self._listeners.pop(port, None)

    async def connect(
        self, factory: Callable[[], asyncio.BaseProtocol], port: int
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """Connect to a port.

        Raises:
            ConnectionRefusedError: nobody listens there.
        """
        port = self.aliases.get(port, port)
        if port in self.silent_ports:
            await self._loop.create_future()
        await asyncio.sleep(self.latency)
        listener = self._listeners.get(port)
        if listener is None or port in self.dead_ports or OWNER.get() in self._gone:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "nobody listens there")
        near, far = _End(self, OWNER.get()), _End(self, listener.owner)
        near.other, far.other = far, near
        self._ends |= {near, far}
        protocol = near.begin(factory)
        listener.context.copy().run(far.begin, listener.factory)
        return near, protocol

    def pull(self, owner: str) -> None:
        """A process is gone: all its connections are reset, nobody listens for it, and it connects no more."""
        self._gone.add(owner)
        for port in [port for port, listener in self._listeners.items() if listener.owner == owner]:
            self.close(port)
        for end in [end for end in self._ends if end.owner == owner]:
            end.vanish()

    def forget(self, end: "_End") -> None:
        """An end is closed."""
        self._ends.discard(end)


class Listener:
    """Stands for `asyncio.Server`."""

    def __init__(self, network: Network, factory: Callable[[], asyncio.BaseProtocol], port: int, owner: str) -> None:
        self._network = network
        self.factory = factory
        self.port = port
        self.owner = owner
        self.context = copy_context()

    @property
    def sockets(self) -> list["Listener"]:
        """Itself, for it has a name like a socket."""
        return [self]

    def getsockname(self) -> tuple[str, int]:
        """Where it listens."""
        return "127.0.0.1", self.port

    def close(self) -> None:
        """Stop listening; what is connected stays so."""
        self._network.close(self.port)

    async def wait_closed(self) -> None:
        """It is closed at once."""


class _End(asyncio.Transport):
    """One end of a connection."""

    other: "_End"
    _protocol: Any

    def __init__(self, network: Network, owner: str) -> None:
        super().__init__()
        self._network = network
        self._loop = network._loop
        self.owner = owner
        self._context = copy_context()
        self._coming: deque[bytes | None] = deque()
        """What is under way to this end; None is the end of it."""
        self._is_reading = True
        self._is_closing = False
        self._is_lost = False

    def begin(self, factory: Callable[[], asyncio.BaseProtocol]) -> asyncio.BaseProtocol:
        """Be connected, with a protocol of one's own."""
        self._context = copy_context()
        protocol = self._protocol = factory()
        protocol.connection_made(self)
        return protocol

    # --- writing ------------------------------------------------------------------------------------------------

    def write(self, data: Any) -> None:
        """Send, unless closed."""
        if not self._is_closing and data:
            self.other.come(bytes(data))

    def writelines(self, list_of_data: Any) -> None:
        """Send all of them."""
        self.write(b"".join(list_of_data))

    def write_eof(self) -> None:
        """No HTTP of ours ends a request in this way."""
        raise NotImplementedError

    def can_write_eof(self) -> bool:
        """See `write_eof`."""
        return False

    def close(self) -> None:
        """Close in good order: what was written still arrives."""
        if not self._is_closing:
            self._is_closing = True
            self.other.come(None)
            self._loop.call_soon(self._lose, None, context=self._context)

    def abort(self) -> None:
        """Reset: what is under way is lost."""
        if not self._is_lost:
            self._is_closing = True
            self.other.reset()
            self._loop.call_soon(self._lose, None, context=self._context)

    def vanish(self) -> None:
        """The process of this end is gone: nothing leaves it any more, and the other side notices."""
        self.abort()
        self._coming.clear()

    # --- reading ------------------------------------------------------------------------------------------------

    def come(self, data: bytes | None) -> None:
        """Something is under way."""
        if not self._is_lost:
            self._coming.append(data)
            self._loop.call_later(self._network.latency, self._arrive, context=self._context)

    def reset(self) -> None:
        """The other side has broken the connection."""
        if not self._is_lost:
            self._coming.clear()
            error = ConnectionResetError(errno.ECONNRESET, "reset by the other side")
            self._loop.call_soon(self._lose, error, context=self._context)

    def _arrive(self) -> None:
        while self._is_reading and not self._is_lost and self._coming:
            data = self._coming.popleft()
            if data is None:
                self._hear_the_end()
            elif not self._is_closing:
                self._protocol.data_received(data)

    def _hear_the_end(self) -> None:
        keep_open = self._protocol.eof_received()
        if not keep_open:
            self.close()

    def _lose(self, error: Exception | None) -> None:
        if not self._is_lost:
            self._is_lost = self._is_closing = True
            self._network.forget(self)
            self._protocol.connection_lost(error)

    def pause_reading(self) -> None:
        """Let what comes wait."""
        self._is_reading = False

    def resume_reading(self) -> None:
        """Take what has waited."""
        self._is_reading = True
        self._loop.call_soon(self._arrive, context=self._context)

    def is_reading(self) -> bool:
        """Whether what comes is taken."""
        return self._is_reading

    # --- what protocols ask of a transport --------------------------------------------------------------------------

    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._is_closing

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Nothing but an address: there is no socket."""
        return ("127.0.0.1", 1) if name in {"peername", "sockname"} else default

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Another protocol takes over."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Whose end it is."""
        return self._protocol  # type: ignore[no-any-return]

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is ever full."""

    def get_write_buffer_size(self) -> int:
        """See `set_write_buffer_limits`."""
        return 0

"""The listening sockets of a process, which outlive the daemons that serve on them: a reload refuses nobody."""

from collections.abc import Mapping
from socket import socket

from npsbridge.errors import ListenError
from npsbridge.settings import Address, Settings
from npsbridge.web.listener import bind

PUBLIC, ADMIN = "NPSBRIDGE_LISTEN", "NPSBRIDGE_ADMIN_LISTEN"


class Sockets:
    """The sockets of both listeners, open from the first `follow` to `close`."""

    def __init__(self) -> None:
        self._bound: dict[str, tuple[Address, socket]] = {}

    @property
    def public(self) -> socket:
        """For the tracking API and webhooks."""
        return self._bound[PUBLIC][1]

    @property
    def admin(self) -> socket:
        """For health and metrics."""
        return self._bound[ADMIN][1]

    def follow(self, settings: Settings) -> None:
        """Listen where the settings say; a socket whose address stays the same stays open.

        Raises:
            ListenError: an address cannot be listened on; everything is as before.
        """
        wanted = {PUBLIC: settings.listen, ADMIN: settings.admin_listen}
        fresh = _bind({name: address for name, address in wanted.items() if not self._is_at(name, address)})
        for name in fresh:
            self._close(name)
        self._bound |= fresh

    def close(self) -> None:
        """Stop listening."""
        for name in (PUBLIC, ADMIN):
            self._close(name)

    def _is_at(self, name: str, address: Address) -> bool:
        return name in self._bound and self._bound[name][0] == address

    def _close(self, name: str) -> None:
        if name in self._bound:
            self._bound.pop(name)[1].close()


def _bind(wanted: Mapping[str, Address]) -> dict[str, tuple[Address, socket]]:
    """All of them, or none."""
    fresh: dict[str, tuple[Address, socket]] = {}
    try:
        for name, address in wanted.items():
            fresh[name] = (address, bind(address, name))
    except ListenError:
        for _, opened in fresh.values():
            opened.close()
        raise
    return fresh

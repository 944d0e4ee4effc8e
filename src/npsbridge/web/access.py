"""Who may use the admin listener: whoever shows the password or the token; without either, this machine (pure).

Without credentials the name by which a browser called is looked at as well: a page from elsewhere that lets its own
name lead to 127.0.0.1 (DNS rebinding) would otherwise be let in as if it were one of ours.
"""

import base64
import binascii
import hmac
import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from npsbridge.settings import Admin, Settings

PROBES: Final = frozenset({"/livez", "/readyz", "/healthz"})
"""What orchestrators ask without being able to prove anything; it shows nothing that has to be kept."""
CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="npsbridge", charset="UTF-8"'}


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What has to be shown at the door."""

    user: str = "admin"
    password: str | None = None
    token: str | None = None
    host: str = "127.0.0.1"
    """Where the listener listens, as the settings say it."""

    @classmethod
    def of(cls, settings: Settings) -> "Access":
        """As configured."""
        admin: Admin = settings.admin
        return cls(
            user=admin.user,
            password=admin.password.get_secret_value() if admin.password else None,
            token=admin.token.get_secret_value() if admin.token else None,
            host=settings.admin_listen.host,
        )

    @property
    def is_protected(self) -> bool:
        """Whether anything has to be shown."""
        return self.password is not None or self.token is not None

    def admits(self, headers: Mapping[str, str]) -> bool:
        """Whether what a caller shows is good; takes as long for what is wrong as for what is right."""
        shown = list(_shown(headers.get("Authorization", "")))
        good = [secret.encode() for secret in self._good()]
        return any([hmac.compare_digest(one, other) for one in shown for other in good])  # noqa: C419 - all are compared

    def _good(self) -> Iterator[str]:
        if self.password is not None:
            yield f"Basic {self.user}:{self.password}"
        if self.token is not None:
            yield f"Bearer {self.token}"

    def is_called_rightly(self, host: str) -> bool:
        """Whether a Host header names this machine, or what the listener was told to listen on."""
        name = _name_in(host)
        if name in {"localhost", self.host.lower()}:
            return True
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False


OPEN: Final = Access()
"""For whoever is on this machine."""


def _shown(authorization: str) -> Iterator[bytes]:
    """What a caller shows, as `Access` writes what is good; the token counts as anybody's password as well."""
    scheme, _, credentials = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        yield f"Bearer {credentials.strip()}".encode("utf-8", "surrogatepass")
    elif scheme.lower() == "basic":
        try:
            pair = base64.b64decode(credentials.strip(), validate=True)
        except (binascii.Error, ValueError):
            return
        yield b"Basic " + pair
        yield b"Bearer " + pair.partition(b":")[2]


def _name_in(host: str) -> str:
    """The name in a Host header, without port and brackets, in lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].rstrip(".").lower()


def guarding(access: Access) -> Middleware:
    """Let only those in who may.

    Raises:
        web.HTTPUnauthorized: what was shown is not good.
        web.HTTPForbidden: nothing has to be shown, and the caller does not call this machine.
    """

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path not in PROBES:
            if access.is_protected and not access.admits(request.headers):
                raise web.HTTPUnauthorized(headers=CHALLENGE, reason="Password or token needed")
            if not access.is_protected and not access.is_called_rightly(request.host):
                raise web.HTTPForbidden(reason="Call it 127.0.0.1 or localhost or set ADMIN__PASSWORD")
        return await handler(request)

    return guard

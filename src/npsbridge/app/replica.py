"""What a daemon says of itself to those that share its store."""

import hashlib
import secrets
import socket
from collections.abc import Collection, Mapping
from typing import Any, Final

import orjson
from pydantic import BaseModel, SecretStr

from npsbridge import __version__
from npsbridge.clock import Clock
from npsbridge.core.leases import Replica
from npsbridge.settings import Settings

OF_ITS_OWN: Final = {
    "listen",
    "admin_listen",
    "public_url",
    "log_level",
    "log_format",
    "shutdown_timeout",
    "secrets_dir",
    "store_url",
    "warnings",
}
"""Settings that may differ from replica to replica."""


def this_replica(settings: Settings, works: Collection[str], clock: Clock) -> Replica:
    """This process, under a name that no other one has or had."""
    host = socket.gethostname()
    return Replica(
        id=f"{host}-{secrets.token_hex(4)}",
        host=host,
        version=__version__,
        settings=settings_digest(settings),
        works=tuple(sorted(works)),
        started_at=clock.now_ms(),
    )


def settings_digest(settings: Settings) -> str:
    """Eight characters that differ when two replicas would not do the same.

    Keys take part, and cannot be told by it.
    """
    said = {name: getattr(settings, name) for name in type(settings).model_fields if name not in OF_ITS_OWN}
    return hashlib.sha256(orjson.dumps(said, default=_plain, option=orjson.OPT_SORT_KEYS)).hexdigest()[:8]


def _plain(value: Any) -> Any:
    """What settings are made of beyond JSON, as JSON in one order."""
    match value:
        case SecretStr():
            return value.get_secret_value()
        case BaseModel():
            return {name: getattr(value, name) for name in type(value).model_fields}
        case Mapping():
            return dict(value)
        case set() | frozenset():
            return sorted(map(str, value))
        case _:
            return str(value)

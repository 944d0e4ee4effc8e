"""What a `postgresql://` URL says: how to connect, which schema is ours, and how to name it without its password."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

SCHEMA: Final = "npsbridge"
"""Where our tables are unless the URL says `?search_path=` something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the tables are."""

    urls: tuple[str, ...]
    """For asyncpg, without the schema: one for each host of which the URL says that the database may be there."""
    schema: str
    shown: str
    """Hosts, database and schema, for messages."""
    has_password: bool


def place_of(url: str) -> Place:
    """Take a URL apart; what asyncpg makes of its other parts is asyncpg's business.

    Several hosts are named as libpq takes them: `postgresql://user@one:5432,two:5432/database`, or by `?host=` and
    `?port=` (PostgreSQL's documentation, "Connection URIs").
    """
    parts = urlsplit(url)
    asked = dict(parse_qsl(parts.query, keep_blank_values=True))
    schema = asked.pop("search_path", SCHEMA)
    user, at, named = parts.netloc.rpartition("@")
    hosts = _hosts(named, asked)
    urls = [parts._replace(query=urlencode(asked))]
    if len(hosts) > 1:
        urls = [parts._replace(netloc=user + at, query=urlencode(asked | one)) for one in hosts]
    shown = ",".join(map(_shown, hosts))
    return Place(
        urls=tuple(map(urlunsplit, urls)),
        schema=schema,
        shown=f"{shown}{parts.path} (schema {schema})",
        has_password=":" in user or "password" in asked,
    )


def _hosts(named: str, asked: Mapping[str, str]) -> list[dict[str, str]]:
    """Host, and port where one is said, of each host, as a query says them."""
    if named:
        return [_host(unquote(one)) for one in named.split(",")]
    hosts, ports = asked.get("host", "localhost").split(","), asked.get("port", "").split(",")
    if len(ports) < len(hosts):
        ports = ports[:1] * len(hosts)
    return [{"host": host} | ({"port": port} if port else {}) for host, port in zip(hosts, ports, strict=False)]


def _host(named: str) -> dict[str, str]:
    """Of `host`, `host:port`, `[::1]` or `[::1]:port`."""
    host, colon, port = named.rpartition(":")
    return {"host": host, "port": port} if colon and port.isdecimal() else {"host": named}


def _shown(host: Mapping[str, str]) -> str:
    return ":".join(host.values())

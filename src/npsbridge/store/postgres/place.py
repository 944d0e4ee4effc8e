"""What a `postgresql://` URL says: how to connect, which schema is ours, and how to name it without its password."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

SCHEMA: Final = "npsbridge"
"""Where our tables are unless the URL says `?search_path=` something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the tables are."""

    url: str
    """For asyncpg, without the schema."""
    schema: str
    shown: str
    """Host, database and schema, for messages."""


def place_of(url: str) -> Place:
    """Take a URL apart; what asyncpg makes of its other parts is asyncpg's business."""
    parts = urlsplit(url)
    asked = parse_qsl(parts.query, keep_blank_values=True)
    schema = next((value for name, value in asked if name == "search_path"), SCHEMA)
    query = urlencode([(name, value) for name, value in asked if name != "search_path"])
    host = next((value for name, value in asked if name == "host"), parts.hostname or "localhost")
    port = f":{parts.port}" if parts.port else ""
    return Place(
        url=urlunsplit(parts._replace(query=query)),
        schema=schema,
        shown=f"{host}{port}{parts.path} (schema {schema})",
    )

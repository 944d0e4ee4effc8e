"""The durable store on SQLite. Everything in here is its own business; others open it with `open_sqlite`."""

from npsbridge.store.sqlite.store import open_sqlite

__all__ = ["open_sqlite"]

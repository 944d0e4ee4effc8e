"""The durable store on SQLite; `npsbridge.store.open_store` opens it."""

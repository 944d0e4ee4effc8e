"""A PostgreSQL database as a store that several replicas share; see `npsbridge.store.open_store`."""

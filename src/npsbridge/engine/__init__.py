"""The loops: they wait, ask the core what to do, and do it. No vendor, no HTTP, no SQL in here."""

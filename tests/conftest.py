"""For every test."""

import asyncio


def pytest_configure() -> None:
    # pytest-asyncio on Python 3.11 keeps a loop it made for the main thread and never closes it, which ends a run of
    # sync and async tests with a ResourceWarning; a thread without a loop gets none made.
    asyncio.set_event_loop(None)

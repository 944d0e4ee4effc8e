"""For every test."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

import databases
import stores
from proof.outputs import OUTPUTS, listen_everywhere
from proof.stores import stores_used

__all__ = ["stores_used"]

HERE: Final = Path(__file__).parent
WITH_STORES: Final = tuple(HERE / name for name in ("clients", "contract/platforms", "end_to_end", "fault"))
"""Where a whole daemon is at work, so that every ledger has to balance in the end."""
WITH_OUTPUTS: Final = (*WITH_STORES, HERE / "unit" / "cli")
"""Where whatever is said is said as an operator would see it."""


def pytest_configure() -> None:
    # pytest-asyncio on Python 3.11 keeps a loop it made for the main thread and never closes it, which ends a run of
    # sync and async tests with a ResourceWarning; a thread without a loop gets none made.
    asyncio.set_event_loop(None)
    # A busy machine is no fault of ours; all else stays as hypothesis has it, here and in CI.
    patient = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
    settings.register_profile("patient", settings(), **patient)
    settings.load_profile("patient")
    listen_everywhere()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    names = [metafunc.definition.originalname, *([metafunc.cls.__name__] if metafunc.cls else [])]
    if stores.runs_on_both(metafunc.definition.path, *names):
        metafunc.parametrize("_engine", (stores.SQLITE, stores.POSTGRES), indirect=True, scope="module")


@pytest.fixture(autouse=True, scope="module")
def _engine(request: pytest.FixtureRequest) -> None:
    """The engine of this test's stores, which its id names where it runs on several."""
    stores.use(getattr(request, "param", stores.SQLITE))


@pytest.fixture(autouse=True)
def _promises(request: pytest.FixtureRequest) -> Iterator[None]:
    """What has to be true after every test of a whole daemon: the ledger balances (I2), nothing leaked (I19)."""
    if any(map(request.path.is_relative_to, WITH_STORES)):
        request.getfixturevalue("stores_used")
    yield
    if not any(map(request.path.is_relative_to, WITH_OUTPUTS)):
        OUTPUTS.heard.clear()
    elif leaks := OUTPUTS.leaks():
        pytest.fail("\n".join(leaks), pytrace=False)


@pytest.fixture(autouse=True)
def _stores_are_used_again() -> Iterator[None]:
    yield
    databases.take_back()

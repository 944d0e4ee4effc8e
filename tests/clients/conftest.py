"""Clients that others wrote, run against the look-alikes.

They are large, so a test whose client is not installed is skipped; with `REQUIRE_ALL_TESTS=1`, as in the full gate,
it fails instead, so that nobody takes a skip for a pass.
"""

import importlib
import importlib.util
import os
import warnings
from types import ModuleType
from typing import NoReturn

import pytest


def require_or_skip(module: str, *, extra: str = "clients") -> None:
    """Skip the test if a client is not installed; fail it where every test is required. Imports nothing."""
    if importlib.util.find_spec(module) is None:
        give_up(f"{module} is not installed: pip install 'npsbridge[{extra}]'")


def imported(module: str, *, extra: str = "clients") -> ModuleType:
    """A client's module, or as `require_or_skip`; what it warns of at import is not our affair."""
    require_or_skip(module, extra=extra)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(module)


def give_up(reason: str) -> NoReturn:
    """Skip the test for a reason; fail it where every test is required."""
    if os.environ.get("REQUIRE_ALL_TESTS") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)

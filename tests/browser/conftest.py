"""Debian's chromium, driven by playwright, in front of a furnished dashboard.

Skips where either is missing; with REQUIRE_ALL_TESTS=1 that is a failure. Screenshots are kept in the folder that
BROWSER_SCREENSHOTS names.
"""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from unit.web.dashboard.house import House, open_house

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def _required(what: str, *, is_there: bool) -> None:
    if is_there:
        return
    if os.environ.get("REQUIRE_ALL_TESTS"):
        pytest.fail(f"{what} is missing, and REQUIRE_ALL_TESTS is set")
    pytest.skip(f"{what} is missing: apt-get install chromium; pip install -e '.[browser]'")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as opened:
        yield opened


@pytest.fixture
async def shared_house(tmp_path: Path) -> AsyncIterator[House]:
    """A dashboard of one of three replicas."""
    async with open_house(tmp_path, is_shared=True) as opened:
        yield opened


@pytest.fixture
async def chromium() -> AsyncIterator[Any]:
    """A headless browser of its own for each test."""
    _required("chromium", is_there=CHROMIUM is not None)
    try:
        from playwright.async_api import async_playwright  # noqa: PLC0415 - may not be installed
    except ImportError:
        _required("playwright", is_there=False)
        raise
    async with async_playwright() as driver:
        # The sandbox of chromium needs rights that root in a container does not have; what is shown is our own.
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            await browser.close()


@pytest.fixture
def screenshots() -> Path | None:
    """Where pictures are kept for people to look at, if anywhere."""
    named = os.environ.get("BROWSER_SCREENSHOTS")
    if not named:
        return None
    folder = Path(named)
    folder.mkdir(parents=True, exist_ok=True)
    return folder

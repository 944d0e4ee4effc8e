"""A look-alike with a source beside it."""

from collections.abc import AsyncIterator

import pytest

from unit.platforms.satismeter.driving import Bench, bench


@pytest.fixture
async def project() -> AsyncIterator[Bench]:
    async with bench() as found:
        yield found

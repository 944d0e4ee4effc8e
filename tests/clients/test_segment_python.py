"""Segment's own SDK for Python, segment-analytics-python 2.4.0."""

from functools import partial
from pathlib import Path

import pytest

from clients.sdk import Sdk, python_sdk
from clients.sdk_contract import Delivers, Perseveres
from clients.shop import ONE_OF_EACH, WRITE_KEY, basic, shop

pytestmark = pytest.mark.clients

PLAIN = Sdk(command=partial(python_sdk, "segment.analytics"), gzip=False)
PACKED = Sdk(command=partial(python_sdk, "segment.analytics"), gzip=True)


class TestPlain(Delivers, Perseveres):
    sdk = PLAIN


class TestPacked(Delivers):
    sdk = PACKED


@pytest.mark.parametrize(("sdk", "encoding"), [(PLAIN, None), (PACKED, "gzip")])
async def test_it_says_its_key_twice_and_packs_when_told_to(tmp_path: Path, sdk: Sdk, encoding: str | None) -> None:
    async with shop(tmp_path, sdk) as line:
        await line.send(ONE_OF_EACH)
        [request] = line.door.requests
    assert request.headers["authorization"] == basic(WRITE_KEY)
    assert request.body["writeKey"] == WRITE_KEY
    assert request.headers.get("content-encoding") == encoding
    assert request.body["batch"][0]["context"]["library"] == {"name": "analytics-python", "version": "2.4.0"}

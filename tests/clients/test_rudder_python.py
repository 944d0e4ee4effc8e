"""RudderStack's SDK for Python, rudder-sdk-python 2.1.9: packed unless told otherwise, traits within the context."""

from functools import partial
from pathlib import Path

import pytest

from clients.sdk import Sdk, python_sdk
from clients.sdk_contract import Delivers, Perseveres
from clients.shop import ONE_OF_EACH, WRITE_KEY, basic, shop

pytestmark = pytest.mark.clients

PACKED = Sdk(command=partial(python_sdk, "rudderstack.analytics"), gzip=True)
PLAIN = Sdk(command=partial(python_sdk, "rudderstack.analytics"), gzip=False)


class TestPacked(Delivers, Perseveres):
    sdk = PACKED


class TestPlain(Delivers):
    sdk = PLAIN


async def test_its_traits_stand_in_the_context_and_reach_the_vendor_as_traits(tmp_path: Path) -> None:
    async with shop(tmp_path, PACKED) as line:
        await line.send(ONE_OF_EACH[:1])
        await line.rests()
        [call], [asked] = line.door.calls, line.asked()
    assert "traits" not in call
    assert call["context"]["traits"]["plan"] == asked["properties"]["plan"] == "team"
    assert asked["email"] == "ana@example.org"


async def test_it_says_its_key_in_the_header_only(tmp_path: Path) -> None:
    async with shop(tmp_path, PACKED) as line:
        await line.send(ONE_OF_EACH)
        [request] = line.door.requests
    assert request.headers["authorization"] == basic(WRITE_KEY)
    assert "writeKey" not in request.body
    assert request.headers["content-encoding"] == "gzip"
    assert request.body["batch"][0]["context"]["library"] == {"name": "analytics-python", "version": "2.1.9"}

"""segment-analytics-python 2.3.4, which many still use: its key stands in the body only, and only 200 is success."""

from pathlib import Path

import pytest

from clients.sdk import Sdk, segment_python_2_3_4
from clients.sdk_contract import Delivers, Perseveres
from clients.shop import ONE_OF_EACH, WRITE_KEY, shop

pytestmark = pytest.mark.clients

PLAIN = Sdk(command=segment_python_2_3_4, gzip=False)
PACKED = Sdk(command=segment_python_2_3_4, gzip=True)


class TestPlain(Delivers, Perseveres):
    sdk = PLAIN


class TestPacked(Delivers):
    sdk = PACKED


async def test_it_says_its_key_in_the_body_only(tmp_path: Path) -> None:
    async with shop(tmp_path, PLAIN) as line:
        await line.send(ONE_OF_EACH)
        [request] = line.door.requests
    assert "authorization" not in request.headers
    assert request.body["writeKey"] == WRITE_KEY
    assert request.body["batch"][0]["context"]["library"] == {"name": "analytics-python", "version": "2.3.4"}

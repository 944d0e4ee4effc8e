"""The SDKs for Node: @segment/analytics-node 3.1.0 and @rudderstack/rudder-sdk-node 3.0.13."""

from functools import partial
from pathlib import Path

import pytest

from clients.sdk import Sdk, node_sdk
from clients.sdk_contract import Delivers, Perseveres
from clients.shop import ONE_OF_EACH, WRITE_KEY, basic, shop

pytestmark = pytest.mark.clients

SEGMENT = Sdk(command=partial(node_sdk, "@segment/analytics-node", "segment_node.cjs"), gzip=False)
RUDDER = partial(node_sdk, "@rudderstack/rudder-sdk-node", "rudder_node.cjs")
RUDDER_PACKED = Sdk(command=RUDDER, gzip=True)
RUDDER_PLAIN = Sdk(command=RUDDER, gzip=False)


class TestSegment(Delivers, Perseveres):
    sdk = SEGMENT


class TestRudderPacked(Delivers, Perseveres):
    sdk = RUDDER_PACKED


class TestRudderPlain(Delivers):
    sdk = RUDDER_PLAIN


async def test_segments_says_its_key_twice_and_never_packs(tmp_path: Path) -> None:
    async with shop(tmp_path, SEGMENT) as line:
        await line.send(ONE_OF_EACH)
        [request] = line.door.requests
    assert request.headers["authorization"] == basic(WRITE_KEY)
    assert request.body["writeKey"] == WRITE_KEY
    assert "content-encoding" not in request.headers
    assert request.body["batch"][0]["context"]["library"] == {"name": "@segment/analytics-node", "version": "3.1.0"}


async def test_rudderstacks_calls_its_packed_json_a_form_and_says_its_key_in_the_header_only(tmp_path: Path) -> None:
    async with shop(tmp_path, RUDDER_PACKED) as line:
        await line.send(ONE_OF_EACH)
        request = line.door.requests[0]
    assert request.headers["authorization"] == basic(WRITE_KEY)
    assert "writeKey" not in request.body
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["content-encoding"] == "gzip"
    assert request.body["batch"][0]["context"]["library"] == {"name": "analytics-node", "version": "3.0.13"}


async def test_rudderstacks_traits_stand_twice_and_reach_the_vendor_once(tmp_path: Path) -> None:
    async with shop(tmp_path, RUDDER_PACKED) as line:
        await line.send(ONE_OF_EACH[:1])
        await line.rests()
        [call], [asked] = line.door.calls, line.asked()
    assert call["traits"] == call["context"]["traits"]
    assert asked["properties"] == {"plan": "team", "segment_user_id": "u1"}

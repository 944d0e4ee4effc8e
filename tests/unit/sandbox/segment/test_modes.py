"""The modes: RudderStack, Jitsu, and a Segment that says what is wrong."""

import gzip
from typing import Any

import orjson
import pytest

from npsbridge.sandbox import SegmentServer, SegmentSwitches
from npsbridge.sandbox.segment import Mode
from unit.sandbox.calling import Caller, Hands, Reply, basic

KEY = "sandbox-segment-key"
GOOD = {"type": "track", "event": "E", "userId": "u1", "messageId": "m1"}
NOBODY = {"type": "track", "event": "E", "messageId": "m2"}


async def send(mode: Mode, *events: object, headers: dict[str, str] | None = None, **more: Any) -> tuple[Reply, int]:
    """What a mode answers to a batch, and how many events it kept."""
    path, envelope = more.pop("path", "/v1/batch"), more.pop("envelope", {})
    async with SegmentServer(mode=mode, now=Hands(), switches=SegmentSwitches(**more)) as server:
        async with Caller(server.base_url, basic(KEY) if headers is None else headers) as caller:
            reply = await caller.post(path, {"batch": list(events), **envelope})
        return reply, len(server.events)


async def test_rudder_answers_a_plain_ok() -> None:
    reply, kept = await send("rudder", GOOD)
    assert (reply.status, reply.raw, kept) == (200, b"ok", 1)


async def test_rudder_takes_the_key_from_the_header_only() -> None:
    reply, kept = await send("rudder", GOOD, headers={}, envelope={"writeKey": KEY})
    assert (reply.status, reply.raw, kept) == (401, b"Invalid Write Key", 0)


async def test_rudder_refuses_a_whole_batch_for_one_bad_event() -> None:
    reply, kept = await send("rudder", GOOD, NOBODY)
    assert (reply.status, reply.raw, kept) == (400, b"request neither has anonymousId nor userId", 0)


async def test_rudder_refuses_an_empty_batch() -> None:
    reply, _ = await send("rudder")
    assert (reply.status, reply.raw) == (400, b"empty batch payload")


async def test_rudder_does_not_look_for_duplicates_unless_told() -> None:
    assert (await send("rudder", GOOD, GOOD))[1] == 2
    assert (await send("rudder", GOOD, GOOD, dedup_seconds=3600))[1] == 1


async def test_rudder_takes_events_beyond_32_kib_and_refuses_4000_kib() -> None:
    large = {**GOOD, "properties": {"c": "x" * 40_000}}
    assert (await send("rudder", large))[0].status == 200
    packed = gzip.compress(orjson.dumps({"batch": [large] * 110}))
    async with SegmentServer(mode="rudder") as server, Caller(server.base_url, basic(KEY)) as caller:
        assert (await caller.call("POST", "/v1/batch", data=packed)).status == 413


async def test_rudders_beacon_takes_the_key_from_the_query() -> None:
    _, kept = await send("rudder", GOOD, headers={}, path=f"/beacon/v1/batch?writeKey={KEY}")
    assert kept == 1


async def test_rudder_has_no_short_paths() -> None:
    assert (await send("rudder", GOOD, path="/v1/b"))[0].status == 404


async def test_rudder_says_that_it_is_healthy() -> None:
    async with SegmentServer(mode="rudder") as server, Caller(server.base_url) as caller:
        assert (await caller.get("/health")).json["server"] == "UP"


async def test_jitsu_reports_what_it_took() -> None:
    reply, kept = await send("jitsu", GOOD)
    assert reply.json == {"ok": True, "receivedEvents": 1, "okEvents": 1}
    assert kept == 1


async def test_jitsu_says_not_ok_under_a_200() -> None:
    reply, kept = await send("jitsu", GOOD, NOBODY)
    assert (reply.status, kept) == (200, 1)
    assert reply.json == {
        "ok": False,
        "receivedEvents": 2,
        "okEvents": 1,
        "errors": ["Message ID: m2: no_user_anon_id"],
    }


async def test_jitsu_without_a_destination_takes_nothing() -> None:
    reply, kept = await send("jitsu", GOOD, no_destination=True)
    assert (reply.status, reply.json["ok"], reply.json["okEvents"], kept) == (200, False, 0, 0)


@pytest.mark.parametrize(
    ("headers", "path", "envelope"),
    [
        (basic(KEY), "/v1/b", {}),
        ({"X-Write-Key": KEY}, "/b", {"writeKey": "sandbox:***"}),
        ({}, f"/batch?writekey={KEY}", {}),
        ({}, "/api/s/s2s/batch", {"writeKey": KEY}),
    ],
)
async def test_jitsu_takes_the_key_from_anywhere(headers: dict[str, str], path: str, envelope: dict[str, str]) -> None:
    assert (await send("jitsu", GOOD, headers=headers, path=path, envelope=envelope))[1] == 1


async def test_jitsu_refuses_an_unknown_key_and_a_foreign_content_type() -> None:
    assert (await send("jitsu", GOOD, headers=basic("unknown")))[0].status == 401
    form = {**basic(KEY), "Content-Type": "application/x-www-form-urlencoded"}
    assert (await send("jitsu", GOOD, headers=form))[0].status == 400


async def test_jitsu_has_no_route_for_single_track_calls_but_its_own() -> None:
    assert (await send("jitsu", GOOD, path="/v1/track"))[0].status == 404
    async with SegmentServer(mode="jitsu") as server, Caller(server.base_url, basic(KEY)) as caller:
        await caller.post("/api/s/s2s/track", {"event": "E", "userId": "u1", "messageId": "m/1"})
        assert server.message_ids == {"m_1"}


@pytest.mark.parametrize(
    ("events", "headers", "code", "status"),
    [
        ([GOOD], basic("some-other-key"), "invalid_write_key", 401),
        ([GOOD], basic(""), "invalid_write_key", 401),
        ([GOOD, NOBODY], basic(KEY), "no_user_anon_id", 400),
        (["text"], basic(KEY), "not_an_object", 400),
        ([{**GOOD, "event": "x" * 33_000}], basic(KEY), "event_too_large", 400),
        ([{**GOOD, "event": "x" * 30_000}] * 20, basic(KEY), "request_too_large", 413),
        ([GOOD] * 2501, basic(KEY), "batch_too_long", 400),
    ],
)
async def test_strict_says_what_is_wrong_and_keeps_nothing(
    events: list[object], headers: dict[str, str], code: str, status: int
) -> None:
    reply, kept = await send("strict", *events, headers=headers)
    assert (reply.status, reply.json["code"], kept) == (status, code, 0)


async def test_strict_takes_what_is_good() -> None:
    reply, kept = await send("strict", GOOD, GOOD)
    assert (reply.json, kept) == ({"success": True}, 1)


async def test_the_mode_is_a_switch_as_well() -> None:
    async with SegmentServer() as server, Caller(server.base_url, basic(KEY)) as caller:
        server.change_switches({"mode": "rudder"})
        assert (await caller.post("/v1/batch", {"batch": [GOOD]})).raw == b"ok"

"""The Tracking API as Segment runs it: 200 to almost everything, and silent drops."""

import asyncio
import gzip
from base64 import urlsafe_b64encode
from typing import Any

import aiohttp
import orjson
import pytest

from npsbridge.sandbox import CutConnection, Hang, ResetAfterReading, SegmentServer
from npsbridge.sandbox.faults import status
from unit.sandbox.calling import Caller, Hands, Reply, basic

KEY = "sandbox-segment-key"


def track(number: int = 1, **fields: Any) -> dict[str, Any]:
    return {"type": "track", "event": "E", "userId": "u1", "messageId": f"m{number}", **fields}


async def send(tracking: Caller, *events: object, **envelope: Any) -> Reply:
    return await tracking.post("/v1/batch", {"batch": list(events), **envelope})


async def test_an_accepted_batch_is_kept_in_order(segment: SegmentServer, tracking: Caller) -> None:
    reply = await send(tracking, track(2), track(1), {"type": "identify", "anonymousId": "a", "messageId": "m3"})
    assert (reply.status, reply.json) == (200, {"success": True})
    assert [event["messageId"] for event in segment.events] == ["m2", "m1", "m3"]
    assert segment.counts == {"E": 2, "identify": 1}
    assert segment.message_ids == {"m1", "m2", "m3"}


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("/v1/identify", {"userId": "u"}, "identify"),
        ("/v1/i", {"userId": "u"}, "identify"),
        ("/v1/track", {"userId": "u", "event": "E"}, "track"),
        ("/v1/t/", {"userId": "u", "event": "E"}, "track"),
        ("/v1/page", {"userId": "u"}, "page"),
        ("/v1/p", {"userId": "u"}, "page"),
        ("/v1/s", {"userId": "u"}, "screen"),
        ("/v1/g", {"userId": "u", "groupId": "g"}, "group"),
        ("/v1/a", {"userId": "u", "previousId": "p"}, "alias"),
    ],
)
async def test_a_single_message_has_its_type_from_the_path(
    segment: SegmentServer, tracking: Caller, path: str, body: object, kind: str
) -> None:
    await tracking.post(path, body)
    assert [event["type"] for event in segment.events] == [kind]


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/b", "/v1/import", "/v1/import/"])
async def test_a_batch_has_several_names(segment: SegmentServer, tracking: Caller, path: str) -> None:
    await tracking.post(path, {"batch": [track()]})
    assert len(segment.events) == 1


@pytest.mark.parametrize("path", ["/v1/v1/batch", "/batch", "/v2/batch"])
async def test_any_other_path_is_404(tracking: Caller, path: str) -> None:
    reply = await tracking.post(path, {"batch": []})
    assert (reply.status, reply.json["code"]) == (404, "not_found")


async def test_self_metrics_are_taken_and_forgotten(segment: SegmentServer, tracking: Caller) -> None:
    assert (await tracking.post("/v1/m", {"series": []})).json == {"success": True}
    assert not segment.counts


@pytest.mark.parametrize(
    ("headers", "body_key"),
    [(basic(KEY), None), (basic(KEY, colon=False), None), ({}, KEY), ({"Authorization": "Bearer token"}, KEY)],
)
async def test_the_key_is_in_the_header_or_the_body(
    segment: SegmentServer, headers: dict[str, str], body_key: str | None
) -> None:
    async with Caller(segment.base_url, headers) as caller:
        await send(caller, track(), writeKey=body_key)
    assert len(segment.events_of(KEY)) == 1


async def test_f45_an_unknown_key_is_200_and_silence(segment: SegmentServer) -> None:
    async with Caller(segment.base_url, basic("some-other-key")) as caller:
        reply = await send(caller, track())
    assert (reply.status, reply.json) == (200, {"success": True})
    assert segment.drop_counts == {"unknown_key": 1}
    assert not segment.events


@pytest.mark.parametrize("key", ["", "short"])
async def test_a_tiny_key_is_400(segment: SegmentServer, key: str) -> None:
    async with Caller(segment.base_url, basic(key)) as caller:
        reply = await send(caller, track())
    assert (reply.status, set(reply.json)) == (400, {"success", "code", "message", "error"})


@pytest.mark.parametrize("raw", [b"{", b"[]", b"null", b"", b'{"batch":{}}', b"\x1f\x8bno gzip"])
async def test_a_body_that_cannot_be_read_is_400(tracking: Caller, raw: bytes) -> None:
    reply = await tracking.call("POST", "/v1/batch", data=raw)
    assert (reply.status, reply.json["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/json"])
async def test_the_content_type_is_not_believed(segment: SegmentServer, tracking: Caller, content_type: str) -> None:
    packed = gzip.compress(orjson.dumps({"batch": [track()]}))
    await tracking.call("POST", "/v1/batch", data=packed, headers={"Content-Type": content_type})
    assert len(segment.events) == 1


async def test_i15_an_event_of_32_kib_is_the_largest(segment: SegmentServer, tracking: Caller) -> None:
    small, large = track(1, properties={"c": ""}), track(2, properties={"c": ""})
    room = 32 * 1024 - len(orjson.dumps(small))
    small["properties"]["c"], large["properties"]["c"] = "x" * room, "x" * (room + 1)
    assert (await send(tracking, small)).status == 200
    refused = await send(tracking, track(3), large)
    assert (refused.status, refused.json["code"]) == (400, "event_too_large")
    assert segment.message_ids == {"m1"}


async def test_i15_a_single_message_of_32_kib_is_the_largest(tracking: Caller) -> None:
    body = {"userId": "u", "event": "x" * 32 * 1024}
    assert (await tracking.post("/v1/track", body)).json["code"] == "request_too_large"


@pytest.mark.parametrize(("counted", "status_code"), [("decoded", 400), ("wire", 200)])
async def test_i15_a_batch_of_500_kib_is_the_largest(
    segment: SegmentServer, tracking: Caller, counted: str, status_code: int
) -> None:
    segment.change_switches({"limits_count": counted})
    body = orjson.dumps({"batch": [track(number, properties={"c": "x" * 30_000}) for number in range(20)]})
    assert len(body) > 500 * 1024
    reply = await tracking.call("POST", "/v1/batch", data=gzip.compress(body))
    assert reply.status == status_code


async def test_more_than_2500_events_are_200_and_none_is_taken(segment: SegmentServer, tracking: Caller) -> None:
    assert (await send(tracking, *(track(number) for number in range(2501)))).status == 200
    assert segment.drop_counts == {"batch_too_long": 2501}
    assert (await send(tracking, *(track(number) for number in range(2500)))).status == 200
    assert len(segment.events) == 2500


async def test_a_bad_event_is_dropped_alone(segment: SegmentServer, tracking: Caller) -> None:
    reply = await send(tracking, track(1), {"type": "track", "userId": "u"}, track(2))
    assert reply.status == 200
    assert segment.message_ids == {"m1", "m2"}
    assert [(drop.reason, drop.item) for drop in segment.dropped] == [
        ("missing_event", {"type": "track", "userId": "u"})
    ]


async def test_a_repeated_message_id_is_dropped_for_24_hours(
    segment: SegmentServer, tracking: Caller, hands: Hands
) -> None:
    for pause in (0, 86400, 1):
        hands.forward(pause)
        await send(tracking, track(1))
    assert len(segment.events) == 2
    assert segment.drop_counts == {"duplicate": 1}


async def test_message_ids_are_global_to_all_keys_whatever_the_content(hands: Hands) -> None:
    async with SegmentServer(write_keys={KEY, "another-write-key"}, now=hands) as server:
        async with (
            Caller(server.base_url, basic(KEY)) as one,
            Caller(server.base_url, basic("another-write-key")) as two,
        ):
            await send(one, track(1))
            await send(two, track(1, event="Other"))
        assert (len(server.events_of(KEY)), len(server.events_of("another-write-key"))) == (1, 0)


async def test_without_a_message_id_every_copy_counts(segment: SegmentServer, tracking: Caller) -> None:
    event = {"type": "identify", "userId": "u"}
    await send(tracking, event, event)
    assert len(segment.message_ids) == 2


async def test_a_leak_lets_duplicates_through(segment: SegmentServer, tracking: Caller) -> None:
    segment.change_switches({"dedup_leak": 0.5})
    await send(tracking, *(track(1) for _ in range(200)))
    assert 50 < len(segment.events) < 150


async def test_the_settings_route_knows_the_key(segment: SegmentServer, tracking: Caller) -> None:
    known = await tracking.get(f"/v1/projects/{KEY}/settings")
    assert known.json["integrations"]["Segment.io"]["apiKey"] == KEY
    assert (await tracking.get("/v1/projects/unknown-key/settings")).status == 404
    segment.change_switches({"settings_status_for_unknown": 403})
    assert (await tracking.get("/v1/projects/unknown-key/settings")).status == 403


async def test_a_browser_may_ask_first_and_read_the_answer(tracking: Caller) -> None:
    preflight = await tracking.call("OPTIONS", "/v1/t")
    assert preflight.status == 204
    assert {"authorization", "content-type", "x-retry-count"} <= set(
        preflight.headers["Access-Control-Allow-Headers"].split(",")
    )
    for path in ("/v1/batch", "/v1/nothing"):
        assert (await tracking.post(path, {"batch": []})).headers["Access-Control-Allow-Origin"] == "*"


async def test_a_pixel_is_a_picture_and_an_event(segment: SegmentServer, tracking: Caller) -> None:
    message = {"writeKey": KEY, "userId": "u", "event": "Email Opened"}
    packed = urlsafe_b64encode(orjson.dumps(message)).decode()
    reply = await tracking.get(f"/v1/pixel/track?data={packed}")
    assert reply.raw.startswith(b"GIF89a")
    assert len(segment.tracks("Email Opened")) == 1
    assert (await tracking.get("/v1/pixel/track?data=nonsense")).status == 200
    assert segment.drop_counts == {"unreadable_pixel": 1}


async def test_the_rate_limit_has_both_headers(segment: SegmentServer, tracking: Caller, hands: Hands) -> None:
    segment.change_switches({"rate_limit": {"requests": 1, "seconds": 5}})
    replies = [await send(tracking, track(number)) for number in range(2)]
    assert [reply.status for reply in replies] == [200, 429]
    assert replies[1].headers["Retry-After"] == replies[1].headers["X-RateLimit-Reset"] == "5"
    hands.forward(5)
    assert (await send(tracking, track(2))).status == 200


async def test_i8_a_reset_after_reading_leaves_the_event_and_its_retry_is_a_duplicate(
    segment: SegmentServer, tracking: Caller
) -> None:
    segment.faults.add(ResetAfterReading())
    with pytest.raises(aiohttp.ClientError):
        await send(tracking, track(1))
    await send(tracking, track(1))
    assert (len(segment.events), segment.drop_counts) == (1, {"duplicate": 1})


async def test_segments_own_460_can_be_scripted(segment: SegmentServer, tracking: Caller) -> None:
    segment.faults.add(status(460), method="POST")
    assert [(await send(tracking, track(1))).status for _ in range(2)] == [460, 200]
    assert len(segment.events) == 1


async def test_a_cut_answer_leaves_the_event(segment: SegmentServer, tracking: Caller) -> None:
    segment.faults.add(CutConnection())
    with pytest.raises(aiohttp.ClientError):
        await send(tracking, track(1))
    assert len(segment.events) == 1


@pytest.mark.looptime
async def test_f19_an_answer_may_come_after_15_seconds(segment: SegmentServer, tracking: Caller) -> None:
    segment.faults.add(Hang(seconds=15))
    started = asyncio.get_running_loop().time()
    await send(tracking, track(1))
    assert asyncio.get_running_loop().time() - started >= 15


async def test_without_keeping_events_only_counts_and_ids_stay(hands: Hands) -> None:
    async with (
        SegmentServer(now=hands, keep_events=False) as server,
        Caller(server.base_url, basic(KEY)) as caller,
    ):
        await send(caller, track(1), track(2), track(2), "text")
        assert (server.events, server.message_ids, server.counts) == ([], {"m1", "m2"}, {"E": 2})
        assert [drop.item for drop in server.dropped] == [None, None]


async def test_what_was_received_can_be_seen_from_outside_and_forgotten(
    segment: SegmentServer, tracking: Caller
) -> None:
    await send(tracking, track(1), track(1))
    assert [event["messageId"] for event in (await tracking.get("/__sim/events")).json] == ["m1"]
    assert [drop["reason"] for drop in (await tracking.get("/__sim/dropped")).json] == ["duplicate"]
    state = (await tracking.delete("/__sim/events")).json
    assert (state["accepted"], state["dropped"], segment.events) == (0, {}, [])
    await send(tracking, track(1))
    assert len(segment.events) == 1


async def test_a_wrong_switch_is_named(tracking: Caller) -> None:
    reply = await tracking.post("/__sim/switches", {"mode": "amplitude"})
    assert (reply.status, "mode" in reply.json["error"]) == (400, True)

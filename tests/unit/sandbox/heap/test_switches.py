"""What nobody outside Heap knows, one way and the other; the limits; and a look from outside."""

from typing import Any

import pytest

from npsbridge.sandbox.heap import HeapServer
from unit.sandbox.calling import Caller, Hands
from unit.sandbox.heap.test_writing import event, post, track

BAD: dict[str, Any] = {"event": "E"}


# --- limits --------------------------------------------------------------------------------------------------------


async def test_f22_thirty_single_requests_in_thirty_seconds(heap: HeapServer, hands: Hands, api: Caller) -> None:
    statuses = [(await post(api, "track", **event())).status for _ in range(31)]
    assert statuses == [200] * 30 + [429]
    assert (await post(api, "track", **event("u2"))).status == 200
    hands.forward(30)
    assert (await post(api, "track", **event())).status == 200
    assert heap.refused == {"rate": 1}


async def test_f22_a_thousand_events_a_minute_of_one_identity(heap: HeapServer, hands: Hands, api: Caller) -> None:
    assert (await track(api, *[event()] * 1000)).status == 200
    assert (await track(api, event("u2"), event())).status == 429
    hands.forward(60)
    assert (await track(api, event("u2"), event())).status == 200
    assert len(heap.events) == 1002


async def test_f22_fifteen_thousand_events_a_minute_of_all(heap: HeapServer, hands: Hands, api: Caller) -> None:
    full = [event(f"u{number}") for number in range(1000)]
    assert [(await track(api, *full)).status for _ in range(16)] == [200] * 15 + [429]
    hands.forward(60)
    assert (await track(api, *full)).status == 200
    assert len(heap.events) == 16_000


async def test_properties_have_a_limit_if_so_switched(heap: HeapServer, api: Caller) -> None:
    users = [{"identity": f"u{number}", "properties": {"x": 1}} for number in range(3)]
    assert (await post(api, "add_user_properties", users=users)).status == 200
    heap.change_switches({"users_limit": {"requests": 4, "seconds": 60}})
    assert (await post(api, "add_user_properties", users=users)).status == 429


@pytest.mark.parametrize(("body", "begins"), [("object", b"{}"), ("text", b"Too"), ("html", b"<!DOCTYPE")])
@pytest.mark.parametrize(("header", "after"), [(True, "60"), (False, None)])
async def test_a_refusal_for_its_rate_is_worded_as_switched(
    heap: HeapServer, api: Caller, body: str, begins: bytes, after: str | None, *, header: bool
) -> None:
    limit = {"requests": 1, "seconds": 60}
    heap.change_switches({"app_limit": limit, "limit_body": body, "retry_after_header": header})
    await track(api, event())
    reply = await track(api, event())
    assert (reply.status, reply.headers.get("Retry-After")) == (429, after)
    assert reply.raw.startswith(begins)


# --- bulk requests -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad_entry", "status", "stored"), [("refuses_all", 400, 0), ("refused_alone", 400, 2), ("dropped", 200, 2)]
)
async def test_one_bad_entry(heap: HeapServer, api: Caller, bad_entry: str, status: int, stored: int) -> None:
    heap.change_switches({"bad_entry": bad_entry})
    reply = await track(api, event("u1"), BAD, event("u2"))
    assert (reply.status, len(heap.events), heap.refused.total()) == (status, stored, 1)


async def test_a_bad_single_request_is_refused_in_any_case(heap: HeapServer, api: Caller) -> None:
    heap.change_switches({"bad_entry": "dropped"})
    assert (await post(api, "track", **BAD)).status == 400


@pytest.mark.parametrize(
    ("oversize", "status", "stored"), [("refused", 400, 0), ("too_large", 413, 0), ("cut", 200, 2)]
)
async def test_too_many_entries(heap: HeapServer, api: Caller, oversize: str, status: int, stored: int) -> None:
    heap.change_switches({"most_entries": 2, "oversize": oversize})
    reply = await track(api, *[event()] * 3)
    assert (reply.status, len(heap.events)) == (status, stored)


async def test_a_request_of_too_many_bytes_is_413(heap: HeapServer, api: Caller) -> None:
    heap.change_switches({"most_bytes": 50})
    assert (await track(api, event("u" * 100))).status == 413


async def test_entries_may_take_effect_in_another_order(heap: HeapServer, api: Caller) -> None:
    heap.change_switches({"order": "reversed"})
    await track(api, event("u1"), event("u2"))
    assert [one.identity for one in heap.events] == ["u2", "u1"]


async def test_a_request_may_fail_after_it_took_effect(heap: HeapServer, api: Caller) -> None:
    heap.change_switches({"fails_every": 2})
    assert [(await track(api, event())).status for _ in range(4)] == [200, 500, 200, 500]
    assert len(heap.events) == 4


@pytest.mark.parametrize(("status", "raw"), [(200, b"{}"), (202, b"{}"), (204, b"")])
async def test_success_has_the_status_that_is_switched(heap: HeapServer, api: Caller, status: int, raw: bytes) -> None:
    heap.change_switches({"success_status": status})
    reply = await track(api, event())
    assert (reply.status, reply.raw) == (status, raw)


# --- entries and environment ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("switches", "properties", "kept"),
    [
        ({"long_text": "cut"}, {"x": "x" * 2000}, {"x": "x" * 1024}),
        ({"text_counts": "characters"}, {"x": "\N{GRINNING FACE}" * 1000}, {"x": "\N{GRINNING FACE}" * 1000}),
        ({"text_counts": "utf16"}, {"x": "\N{GRINNING FACE}" * 1000}, None),
        ({"other_types": "kept"}, {"x": True}, {"x": "true"}),
    ],
)
async def test_unusual_properties(
    heap: HeapServer, api: Caller, switches: dict[str, Any], properties: Any, kept: Any
) -> None:
    heap.change_switches(switches)
    await track(api, event(properties=properties))
    assert [one.properties for one in heap.events] == ([] if kept is None else [kept])


async def test_a_user_property_named_id_may_vanish_instead(heap: HeapServer, api: Caller) -> None:
    heap.change_switches({"id_property": "dropped"})
    await post(api, "add_user_properties", identity="u1", properties={"Id": 1, "x": 2})
    assert heap.users == {"u1": {"x": 2}}


@pytest.mark.parametrize(
    ("switches", "timestamp", "status"),
    [
        ({}, "2001-01-01T00:00:00Z", 200),
        ({"oldest_event": 86_400}, "2001-01-01T00:00:00Z", 400),
        ({}, "2040-01-01T00:00:00Z", 200),
        ({"future_events": "refused"}, "2040-01-01T00:00:00Z", 400),
    ],
)
async def test_unusual_times(
    heap: HeapServer, api: Caller, switches: dict[str, Any], timestamp: str, status: int
) -> None:
    heap.change_switches(switches)
    assert (await track(api, event(timestamp=timestamp))).status == status


async def test_an_idempotency_key_may_be_forgotten(heap: HeapServer, hands: Hands, api: Caller) -> None:
    heap.change_switches({"key_memory": 60})
    for pause in (0, 59, 1):
        hands.forward(pause)
        await track(api, event(idempotency_key="k"))
    assert len(heap.events) == 2


async def test_an_idempotency_key_may_be_one_only_within_a_person(heap: HeapServer, api: Caller) -> None:
    heap.change_switches({"key_scope": "identity"})
    await track(api, *(event(identity, idempotency_key="k") for identity in ("u1", "u2", "u1")))
    assert [one.identity for one in heap.events] == ["u1", "u2"]


@pytest.mark.parametrize(("standing", "status"), [("unauthorized", 401), ("forbidden", 403), ("missing", 404)])
async def test_an_environment_may_refuse_everything(heap: HeapServer, api: Caller, standing: str, status: int) -> None:
    heap.change_switches({"standing": standing})
    assert (await track(api, event())).status == status


@pytest.mark.parametrize(("unknown_app", "status"), [("taken", 200), ("refused", 400), ("unauthorized", 401)])
async def test_a_wrong_app_id_may_be_told(heap: HeapServer, api: Caller, unknown_app: str, status: int) -> None:
    heap.change_switches({"unknown_app": unknown_app})
    assert (await track(api, event(), app_id="42")).status == status
    assert list(heap.events) == []


# --- looking into it -----------------------------------------------------------------------------------------------


async def test_the_state_counts_what_there_is(heap: HeapServer, api: Caller) -> None:
    await track(api, event(idempotency_key="k"), event(idempotency_key="k"))
    state = (await api.get("/__sim/state")).json
    assert (state["kind"], state["base_url"], state["app_id"]) == ("heap", heap.base_url, heap.app_id)
    assert (state["events"], state["users"], state["repeated"], state["requests"]) == (1, 1, 1, 1)


async def test_events_and_users_can_be_seen_and_forgotten(heap: HeapServer, api: Caller) -> None:
    await track(api, event(properties={"Score": 9}))
    [seen] = (await api.get("/__sim/events")).json
    assert (seen["identity"], seen["properties"]) == ("u1", {"Score": 9})
    assert (await api.get("/__sim/users")).json == {"u1": {}}
    assert (await api.delete("/__sim/events")).json["events"] == 0
    assert list(heap.events) == []


async def test_a_switch_is_changed_from_outside_or_refused_by_name(heap: HeapServer, api: Caller) -> None:
    assert (await api.post("/__sim/switches", {"order": "reversed"})).status == 200
    assert heap.switches.order == "reversed"
    reply = await api.post("/__sim/switches", {"order": "sideways"})
    assert (reply.status, "order" in reply.json["error"]) == (400, True)


def test_it_says_which_settings_point_a_daemon_here() -> None:
    server = HeapServer(port=9)
    assert server.environment() == {
        "NPSBRIDGE_HEAP__APP_ID": server.app_id,
        "NPSBRIDGE_HEAP__BASE_URL": "http://127.0.0.1:9",
    }

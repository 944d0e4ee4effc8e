"""Sending to Heap: requests, what answers mean, trouble on one of the two paths."""

from typing import Any

import msgspec
import pytest

from npsbridge.core.model import Kind
from npsbridge.core.outcome import Blame, Delivered, Outcome, Paused, Rejected, RetryLater
from npsbridge.errors import AnswerLost, NotSent, TryLater, UnreadablePage
from npsbridge.net.client import Reply
from npsbridge.platforms.heap import BATCH, BATCH_BYTES, PER_SECOND, HeapDestination
from npsbridge.sandbox import CorruptGzip, CutConnection, Fault, GzipBomb, ResetAfterReading, ResetBeforeReading
from npsbridge.sandbox.faults import empty, error_object, html, null, redirect, status
from npsbridge.sandbox.heap import SANDBOX_APP_ID, HeapServer
from unit.platforms.heap.bench import Endpoint, always, deliver, emission, events, live, owed, reply, wiring

GOOD = Delivered()
BAD = Rejected(reason="HTTP 400")
TRACK, USERS = "/api/track", "/api/add_user_properties"


def kinds_of(outcomes: list[Outcome]) -> list[type[Outcome]]:
    return [type(outcome) for outcome in outcomes]


# --- one batch -----------------------------------------------------------------------------------------------------


async def test_an_answer_becomes_an_event_and_properties() -> None:
    async with live() as (server, destination):
        assert await destination.deliver(owed(emission())) == [GOOD] * 2
        [event] = server.events
        assert (event.event, event.identity, event.properties["Score"]) == ("Submit Survey", "u1", 9)
        assert server.users["u1"] == {"NPS_rating": 9, "NPS_comment": "Fast", "NPS_date": "2026-01-01T00:00:01.000Z"}


async def test_each_kind_is_one_bulk_request_with_the_app_id() -> None:
    async with live() as (server, destination):
        await destination.deliver(owed(*(emission(number, user_id=f"u{number}") for number in range(3))))
        asked = [(request.path, sorted(request.body)) for request in server.requests]
        assert asked == [(TRACK, ["app_id", "events"]), (USERS, ["app_id", "users"])]
        assert {request.body["app_id"] for request in server.requests} == {SANDBOX_APP_ID}
        assert {request.headers["Content-Type"] for request in server.requests} == {"application/json"}


async def test_i5_events_arrive_in_order() -> None:
    async with live() as (server, destination):
        await destination.deliver(events(9))
        assert [event.identity for event in server.events] == [f"u{number}" for number in range(9)]


@pytest.mark.parametrize("order", ["kept", "reversed"])
async def test_i5_of_a_person_the_newest_properties_stay_whatever_the_order_in_a_request(order: str) -> None:
    answers = [emission(number, score=number, kinds=(Kind.IDENTIFY,)) for number in range(5)]
    async with live(order=order) as (server, destination):
        assert await destination.deliver(owed(*answers)) == [GOOD] * 5
        assert server.users["u1"]["NPS_rating"] == 4
        assert [len(request.body["users"]) for request in server.requests] == [1]


async def test_a_comment_that_was_left_out_later_does_not_stay() -> None:
    async with live() as (server, destination):
        await destination.deliver(owed(emission(1), emission(2, comment=None, score=3)))
        assert (server.users["u1"]["NPS_rating"], server.users["u1"]["NPS_comment"]) == (3, "")


@pytest.mark.parametrize("switches", [{"text_counts": "characters"}, {"text_counts": "utf16"}, {"long_text": "cut"}])
async def test_i15_the_longest_comment_is_taken_however_heap_counts(switches: dict[str, Any]) -> None:
    async with live(**switches) as (server, destination):
        assert await destination.deliver(owed(emission(comment="\N{GRINNING FACE}" * 5000))) == [GOOD] * 2
        assert not server.refused


async def test_i15_a_batch_keeps_below_what_heap_may_take_at_once() -> None:
    large = [emission(number, comment="\N{GRINNING FACE}" * 600, kinds=(Kind.SUBMIT,)) for number in range(400)]
    async with live(most_bytes=BATCH_BYTES + 1000) as (server, destination):
        assert await destination.deliver(owed(*large)) == [GOOD] * 400
        assert len(server.requests) == 2


def test_a_batch_and_the_rate_stay_below_heaps_limits() -> None:
    destination = HeapDestination(wiring())
    assert (destination.batch_limit, destination.rate_limit) == (BATCH, PER_SECOND)
    assert destination.batch_limit <= 1000
    assert destination.rate_limit * 60 + destination.batch_limit < 15_000


async def test_a_delivery_of_another_kind_is_refused() -> None:
    (event,) = events(1)
    (outcome,) = await deliver(always(reply(200)), [msgspec.structs.replace(event, kind="answered")])
    assert isinstance(outcome, Rejected)


# --- what answers mean ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [reply(200), reply(204, b""), reply(202, b"OK"), reply(200, b"[]")])
async def test_any_good_status_counts_as_delivered(answer: Reply) -> None:
    assert await deliver(always(answer), events(2)) == [GOOD] * 2


@pytest.mark.parametrize(
    ("code", "setting"), [(401, "APP_ID"), (403, "APP_ID"), (404, "BASE_URL"), (405, "BASE_URL"), (410, "BASE_URL")]
)
async def test_f23_f24_a_refusal_of_all_pauses_and_names_the_setting(code: int, setting: str) -> None:
    paused = Paused(reason=f"HTTP {code}; check NPSBRIDGE_HEAP__{setting}")
    assert await deliver(always(reply(code)), events(2)) == [paused] * 2


@pytest.mark.parametrize("code", [408, 500, 502, 503, 504])
async def test_f25_passing_trouble_is_unclear(code: int) -> None:
    outcomes = await deliver(always(reply(code, retry_after="9")), events(2))
    assert outcomes == [RetryLater(reason=f"HTTP {code}", after=9, blame=Blame.UNCLEAR)] * 2


@pytest.mark.parametrize("body", ["object", "text", "html"])
@pytest.mark.parametrize("has_header", [True, False])
async def test_f22_too_many_events_stop_everything_as_long_as_asked(body: str, *, has_header: bool) -> None:
    limit = {"requests": 1, "seconds": 60}
    async with live(app_limit=limit, limit_body=body, retry_after_header=has_header) as (_, destination):
        outcomes = await destination.deliver(events(2))
    assert outcomes == [RetryLater(reason="HTTP 429", after=60 if has_header else None)] * 2


@pytest.mark.parametrize(
    ("error", "blame"),
    [
        (NotSent("no connection to heapanalytics.com"), Blame.CONNECTION),
        (AnswerLost("no answer"), Blame.UNCLEAR),
        (UnreadablePage("too large", location=TRACK, body=b""), Blame.UNCLEAR),
    ],
)
async def test_f17_f20_trouble_of_the_transport_is_retried(error: TryLater, blame: Blame) -> None:
    assert await deliver(always(error), events(2)) == [RetryLater(reason=str(error), blame=blame)] * 2


@pytest.mark.parametrize(
    "fault",
    [
        ResetAfterReading(),
        ResetBeforeReading(),
        CutConnection(),
        CorruptGzip(),
        GzipBomb(decoded_bytes=40 * 2**20),
        html(),
        null(),
        error_object(),
        status(503),
    ],
)
async def test_f20_f21_f26_after_a_doubtful_answer_the_same_events_are_sent_again(fault: Fault) -> None:
    async with live() as (server, destination):
        server.faults.add(fault)
        assert kinds_of(await destination.deliver(events(3))) == [RetryLater] * 3
        assert await destination.deliver(events(3)) == [GOOD] * 3
        assert len(server.events) == 3


@pytest.mark.parametrize("scope", ["app", "identity"])
async def test_i12_an_event_that_was_stored_before_the_failure_is_not_doubled(scope: str) -> None:
    async with live(fails_every=1, key_scope=scope) as (server, destination):
        assert kinds_of(await destination.deliver(events(3))) == [RetryLater] * 3
        server.change_switches({"fails_every": None})
        assert await destination.deliver(events(3)) == [GOOD] * 3
        assert (len(server.events), server.stored.repeated.total()) == (3, 3)


async def test_f26_a_web_page_is_known_by_its_type_as_well() -> None:
    page = reply(200, b"Please wait", content_type="text/html; charset=utf-8")
    assert kinds_of(await deliver(always(page), events(2))) == [RetryLater] * 2


async def test_an_empty_good_answer_is_believed() -> None:
    async with live() as (server, destination):
        server.faults.add(empty())
        assert await destination.deliver(events(1)) == [GOOD]


async def test_f27_a_redirect_gets_no_events() -> None:
    async with live() as (server, destination), HeapServer() as elsewhere:
        server.faults.add(redirect(f"{elsewhere.base_url}/api/track", code=308))
        assert kinds_of(await destination.deliver(events(1))) == [Paused]
        assert len(elsewhere.requests) == 0


async def test_i19_what_heap_says_of_an_entry_is_not_repeated() -> None:
    (outcome,) = await deliver(always(reply(400, b'{"error":"ana@example.org said Fast"}')), events(1))
    assert outcome == BAD


# --- refused entries -----------------------------------------------------------------------------------------------


def refusing(*poison: str) -> Endpoint:
    """One bad entry sinks its whole request."""

    def judge(_: str, entries: list[Any]) -> Reply:
        return reply(400 if {entry["identity"] for entry in entries} & set(poison) else 200)

    return Endpoint(judge)


@pytest.mark.parametrize("poison", [{0}, {9}, {3, 4}, {1, 5, 6}])
async def test_i6_one_bad_event_of_a_batch_is_found_and_the_others_arrive(poison: set[int]) -> None:
    outcomes = await deliver(refusing(*(f"u{number}" for number in poison)), events(10))
    assert outcomes == [BAD if number in poison else GOOD for number in range(10)]


@pytest.mark.parametrize("bad_entry", ["refuses_all", "refused_alone"])
async def test_i6_poison_is_found_whether_heap_took_the_others_at_once_or_not(bad_entry: str) -> None:
    batch = events(8)
    poison = msgspec.structs.replace(batch[3], body=b'{"event":"Submit Survey","properties":{}}')
    async with live(bad_entry=bad_entry) as (server, destination):
        outcomes = await destination.deliver([*batch[:3], poison, *batch[4:]])
        assert outcomes == [GOOD] * 3 + [BAD] + [GOOD] * 4
        assert sorted(event.person for event in server.events) == [f"u{number}" for number in range(8) if number != 3]


async def test_refused_properties_of_a_person_leave_the_older_ones() -> None:
    def judge(_: str, entries: list[Any]) -> Reply:
        return reply(400 if any(entry["properties"]["NPS_rating"] == 7 for entry in entries) else 200)

    answers = [emission(number, score=score, kinds=(Kind.IDENTIFY,)) for number, score in enumerate((5, 7))]
    endpoint = Endpoint(judge)
    assert await deliver(endpoint, owed(*answers)) == [GOOD, BAD]
    ratings = [[entry["properties"]["NPS_rating"] for entry in entries] for _, entries in endpoint.asked]
    assert ratings == [[7], [5], [7]]


@pytest.mark.parametrize("oversize", ["refused", "too_large"])
async def test_a_batch_larger_than_heap_takes_is_split(oversize: str) -> None:
    async with live(most_entries=3, oversize=oversize) as (server, destination):
        assert await destination.deliver(events(10)) == [GOOD] * 10
        assert len(server.events) == 10


@pytest.mark.parametrize(("told", "pause"), [("refused", "is refused (HTTP 400)"), ("unauthorized", "HTTP 401")])
async def test_f23_where_a_wrong_app_id_is_told_the_sink_pauses_and_nothing_dies(told: str, pause: str) -> None:
    async with live(unknown_app=told) as (server, destination):
        server.app_id = "42"
        outcomes = await destination.deliver(events(100))
        assert kinds_of(outcomes) == [Paused] * 100
        assert all(pause in one.reason and "HEAP__APP_ID" in one.reason for one in outcomes if isinstance(one, Paused))
        assert len(server.requests) < 30


async def test_a_wrong_app_id_that_heap_does_not_tell_looks_like_success() -> None:
    async with live(unknown_app="taken") as (server, destination):
        server.app_id = "42"
        assert await destination.deliver(events(2)) == [GOOD] * 2
        assert list(server.events) == []


# --- two paths -----------------------------------------------------------------------------------------------------


async def test_an_outage_of_one_path_does_not_hold_up_the_other() -> None:
    endpoint = Endpoint(lambda path, _: reply(503 if path == TRACK else 200))
    submit, identify = owed(emission(kinds=(Kind.SUBMIT, Kind.IDENTIFY)))
    assert kinds_of(await deliver(endpoint, [submit, identify])) == [RetryLater, Delivered]


@pytest.mark.parametrize("answer", [reply(429), reply(401), NotSent("no connection")])
async def test_what_concerns_everything_holds_up_both(answer: Reply | Exception) -> None:
    endpoint = always(answer)
    first, second = await deliver(endpoint, owed(emission()))
    assert first == second
    assert [path for path, _ in endpoint.asked] == [TRACK]


async def test_outcomes_stand_in_the_order_of_the_batch() -> None:
    batch = owed(emission(1, user_id="u1"), emission(2, user_id="u2"))
    assert [one.kind for one in batch] == ["identify", "submit"] * 2
    endpoint = Endpoint(
        lambda path, entries: reply(400 if path == TRACK and "u2" in {one["identity"] for one in entries} else 200)
    )
    assert await deliver(endpoint, batch) == [GOOD, GOOD, GOOD, BAD]

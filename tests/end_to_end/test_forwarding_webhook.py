"""`/hooks/segment` as a whole: what is signed is acted on, what is not is refused, and who is deleted is forgotten."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from end_to_end.harness import until
from end_to_end.outbound import (
    ACTIVATION,
    INVITATION,
    PURCHASE,
    REPORT,
    SECRET,
    Answered,
    Message,
    Outbound,
    asked,
    bodies,
    outbound,
    surveys,
)
from npsbridge.app import App
from npsbridge.core.calls import Call
from npsbridge.core.model import State
from npsbridge.core.people import IdKind, PersonId
from npsbridge.core.route_calls import CallRecall
from npsbridge.engine.forwarding import CallRouter
from stores import stored

pytestmark = pytest.mark.looptime(noop_cycles=8)

TAKEN = Answered(200, {"success": True})
EVENTS = (PURCHASE, ACTIVATION, REPORT, INVITATION)


def from_segment(call: Message) -> Message:
    """A call with what Segment adds on its way."""
    added = {
        "channel": "server",
        "context": {"library": {"name": "analytics-python", "version": "2.3.4"}, "ip": "8.8.8.8"},
        "originalTimestamp": "2026-04-01T00:00:00.000Z",
        "receivedAt": "2026-04-01T00:00:00.100Z",
        "sentAt": "2026-04-01T00:00:00.050Z",
        "timestamp": "2026-04-01T00:00:00.050Z",
        "projectId": "abc",
        "version": 2,
        "integrations": {},
    }
    return added | call


# --- what is taken ----------------------------------------------------------------------------------------------


async def test_a_single_call_of_the_classic_destination_is_acted_on(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        assert await line.webhook(app, from_segment(line.identify("u1", email="ana@example.org"))) == TAKEN
        assert await line.webhook(app, from_segment(line.track("u1", PURCHASE, price=12))) == TAKEN
        await line.rests(app)
        (survey,) = surveys(line.delighted)
        assert survey["properties"] == {"price": 12, "segment_user_id": "u1"}


async def test_a_list_of_the_actions_destination_is_acted_on_call_by_call(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        calls = [line.identify(f"u{number}", email=f"u{number}@example.org") for number in range(3)]
        assert await line.webhook(app, [from_segment(call) for call in calls]) == TAKEN
        await line.rests(app)
        assert sorted(body["email"] for body in bodies(line.delighted)) == [
            "u0@example.org",
            "u1@example.org",
            "u2@example.org",
        ]


@pytest.mark.parametrize("secret", ["another", SECRET.upper(), ""])
async def test_a_wrong_signature_is_refused_and_leaves_no_trace(tmp_path: Path, secret: str) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        answer = await line.webhook(app, line.identify("u1", email="ana@example.org"), secret=secret)
        assert (answer.status, answer.body["code"]) == (401, "invalid_signature")
        assert (await app.store.ledger()).accepted == 0


async def test_without_a_signature_it_is_refused(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        body = json.dumps(line.identify("u1", email="ana@example.org")).encode()
        assert (await line.post(app, "/hooks/segment", body)).status == 401


async def test_without_a_secret_there_is_no_such_hook(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon(INGEST__WEBHOOK_SECRET=None) as app:
        assert (await line.webhook(app, line.identify("u1"))).status == 404


async def test_both_secrets_are_good_during_a_rotation_and_only_the_new_one_after_it(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line:
        async with line.daemon(INGEST__WEBHOOK_SECRET='["new-secret", "shared-secret"]') as app:
            for secret in ("shared-secret", "new-secret"):
                assert await line.webhook(app, line.identify(None, anonymous_id=secret), secret=secret) == TAKEN
        async with line.daemon(INGEST__WEBHOOK_SECRET="new-secret") as app:
            assert (await line.webhook(app, line.identify("u3"), secret="shared-secret")).status == 401
            assert await line.webhook(app, line.identify("u3"), secret="new-secret") == TAKEN


# --- deletion ---------------------------------------------------------------------------------------------------


def life(line: Outbound, user_id: str) -> list[Message]:
    """Somebody is described with their device, and does everything that triggers a survey."""
    email = f"{user_id}@example.org"
    described = line.identify(user_id, anonymous_id=f"device-of-{user_id}", email=email, name=f"Name of {user_id}")
    return [described, *[line.track(user_id, event, email=email) for event in EVENTS]]


def requests(line: Outbound) -> dict[str, int]:
    return {name: len(server.requests) for name, server in line.vendors.items()}


async def deleted(line: Outbound, app: App, user_id: str) -> None:
    """Segment says that somebody is to be forgotten, and that has been done."""
    assert await line.webhook(app, line.call("delete", userId=user_id)) == TAKEN
    await until(lambda: any("was erased here" in told.message for told in line.told))
    await line.rests(app)


async def traces(app: App, email: str) -> list[Any]:
    """What of all that is listed speaks of an email."""
    return [one for one in await app.store.deliveries(limit=10_000) if email.encode() in one.body]


def kept(line: Outbound) -> bytes:
    """All that the store holds."""
    return b"".join(stored(line.environment["STORE_URL"]).values())


async def test_i20_f41_who_is_deleted_leaves_no_trace_here_and_others_keep_theirs(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line:
        async with line.daemon() as app:
            await line.tell(app, *life(line, "u1"), *life(line, "u2"))
            assert await traces(app, "u1@example.org")
            others = await traces(app, "u2@example.org")
            await deleted(line, app, "u1")
            assert await traces(app, "u1@example.org") == []
            assert len(await traces(app, "u2@example.org")) == len(others) > 0
            ids = [PersonId(IdKind.USER, "u1"), PersonId(IdKind.EMAIL, "u1@example.org")]
            assert (await app.store.recall_people(ids)).persons == {}
        left = kept(line)
    assert b"u2@example.org" in left
    assert not any(mark in left for mark in (b"u1@example.org", b"Name of u1", b"device-of-u1"))


async def test_i20_f41_what_who_was_deleted_does_later_is_ignored_and_counted(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, *life(line, "u1"), *life(line, "u2"))
        await deleted(line, app, "u1")
        before, erased = requests(line), (await app.store.ledger()).erased
        await line.tell(app, *life(line, "u1"))
        await line.tell(app, line.track(None, PURCHASE, anonymous_id="device-of-u1"))
        await line.tell(app, line.identify("u9", email="U1@Example.org"))
        assert requests(line) == before
        assert (await app.store.ledger()).erased == erased + 5 + 1 + 1
        assert await traces(app, "u1@example.org") == []
        await line.tell(app, *life(line, "u1"))  # the same messages once more, which are known
        left = kept(line)
        assert b"u2@example.org" in left
        assert not any(mark in left.lower() for mark in (b"u1@example.org", b"name of u1"))


async def test_others_are_surveyed_as_before(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        line.delighted.change_switches({"throttle_days": None})
        await line.tell(app, *life(line, "u1"), *life(line, "u2"))
        await deleted(line, app, "u1")
        await line.tell(app, line.track("u2", PURCHASE, order=2))
        assert surveys(line.delighted)[-1]["properties"] == {"order": 2, "segment_user_id": "u2"}


async def test_a_deletion_calls_no_vendor_and_says_who_may_still_hold_data(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, *life(line, "u1"))
        before = requests(line)
        await deleted(line, app, "u1")
        assert requests(line) == before
        (told,) = [told for told in line.told if "was erased here" in told.message]
        assert sorted(told.extra["may_still_hold_data"]) == ["delighted", "promoter", "retently", "satismeter"]
        assert "u1" not in str(told)


async def test_what_was_still_owed_of_who_is_deleted_is_never_sent(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        for server in line.vendors.values():
            await server.stop()
        await line.send(app, *life(line, "u1"), line.identify("u2", email="u2@example.org"))
        await line.send(app, line.track("u3", INVITATION))
        await line.passes(60)
        assert await line.webhook(app, line.call("delete", userId="u1")) == TAKEN
        await line.passes(60)
        for server in line.vendors.values():
            await server.start()
        await line.passes(600)
        assert all("u1@example.org" not in str(one.body) for server in line.vendors.values() for one in asked(server))
        assert [body["email"] for body in bodies(line.promoter)] == ["u2@example.org"]
        await line.tell(app, line.identify("u3", email="u3@example.org"))
        assert [one.email for one in line.promoter.survey_requests] == ["u3@example.org"]


async def test_a_deletion_in_the_same_batch_as_their_calls_wins(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        batch = [*life(line, "u1"), line.call("delete", userId="u1"), *life(line, "u2")]
        assert await line.webhook(app, batch) == TAKEN
        await line.rests(app)
        assert {body["email"] for body in bodies(line.delighted)} == {"u2@example.org"}
        assert await traces(app, "u1@example.org") == []


async def test_a_deletion_by_an_sdk_is_refused_because_write_keys_are_public(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("u1", email="u1@example.org"))
        await line.tell(app, line.call("delete", userId="u1"))
        (shelved,) = await line.listed(app, State.DEAD)
        assert shelved.reason is not None
        assert "only Segment's signed webhook may say" in shelved.reason
        assert await traces(app, "u1@example.org")


async def test_a_person_forgotten_by_hand_while_their_calls_are_decided_is_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`npsbridge forget` beside the daemon, between reading the journal and the routing's commit."""
    recall = CallRouter._recall

    async def forgotten_meanwhile(self: CallRouter, calls: Sequence[Call]) -> CallRecall:
        recalled = await recall(self, calls)
        if any(call.event == PURCHASE for call in calls):
            await self._store.forget(PersonId(IdKind.USER, "u1"))
        return recalled

    monkeypatch.setattr(CallRouter, "_recall", forgotten_meanwhile)
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("u1", email="u1@example.org"))
        await line.tell(app, line.track("u1", PURCHASE))
        assert (await app.store.ledger()).imbalance == 0

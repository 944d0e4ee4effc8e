"""What the operator does by hand, each verb a process of its own beside a running daemon; its ledger must balance."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from end_to_end.harness import World, at_rest, until, world
from end_to_end.outbound import PURCHASE, Outbound, outbound, surveys
from end_to_end.process import daemon_process
from npsbridge.app import App
from npsbridge.core.model import State
from npsbridge.core.records import Shelved
from npsbridge.sandbox import HeapServer, ResetAfterReading
from stores import stored
from unit.cli.commands import Ended, command

AT_MOST = 5.0
"""Seconds until a daemon has heard of a verb; the promise is 2, a busy machine gets more."""
ANN = "ann@example.org"


async def verb(line: World | Outbound, *arguments: str, code: int = 0) -> Ended:
    """A verb with the settings of the line, to its end."""
    ended = await command(*arguments, environ={f"NPSBRIDGE_{name}": text for name, text in line.environment.items()})
    assert ended.code == code, ended.err
    return ended


async def told(line: World | Outbound, *arguments: str) -> Any:
    """What a verb says as JSON."""
    return json.loads((await verb(line, *arguments, "--json")).out)


async def check(line: World | Outbound, app: App, name: str) -> dict[str, Any]:
    """One check of /healthz."""
    _, health = await line.look(app, "/healthz")
    found: dict[str, Any] = health["checks"].get(name, {})
    return found


async def stands_still(line: World | Outbound, app: App, name: str) -> None:
    """Wait until a direction says that it is paused by hand."""

    async def says_so() -> bool:
        found = await check(line, app, name)
        return found.get("state") == "paused" and "npsbridge resume" in str(found)

    await until(says_so, within=AT_MOST)


def an_answer(both: World, email: str = ANN) -> str:
    return both.delighted.answer(both.delighted.add_person(email), 9, comment="Good")


# --- pause and resume -------------------------------------------------------------------------------------------


async def test_a_paused_sink_is_told_nothing_until_it_is_resumed(tmp_path: Path) -> None:
    async with world(tmp_path, DELIGHTED__POLL_INTERVAL="1") as both, both.daemon() as app:
        await both.history_read()
        await verb(both, "pause", "segment")
        await stands_still(both, app, "segment:forward")
        number = an_answer(both)
        await until(lambda: holds(app, 4))
        assert both.said() == []
        await verb(both, "resume", "segment")
        await until(lambda: both.revisions(number) == [1], within=AT_MOST)
        await until(lambda: at_rest(app))
        both.check_each_said_once()


async def holds(app: App, queued: int) -> bool:
    return (await app.store.depths()).get(("segment", State.QUEUED), 0) == queued


async def test_a_paused_platform_is_not_asked_until_it_is_resumed(tmp_path: Path) -> None:
    async with world(tmp_path, DELIGHTED__POLL_INTERVAL="1") as both, both.daemon() as app:
        await both.history_read()
        await verb(both, "pause", "delighted")
        await stands_still(both, app, "delighted:pull")
        asked, number = len(both.delighted.requests), an_answer(both)
        await verb(both, "status")
        assert len(both.delighted.requests) == asked
        await verb(both, "resume", "delighted")
        await until(lambda: both.revisions(number) == [1])


async def test_a_pause_survives_restarts_and_is_shown_by_status(tmp_path: Path) -> None:
    async with world(tmp_path, DELIGHTED__POLL_INTERVAL="1") as both:
        async with both.daemon():
            await both.history_read()
        await verb(both, "pause", "delighted")
        asked = len(both.delighted.requests)
        async with daemon_process(tmp_path, both.environment) as daemon:
            await daemon.says("The connection is paused by hand; nothing is lost")
            shown = (await told(both, "status"))["connections"]
            assert len(both.delighted.requests) == asked
        assert [(one["state"], one["reason"]) for one in shown if one["connection"] == "delighted"] == [
            ("paused", "paused by hand; npsbridge resume delighted")
        ]


# --- retry and drop ---------------------------------------------------------------------------------------------


async def test_what_was_refused_is_sent_by_the_daemon_after_a_retry(tmp_path: Path) -> None:
    async with world(tmp_path) as both, both.daemon() as app:
        both.segment.change_switches({"mode": "strict", "event_limit": 3000})
        number = both.delighted.answer(both.delighted.add_person(ANN), 9, comment="x" * 5000)
        await until(lambda: has(app, State.DEAD, 4))
        both.segment.change_switches({"mode": "segment", "event_limit": 32 * 1024})
        assert (await told(both, "outbox", "retry", "--state", "dead"))["queued"] == 4
        await until(lambda: both.revisions(number) == [1], within=AT_MOST)
        await until(lambda: has(app, State.DEAD, 0))


async def has(app: App, state: State, count: int, connection: str = "segment") -> bool:
    return (await app.store.depths()).get((connection, state), 0) == count


async def test_a_record_from_the_shelf_is_routed_by_the_daemon_after_a_retry(tmp_path: Path) -> None:
    """As after a release that understands it."""
    async with world(tmp_path, DELIGHTED__POLL_INTERVAL="1h") as both, both.daemon() as app:
        await both.history_read()
        number = an_answer(both)
        record = json.loads(both.delighted.signed_webhook("survey_response.created", number)[1])["event_data"]
        item = Shelved(
            connection="delighted", kind="record", key="k", reason="/: odd", body=json.dumps(record).encode()
        )
        await app.store.shelve(item)
        assert (await told(both, "outbox", "retry"))["journaled"] == 1
        await until(lambda: both.revisions(number) == [1], within=AT_MOST)
        assert await has(app, State.DEAD, 0, "delighted")


async def test_a_call_from_the_shelf_is_routed_by_the_daemon_after_a_retry(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        call = line.identify("u1", email=ANN)
        bad = Shelved(connection="ingest", kind="call", key="k", reason="/: odd", body=json.dumps(call).encode())
        await app.store.shelve(bad)
        assert (await told(line, "outbox", "retry"))["journaled"] == 1
        await until(lambda: ANN in {person.email for person in line.delighted.people.values()}, within=AT_MOST)


async def test_i8_a_survey_in_doubt_is_asked_for_again_only_when_that_is_decided(tmp_path: Path) -> None:
    async with outbound(tmp_path, DELIGHTED__ON_UNKNOWN="hold") as line, line.daemon() as app:
        await line.tell(app, line.identify("u1", email=ANN))
        line.delighted.faults.add(ResetAfterReading(effect=False))
        await line.tell(app, line.track("u1", PURCHASE))
        (held,) = await line.listed(app, State.HELD)
        assert (await told(line, "outbox", "retry"))["left"][0]["ids"] == [held.id]
        assert (len(surveys(line.delighted)), len(await line.listed(app, State.HELD))) == (1, 1)
        assert (await told(line, "outbox", "retry", str(held.id)))["queued"] == 1
        await until(lambda: len(surveys(line.delighted)) == 2, within=AT_MOST)
        await until(lambda: at_rest(app))
        assert len(line.delighted.survey_requests) == 1


async def test_what_is_dropped_is_never_sent_and_what_comes_later_is(tmp_path: Path) -> None:
    async with world(tmp_path, DELIGHTED__POLL_INTERVAL="1") as both, both.daemon() as app:
        await both.history_read()
        await verb(both, "pause", "segment")
        await stands_still(both, app, "segment:forward")
        dropped = an_answer(both)
        await until(lambda: holds(app, 4))
        assert (await told(both, "outbox", "drop", "--connection", "segment"))["dropped"] == 4
        await verb(both, "resume", "segment")
        later = an_answer(both, "bob@example.org")
        await until(lambda: both.revisions(later) == [1])
        assert both.revisions(dropped) == []
        reasons = {one.reason for one in await app.store.deliveries(state=State.FILTERED)}
    assert reasons == {"dropped by hand"}


# --- forget -----------------------------------------------------------------------------------------------------


async def test_i19_i20_a_person_is_forgotten_beside_a_daemon_that_never_names_them(tmp_path: Path) -> None:
    async with world(tmp_path, DELIGHTED__POLL_INTERVAL="1h") as both:
        an_answer(both)
        async with daemon_process(tmp_path, both.environment) as daemon:
            await until(lambda: len(both.said()) == 4)
            said = await verb(both, "forget", ANN)
            assert "May still hold data of them, and must be told separately: delighted, segment" in said.out
            again = await verb(both, "forget", ANN)
            assert again.out.startswith("Nothing was held here of this person.")
            assert (await daemon.get("/livez"))[0] == 200
            assert ANN not in daemon.output + said.out + said.err
        assert ANN.encode() not in b"".join(stored(both.environment["STORE_URL"]).values())


# --- replay -----------------------------------------------------------------------------------------------------


async def test_what_was_sent_is_sent_again_under_the_same_ids(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        number = an_answer(both)
        async with both.daemon() as app:
            await until(lambda: len(both.said()) == 4)
            await until(lambda: at_rest(app))
            before = Counter(call["messageId"] for call in both.said())
            assert sum(row["count"] for row in await told(both, "replay", "--since", "1h", "--dry-run")) == 4
            assert both.revisions(number) == [1]
            await told(both, "replay", "--since", "1h")
            await until(lambda: len(both.said()) == 8, within=AT_MOST)
            await until(lambda: at_rest(app))
        assert Counter(call["messageId"] for call in both.said()) == before + before


async def test_a_sink_that_was_configured_later_is_told_of_all_answers_once(tmp_path: Path) -> None:
    async with world(tmp_path) as both, HeapServer() as heap:
        an_answer(both)
        async with both.daemon() as app:
            await until(lambda: len(both.said()) == 4)
            await until(lambda: at_rest(app))
        account = {f"HEAP__{name}": value for name, value in heap.environment("").items()}
        both.environment |= account | {"HEAP__IDENTITY": "email"}
        async with both.daemon() as app:
            for _ in range(2):
                await told(both, "replay", "--since", "2020-01-01", "--to", "heap")
                await until(lambda: len(heap.events) == 1)
                await until(lambda: at_rest(app))
        assert [event.event for event in heap.events] == ["Submit Survey"]
        assert len(both.said()) == 4


async def test_i8_i9_a_replay_to_a_survey_platform_surveys_nobody(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("u1", email=ANN), line.track("u1", PURCHASE))
        await until(lambda: len(surveys(line.delighted)) == 1)
        await until(lambda: at_rest(app))
        asked = len(line.delighted.requests)
        await told(line, "replay", "--since", "1h", "--to", "delighted")
        await until(lambda: len(line.delighted.requests) == asked + 1, within=AT_MOST)
        await until(lambda: at_rest(app))
        assert len(surveys(line.delighted)) == 1

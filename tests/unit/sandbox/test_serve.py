"""The sandbox as a whole: what `npsbridge sandbox` runs."""

import asyncio
import socket
from contextlib import suppress

import pytest

from npsbridge.sandbox import PLATFORMS, Sandbox, open_sandbox, serve_sandbox
from unit.sandbox.calling import Caller, basic

SURVEYED = ("delighted", "retently", "satismeter", "promoter")


async def test_the_settings_it_prints_lead_to_the_look_alikes() -> None:
    async with open_sandbox(first_port=0, people=20) as sandbox:
        settings = dict(line.split("=", 1) for line in sandbox.lines)
        key = settings["NPSBRIDGE_DELIGHTED__API_KEY"]
        async with Caller(settings["NPSBRIDGE_DELIGHTED__BASE_URL"], basic(key)) as caller:
            count = len(sandbox.histories["delighted"].answers)
            assert (await caller.get("/metrics.json?since=0")).json["response_count"] == count
        async with Caller(settings["NPSBRIDGE_SEGMENT__BASE_URL"]) as caller:
            key = settings["NPSBRIDGE_SEGMENT__WRITE_KEY"]
            assert (await caller.get(f"/v1/projects/{key}/settings")).status == 200


async def test_every_platform_listens_and_has_settings() -> None:
    async with open_sandbox(first_port=0, people=8) as sandbox:
        for server, name in zip(sandbox.servers, PLATFORMS, strict=True):
            async with Caller(server.origin) as caller:
                assert (await caller.get("/__sim/state")).json["kind"] == name
            assert sandbox.environment[f"NPSBRIDGE_{name.upper()}__BASE_URL"].startswith(server.origin)


async def test_every_account_has_people_and_answers_of_its_own() -> None:
    async with open_sandbox(first_port=0, people=42) as sandbox:
        emails = [email for account in sandbox.accounts for email in account.emails]
        assert [account.kind for account in sandbox.accounts] == list(SURVEYED)
        assert len(emails) == len(set(emails)) == 42
        assert all(account.responses for account in sandbox.accounts)


async def test_only_those_asked_for_listen() -> None:
    async with open_sandbox(first_port=0, people=4, only=("promoter", "segment")) as sandbox:
        assert sandbox.running == ("segment", "promoter")
        assert len(sandbox.promoter.people) == 4
        assert not any("DELIGHTED" in line for line in sandbox.lines)
        with pytest.raises(RuntimeError, match="no port"):
            _ = sandbox.delighted.port


async def test_a_look_alike_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match="wootric"):
        async with open_sandbox(first_port=0, only=("delighted", "wootric")):
            pass


async def test_the_same_dice_make_the_same_sandbox() -> None:
    async with (
        open_sandbox(first_port=0, people=8, now=lambda: 1.7e9) as one,
        open_sandbox(first_port=0, people=8, now=lambda: 1.7e9) as other,
    ):
        assert one.histories == other.histories


def free_ports(count: int) -> int:
    """The first of some ports in a row that nobody listens on."""
    for first in range(20_001, 60_000, 101):
        with suppress(OSError):
            for port in range(first, first + count):
                socket.create_server(("127.0.0.1", port)).close()
            return first
    raise AssertionError("there are none")


async def test_the_ports_follow_each_other_also_when_some_are_left_out() -> None:
    first = free_ports(len(PLATFORMS))
    async with open_sandbox(first_port=first, people=0, only=("segment", "heap")) as sandbox:
        assert [server.port - first for server in sandbox.servers] == [1, 5]


async def test_webhooks_go_to_the_hook_of_each_platform() -> None:
    async with open_sandbox(first_port=0, people=0) as sandbox:
        sandbox.send_webhooks_to("http://127.0.0.1:8080/")
        settings = sandbox.environment
        assert sandbox.delighted.webhook_url == "http://127.0.0.1:8080/hooks/delighted"
        for account in sandbox.accounts[1:]:
            token = settings[f"NPSBRIDGE_{account.kind.upper()}__WEBHOOK_TOKEN"]
            assert account.webhook_url == f"http://127.0.0.1:8080/hooks/{account.kind}/{token}"


async def serve(started: asyncio.Future[Sandbox], answer_every: float | None = None, people: int = 20) -> None:
    await serve_sandbox(on_ready=started.set_result, first_port=0, people=people, answer_every=answer_every)


@pytest.mark.parametrize("people", [20, 0])
async def test_it_serves_until_it_is_cancelled(people: int) -> None:
    started: asyncio.Future[Sandbox] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(started, answer_every=0.1, people=people))
    sandbox = await asyncio.wait_for(started, 10)
    async with Caller(sandbox.segment.base_url) as caller:
        assert (await caller.get("/__sim/state")).status == 200
    task.cancel()
    await asyncio.wait([task], timeout=10)
    assert task.cancelled()


@pytest.mark.looptime
async def test_people_go_on_answering_everywhere_if_so_asked() -> None:
    started: asyncio.Future[Sandbox] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(started, answer_every=5))
    sandbox = await asyncio.wait_for(started, 10)
    before = {account.kind: len(account.responses) for account in sandbox.accounts}
    await asyncio.sleep(300)
    task.cancel()
    assert all(len(account.responses) > before[account.kind] for account in sandbox.accounts)


async def test_a_taken_port_is_an_os_error() -> None:
    async with open_sandbox(first_port=0, people=0, only=("segment",)) as sandbox:
        taken = sandbox.segment.port
        with pytest.raises(OSError, match="address already in use"):
            async with open_sandbox(first_port=taken - 1, people=0, only=("segment",)):
                pass

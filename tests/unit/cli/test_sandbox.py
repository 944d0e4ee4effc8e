"""`sandbox` as whoever builds against it meets it."""

import json
import shlex
import signal
import socket
from collections.abc import Callable

import aiohttp
import pytest

from npsbridge.cli.sandbox import examples, introduction
from npsbridge.platforms import settings_classes
from npsbridge.sandbox import FIRST_PORT, PLATFORMS, open_sandbox
from npsbridge.settings import load
from unit.cli.commands import Ended, command, started

FREE = ("--first-port", "0")


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_it_serves_until_it_is_told_to_end_and_ends_with_0(by: signal.Signals) -> None:
    async with started("sandbox", *FREE, "--people", "5") as sandbox:
        await sandbox.line_with("Ctrl-C ends it")
        ended = await sandbox.end(by)
    assert (ended.code, ended.err) == (0, "")


async def test_the_settings_it_prints_are_settings_that_lead_to_it() -> None:
    async with open_sandbox(first_port=0, people=5) as sandbox:
        printed = [line for line in introduction(sandbox) if line.startswith("NPSBRIDGE_")]
        settings = load(settings_classes(), environ=dict(line.split("=", 1) for line in printed))
        assert set(settings.connections) == set(PLATFORMS)


async def test_the_addresses_it_prints_answer() -> None:
    async with open_sandbox(first_port=0, people=5) as sandbox, aiohttp.ClientSession() as session:
        for line in [line for line in introduction(sandbox) if "/__sim/state" in line]:
            url, _, things = line.partition("  also ")
            for name in ["state", *things.split(" (")[0].split(", ")]:
                async with session.get(f"{url.strip().removesuffix('state')}{name}") as answer:
                    assert answer.status == 200, (url, name)


async def test_the_examples_it_prints_do_what_they_say() -> None:
    async with open_sandbox(first_port=0, people=5) as sandbox, aiohttp.ClientSession() as session:
        for line in examples(sandbox):
            _, _, body, url = shlex.split(line)
            async with session.post(url, data=body) as answer:
                assert answer.status in {200, 201}, line
        for account in sandbox.accounts:
            assert [row.comment for row in account.responses.values()][-1] == "Great support"
        assert sandbox.segment.faults.pending[0].times == 3
        assert sandbox.delighted.switches.standing == "retired"


async def test_an_introduction_to_some_names_no_other() -> None:
    async with open_sandbox(first_port=0, people=5, only=("heap", "retently")) as sandbox:
        text = "\n".join(introduction(sandbox)).lower()
    assert [name for name in PLATFORMS if name in text] == ["retently", "heap"]


async def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = await command("sandbox", "--first-port", str(port - 1), "--only", "segment")
    assert ended.code == 69
    assert ended.err.startswith(
        f"npsbridge: --first-port={port - 1} cannot be listened on: port {port} (segment): Address already in use"
    )


async def test_people_go_on_answering_and_webhooks_go_where_they_should() -> None:
    wanted = (*FREE, "--only", "Delighted, segment", "--answer-every", "0.1", "--webhooks-to", "http://127.0.0.1:9")
    async with started("sandbox", *wanted) as sandbox:
        origin = (await sandbox.line_with("/__sim/state")).split("/__sim")[0].strip()
        async with aiohttp.ClientSession() as session, session.get(f"{origin}/__sim/state") as answer:
            assert json.loads(await answer.text())["webhook_url"] == "http://127.0.0.1:9/hooks/delighted"


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--only", "delighted,wootric"),
        ("--only", ","),
        ("--webhooks-to", "127.0.0.1:8080"),
        ("--webhooks-to", "http://127.0.0.1:8080/hooks"),
    ],
)
def test_an_option_that_makes_no_sense_is_named(npsbridge: Callable[..., Ended], option: str, text: str) -> None:
    ended = npsbridge("sandbox", *FREE, option, text)
    assert ended.code == 64
    assert option in ended.err


def test_a_look_alike_that_does_not_exist_is_named(npsbridge: Callable[..., Ended]) -> None:
    assert "wootric: no such look-alike" in npsbridge("sandbox", "--only", "delighted,wootric").err


def test_the_ports_are_those_of_the_look_alikes(npsbridge: Callable[..., Ended]) -> None:
    assert f"default: {FIRST_PORT}" in npsbridge("sandbox", "--help").out

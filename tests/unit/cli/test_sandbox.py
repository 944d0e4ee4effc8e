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
from npsbridge.sandbox import DELIGHTED_PORT, SEGMENT_PORT, open_sandbox
from npsbridge.settings import load
from unit.cli.commands import Ended, command, started

FREE = ("--delighted-port", "0", "--segment-port", "0")


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_it_serves_until_it_is_told_to_end_and_ends_with_0(by: signal.Signals) -> None:
    async with started("sandbox", *FREE, "--people", "5") as sandbox:
        await sandbox.line_with("Ctrl-C ends it")
        ended = await sandbox.end(by)
    assert (ended.code, ended.err) == (0, "")


async def test_the_settings_it_prints_are_settings_that_lead_to_it() -> None:
    async with open_sandbox(delighted_port=0, segment_port=0, people=5) as sandbox:
        printed = [line for line in introduction(sandbox) if line.startswith("NPSBRIDGE_")]
        settings = load(settings_classes(), environ=dict(line.split("=", 1) for line in printed))
        assert set(settings.connections) == {"segment", "delighted"}


async def test_the_addresses_it_prints_answer() -> None:
    async with open_sandbox(delighted_port=0, segment_port=0, people=5) as sandbox, aiohttp.ClientSession() as session:
        for line in introduction(sandbox):
            for url in [word for word in line.split() if "/__sim/" in word and "curl" not in line]:
                path = url if url.startswith("http") else sandbox.segment.origin + url
                async with session.get(path) as answer:
                    assert answer.status == 200, path


async def test_the_examples_it_prints_do_what_they_say() -> None:
    async with open_sandbox(delighted_port=0, segment_port=0, people=5) as sandbox, aiohttp.ClientSession() as session:
        for line in examples(sandbox):
            _, _, body, url = shlex.split(line)
            async with session.post(url, data=body) as answer:
                assert answer.status in {200, 201}, line
        assert [row.comment for row in sandbox.delighted.responses.values()][-1] == "Great support"
        assert sandbox.segment.faults.pending[0].times == 3
        assert sandbox.delighted.switches.standing == "retired"


async def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = await command("sandbox", "--delighted-port", "0", "--segment-port", port)
    assert ended.code == 69
    assert ended.err.startswith(f"npsbridge: --segment-port={port} cannot be listened on: Address already in use")


async def test_people_go_on_answering_and_webhooks_go_where_they_should() -> None:
    async with started("sandbox", *FREE, "--answer-every", "0.1", "--webhook-url", "http://127.0.0.1:9/") as sandbox:
        origin = (await sandbox.line_with("/__sim/responses")).split("/__sim")[0].strip()
        async with aiohttp.ClientSession() as session, session.get(f"{origin}/__sim/state") as answer:
            assert json.loads(await answer.text())["webhook_url"] == "http://127.0.0.1:9/"


def test_the_ports_are_those_of_the_look_alikes(npsbridge: Callable[..., Ended]) -> None:
    shown = npsbridge("sandbox", "--help").out
    assert f"default: {DELIGHTED_PORT}" in shown
    assert f"default: {SEGMENT_PORT}" in shown

"""What an operator can set, what is frozen, and what can be asked."""

from typing import Any

import pytest

from npsbridge.core.ports import Finding
from npsbridge.errors import ConfigurationError, NotSent
from npsbridge.metrics import Metrics
from npsbridge.net.client import HttpClient, Reply, open_session
from npsbridge.platforms.heap import EU, US, HeapSettings, check, platform
from npsbridge.sandbox.faults import Fault, empty, html, status
from npsbridge.sandbox.heap import SANDBOX_APP_ID, HeapServer
from npsbridge.settings import describe, load
from unit.platforms.heap.bench import PREFIX, always, reply, wiring

# --- settings ------------------------------------------------------------------------------------------------------


def loaded(**variables: str) -> Any:
    environ = {PREFIX + name: text for name, text in {"APP_ID": "123456789", **variables}.items()}
    return load({"heap": HeapSettings}, environ=environ).connections["heap"].settings


def test_the_defaults_are_those_of_the_contract() -> None:
    settings = loaded()
    assert (settings.app_id, settings.base_url, settings.identity) == ("123456789", US, "user_id")


def test_only_the_app_id_is_needed() -> None:
    with pytest.raises(ConfigurationError, match="NPSBRIDGE_HEAP__APP_ID"):
        load({"heap": HeapSettings}, environ={PREFIX + "IDENTITY": "email"})


@pytest.mark.parametrize("written", [EU, f"{EU}/", f"{EU}/api", f"{EU}/api/"])
def test_the_address_is_found_however_it_is_written(written: str) -> None:
    assert loaded(BASE_URL=written).base_url == EU


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("APP_ID", "12a", "digits"),
        ("APP_ID", "-5", "digits"),
        ("APP_ID", "\u00b2", "digits"),
        ("IDENTITY", "anonymous_id", "IDENTITY"),
        ("BASE_URL", "heapanalytics.com", "https://"),
    ],
)
def test_a_bad_value_is_refused_by_name(name: str, text: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        loaded(**{name: text})
    assert PREFIX + name in str(caught.value)
    assert words in str(caught.value)


def test_every_setting_says_what_it_is_for() -> None:
    documented = {doc.name: doc.meaning for doc in describe({"heap": HeapSettings}) if doc.platform == "heap"}
    assert set(documented) == {PREFIX + name for name in ("APP_ID", "BASE_URL", "IDENTITY")}
    assert EU in documented[PREFIX + "BASE_URL"]


def test_the_platform_is_a_sink_whose_identity_is_frozen() -> None:
    assert (platform.name, platform.source, platform.destination is None) == ("heap", None, False)
    assert platform.frozen(HeapSettings(identity="email")) == {"identity": "email"}


# --- check ---------------------------------------------------------------------------------------------------------


async def verdict(answer: Reply | Exception) -> Finding:
    return (await check(wiring(always(answer))))[0]


async def test_f45_an_address_with_heap_behind_it_is_good_and_nothing_is_written() -> None:
    async with HeapServer() as server, open_session() as session:
        http = HttpClient(session, Metrics(), connection="heap")
        first, *_ = await check(wiring(http, base_url=server.base_url))
        assert (first.is_good, first.text) == (True, "Heap's API answers at NPSBRIDGE_HEAP__BASE_URL")
        assert (list(server.events), dict(server.users)) == ([], {})
        assert [request.status for request in server.requests] == [400]


@pytest.mark.parametrize("fault", [html(), html(400), status(404), status(401), status(301)])
async def test_f45_an_address_without_heap_is_told(fault: Fault) -> None:
    async with HeapServer() as server, open_session() as session:
        server.faults.add(fault)
        http = HttpClient(session, Metrics(), connection="heap")
        first, *_ = await check(wiring(http, base_url=server.base_url))
    assert (first.is_good, "check NPSBRIDGE_HEAP__BASE_URL" in first.text) == (False, True)


async def test_f25_an_api_in_trouble_is_neither_good_nor_wrong() -> None:
    finding = await verdict(reply(503))
    assert (finding.is_good, "503" in finding.text) == (None, True)


async def test_f17_an_address_out_of_reach_is_told() -> None:
    finding = await verdict(NotSent("no connection to heapanalytics.com"))
    assert (finding.subject, finding.is_good, finding.text) == ("heap", False, "no connection to heapanalytics.com")


@pytest.mark.parametrize("answer", [reply(400), reply(404), NotSent("no connection")])
async def test_f45_what_cannot_be_proved_and_what_must_be_off_are_always_said(answer: Reply | Exception) -> None:
    _, app_id, route = await check(wiring(always(answer)))
    assert (app_id.is_good, "NPSBRIDGE_HEAP__APP_ID is right cannot be proved" in app_id.text) == (None, True)
    assert (route.is_good, "counts twice" in route.text) == (None, True)


async def test_i19_no_finding_says_the_app_id() -> None:
    assert all(SANDBOX_APP_ID not in finding.text for finding in await check(wiring(always(reply(400)))))


async def test_an_empty_good_answer_is_an_answer() -> None:
    assert (await verdict(reply(200, empty().body.encode()))).is_good is True

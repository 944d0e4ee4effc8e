"""Whether a write key works, as far as it can be asked."""

from typing import Any

import pytest
from pydantic import SecretStr

from npsbridge.core.ports import Finding
from npsbridge.errors import NotSent
from npsbridge.metrics import Metrics
from npsbridge.net.client import HttpClient, Reply, open_session
from npsbridge.platforms.segment import check
from npsbridge.sandbox import SegmentServer
from unit.platforms.endpoint import KEY, reply, wiring


class Route:
    """A settings route with one answer."""

    def __init__(self, answer: Reply | Exception) -> None:
        self.answer = answer
        self.asked: list[str] = []

    async def request(self, method: str, url: str, **_: Any) -> Reply:
        self.asked.append(f"{method} {url}")
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def verdict(answer: Reply | Exception, **given: Any) -> Finding:
    return (await check(wiring(Route(answer), **given)))[0]


@pytest.mark.parametrize("region", ["us", "eu"])
async def test_segment_itself_is_asked_at_its_own_settings_route(region: str) -> None:
    route = Route(reply(200, b"{}"))
    await check(wiring(route, region=region))
    assert route.asked == [f"GET https://cdn.segment.com/v1/projects/{KEY}/settings"]


async def test_f45_a_known_key_is_good() -> None:
    finding = await verdict(reply(200, b'{"integrations":{}}'))
    assert (finding.subject, finding.is_good) == ("segment", True)
    assert finding.text.startswith("NPSBRIDGE_SEGMENT__WRITE_KEY is known")


@pytest.mark.parametrize("body", [b"", b"404 page not found", b'{"code":"not_found"}'])
async def test_f45_a_key_that_segment_does_not_know_is_wrong(body: bytes) -> None:
    finding = await verdict(reply(404, body))
    assert (finding.is_good, "not known" in finding.text) == (False, True)


@pytest.mark.parametrize(
    "answer", [reply(404, b"404 page not found"), reply(404), reply(401), reply(200, b"<html>"), reply(500)]
)
async def test_f45_of_another_endpoint_without_that_route_nothing_is_known(answer: Reply) -> None:
    finding = await verdict(answer, base_url="https://rudder.example")
    assert (finding.is_good, "cannot be checked" in finding.text) == (None, True)


@pytest.mark.parametrize(("key", "is_good"), [(KEY, True), ("another-key", False)])
async def test_f45_an_endpoint_like_segment_is_asked_at_its_own_address(key: str, *, is_good: bool) -> None:
    async with SegmentServer(write_keys=[KEY]) as server, open_session() as session:
        http = HttpClient(session, Metrics(), connection="segment")
        found = await check(wiring(http, base_url=server.base_url, write_key=SecretStr(key)))
    assert found[0].is_good is is_good


async def test_f17_a_route_out_of_reach_is_told() -> None:
    finding = await verdict(NotSent("no connection to cdn.segment.com"))
    assert (finding.is_good, finding.text) == (False, "no connection to cdn.segment.com")


@pytest.mark.parametrize("answer", [reply(200, b"{}"), reply(404), NotSent("no connection")])
async def test_f45_what_cannot_be_proved_is_always_said(answer: Reply | Exception) -> None:
    *_, last = await check(wiring(Route(answer)))
    assert (last.is_good, "cannot be proved" in last.text) == (None, True)


@pytest.mark.parametrize("answer", [reply(200, b"{}"), reply(404), reply(401, KEY.encode()), NotSent("no connection")])
async def test_i19_no_finding_says_the_key(answer: Reply | Exception) -> None:
    assert all(KEY not in finding.text for finding in await check(wiring(Route(answer))))

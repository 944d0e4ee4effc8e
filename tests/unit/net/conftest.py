"""A client to a look-alike on loopback, and aioresponses made to work with the aiohttp in use."""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from unittest import mock

import aiohttp
import pytest
from aiohttp.client_proto import ResponseHandler
from aioresponses import aioresponses

from npsbridge.metrics import Metrics
from npsbridge.net.client import HttpClient, open_session
from npsbridge.sandbox import SegmentServer


@pytest.fixture
async def server() -> AsyncIterator[SegmentServer]:
    async with SegmentServer() as server:
        yield server


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as session:
        yield session


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def http(session: aiohttp.ClientSession, metrics: Metrics) -> HttpClient:
    return HttpClient(session, metrics, connection="shop")


class _MockedResponse(aiohttp.ClientResponse):
    """aioresponses 0.7.9 does not know of the `stream_writer` that aiohttp 3.14 asks for."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, stream_writer=mock.Mock(output_size=0), **options)


def _roomy_reader(loop: Any = None) -> aiohttp.StreamReader:
    """aioresponses feeds a body in one go; beyond twice the limit the reader would pause a transport it has not."""
    return aiohttp.StreamReader(ResponseHandler(loop=loop), limit=2**26, loop=loop)


@pytest.fixture
def mocked() -> Iterator[aioresponses]:
    with (
        mock.patch("aioresponses.core.ClientResponse", _MockedResponse),
        mock.patch("aioresponses.core.stream_reader_factory", _roomy_reader),
        aioresponses() as mocked,
    ):
        yield mocked

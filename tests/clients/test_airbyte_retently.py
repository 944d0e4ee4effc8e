"""A foreign reader of Retently: Airbyte's runner with a manifest that asks as its `source-retently` does.

The public connector is a manifest too (airbytehq/airbyte, `source-retently`): it sends the page number and nothing
else, so it reads newest first and twenty rows a page. This one asks in the same way.
"""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from clients.conftest import require_or_skip
from clients.test_airbyte import parameter, records, run, written
from npsbridge.sandbox.retently import PastFeedback, RetentlyServer

pytestmark = pytest.mark.clients

START_MS = 1_700_000_000_000


def stream(name: str, path: str, field_path: list[str], *, is_paged: bool = True) -> dict[str, Any]:
    """A list of the API, read by page number until a page is shorter than the server's default."""
    paginator = {
        "type": "DefaultPaginator",
        "pagination_strategy": {"type": "PageIncrement", "page_size": 20, "start_from_page": 1},
        "page_token_option": parameter("page"),
    }
    retriever = {
        "type": "SimpleRetriever",
        "requester": {
            "type": "HttpRequester",
            "url_base": "{{ config['base_url'] }}",
            "path": path,
            "http_method": "GET",
            "authenticator": {
                "type": "ApiKeyAuthenticator",
                "api_token": "api_key={{ config['api_key'] }}",
                "inject_into": {"type": "RequestOption", "inject_into": "header", "field_name": "Authorization"},
            },
        },
        "record_selector": {
            "type": "RecordSelector",
            "extractor": {"type": "DpathExtractor", "field_path": field_path},
        },
        "paginator": paginator if is_paged else {"type": "NoPagination"},
    }
    return {
        "type": "DeclarativeStream",
        "name": name,
        "primary_key": [],
        "schema_loader": {"type": "InlineSchemaLoader", "schema": {"type": "object", "properties": {}}},
        "retriever": retriever,
    }


MANIFEST = {
    "version": "6.0.0",
    "type": "DeclarativeSource",
    "check": {"type": "CheckStream", "stream_names": ["customers"]},
    "spec": {"type": "Spec", "connection_specification": {"type": "object", "additionalProperties": True}},
    "streams": [
        stream("feedback", "/feedback", ["data", "responses"]),
        stream("customers", "/nps/customers", ["data", "subscribers"]),
        stream("outbox", "/nps/outbox", ["data", "surveys"]),
        stream("campaigns", "/campaigns", ["campaigns"], is_paged=False),
        stream("reports", "/reports", ["data"], is_paged=False),
    ],
}


@pytest.fixture
async def account() -> AsyncIterator[RetentlyServer]:
    """45 customers with an answer each, some of them in the same millisecond, and a survey sent to each."""
    require_or_skip("airbyte_cdk")
    async with RetentlyServer() as server:
        server.load(
            PastFeedback(email=f"p{n}@example.org", score=n % 11, created_ms=START_MS + n // 3, comment=f"c {n}")
            for n in range(45)
        )
        for number in range(45):
            server.send(f"p{number}@example.org", at_ms=START_MS + number)
        yield server


async def read(server: RetentlyServer, folder: Path, *names: str) -> list[dict[str, Any]]:
    """The rows of some streams."""
    config = {
        "base_url": server.base_url,
        "api_key": server.api_key,
        "__injected_declarative_manifest": MANIFEST,
    }
    inputs = {"config": config, "catalog": {"streams": [configured(name) for name in names]}}
    output = await run("read", *written(inputs, folder))
    return records([orjson.loads(line) for line in output.splitlines() if line.startswith(b"{")])


def configured(name: str) -> Mapping[str, Any]:
    """A stream as a catalog asks for it."""
    described = {"name": name, "json_schema": {}, "supported_sync_modes": ["full_refresh"]}
    return {"stream": described, "sync_mode": "full_refresh", "destination_sync_mode": "append"}


async def test_every_row_of_feedback_is_listed_once(account: RetentlyServer, tmp_path: Path) -> None:
    rows = await read(account, tmp_path, "feedback")
    assert [row["id"] for row in rows] == list(account.responses)[::-1]
    assert {row["comment"] for row in rows} == {f"c {number}" for number in range(45)}
    assert [request.target for request in account.requests] == [
        "/api/v2/feedback",
        "/api/v2/feedback?page=2",
        "/api/v2/feedback?page=3",
    ]


async def test_the_other_lists_are_read_in_their_own_envelopes(account: RetentlyServer, tmp_path: Path) -> None:
    rows = await read(account, tmp_path, "customers", "outbox", "campaigns", "reports")
    assert {request.status for request in account.requests} == {200}
    assert len(rows) == 45 + 45 + 1 + 1


async def test_a_page_that_is_just_full_costs_an_empty_one(account: RetentlyServer, tmp_path: Path) -> None:
    for response_id in list(account.responses)[:5]:
        account.delete(response_id)
    rows = await read(account, tmp_path, "feedback")
    assert len(rows) == len(account.responses) == 40
    assert account.requests[-1].target == "/api/v2/feedback?page=3"

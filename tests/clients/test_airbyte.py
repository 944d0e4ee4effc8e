"""A reader that was not written for the look-alike: Airbyte's runner of declarative connectors, in its own process."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from clients.conftest import require_or_skip
from npsbridge.sandbox import DelightedServer, PastAnswer

pytestmark = pytest.mark.clients

START = 1_700_000_000
RUNNER = "from airbyte_cdk.cli.source_declarative_manifest import run; run()"
READ_SECONDS = 90


def stream(name: str, path: str, paginator: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A stream of the manifest: one list of the API."""
    retriever = {
        "type": "SimpleRetriever",
        "requester": {
            "type": "HttpRequester",
            "url_base": "{{ config['base_url'] }}",
            "path": path,
            "http_method": "GET",
            "authenticator": {
                "type": "BasicHttpAuthenticator",
                "username": "{{ config['api_key'] }}",
                "password": "",
            },
            "request_parameters": more.pop("parameters", {}),
        },
        "record_selector": {"type": "RecordSelector", "extractor": {"type": "DpathExtractor", "field_path": []}},
        "paginator": {
            "type": "DefaultPaginator",
            "page_size_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "per_page"},
            **paginator,
        },
    }
    schema = {"type": "InlineSchemaLoader", "schema": {"type": "object", "properties": {}}}
    return {
        "type": "DeclarativeStream",
        "name": name,
        "primary_key": ["id"],
        "schema_loader": schema,
        "retriever": retriever,
        **more,
    }


def parameter(name: str) -> dict[str, str]:
    return {"type": "RequestOption", "inject_into": "request_parameter", "field_name": name}


BY_NUMBER = {
    "pagination_strategy": {
        "type": "PageIncrement",
        "page_size": 100,
        "start_from_page": 1,
        "inject_on_first_request": True,
    },
    "page_token_option": parameter("page"),
}
BY_LINK = {
    "pagination_strategy": {
        "type": "CursorPagination",
        "page_size": 100,
        "cursor_value": "{{ headers['link']['next']['url'] }}",
        "stop_condition": "{{ 'next' not in headers['link'] }}",
    },
    "page_token_option": {"type": "RequestPath"},
}
MANIFEST = {
    "version": "6.0.0",
    "type": "DeclarativeSource",
    "check": {"type": "CheckStream", "stream_names": ["people"]},
    "spec": {"type": "Spec", "connection_specification": {"type": "object", "additionalProperties": True}},
    "streams": [
        stream("people", "/people.json", BY_LINK),
        stream(
            "survey_responses",
            "/survey_responses.json",
            BY_NUMBER,
            parameters={"order": "asc:updated_at", "expand[]": "person"},
            incremental_sync={
                "type": "DatetimeBasedCursor",
                "cursor_field": "updated_at",
                "cursor_datetime_formats": ["%s"],
                "datetime_format": "%s",
                "start_datetime": {"type": "MinMaxDatetime", "datetime": str(START), "datetime_format": "%s"},
                "end_datetime": {
                    "type": "MinMaxDatetime",
                    "datetime": "{{ now_utc().strftime('%s') }}",
                    "datetime_format": "%s",
                },
                "start_time_option": parameter("updated_since"),
                "end_time_option": parameter("updated_until"),
            },
        ),
    ],
}


async def read(
    server: DelightedServer, folder: Path, name: str, *, state: Sequence[Any] = ()
) -> list[Mapping[str, Any]]:
    """Run the runner on one stream; returns all its messages."""
    inputs = {
        "config": {
            "base_url": server.base_url,
            "api_key": server.api_key,
            "__injected_declarative_manifest": MANIFEST,
        },
        "catalog": {"streams": [configured(name)]},
        "state": list(state),
    }
    output = await run("read", *written(inputs, folder))
    return [orjson.loads(line) for line in output.splitlines() if line.startswith(b"{")]


def configured(name: str) -> dict[str, Any]:
    """A stream as a catalog asks for it."""
    mode = "incremental" if name == "survey_responses" else "full_refresh"
    described = {"name": name, "json_schema": {}, "supported_sync_modes": [mode]}
    return {"stream": described, "sync_mode": mode, "destination_sync_mode": "append"}


def written(inputs: Mapping[str, object], folder: Path) -> Iterator[str]:
    """Put each input into a file and name it as the runner's option."""
    for option, content in inputs.items():
        file = folder / f"{option}.json"
        file.write_bytes(orjson.dumps(content))
        yield from (f"--{option}", str(file))


async def run(*arguments: str) -> bytes:
    """Run the runner to its end; returns what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", RUNNER, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        output, errors = await asyncio.wait_for(process.communicate(), READ_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode == 0, (output + errors).decode()[-4000:]
    return output


def records(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [message["record"]["data"] for message in messages if message["type"] == "RECORD"]


@pytest.fixture
async def account() -> AsyncIterator[DelightedServer]:
    """250 people with a response each, three a second."""
    require_or_skip("airbyte_cdk")
    async with DelightedServer() as server:
        server.load(
            PastAnswer(
                email=f"p{number}@example.org", score=number % 11, created_at=START + number // 3, comment=f"c {number}"
            )
            for number in range(250)
        )
        yield server


async def test_every_response_is_read_once(account: DelightedServer, tmp_path: Path) -> None:
    rows = records(await read(account, tmp_path, "survey_responses"))
    assert [row["id"] for row in rows] == list(account.responses)
    assert {row["person"]["email"] for row in rows} == {f"p{number}@example.org" for number in range(250)}
    assert [request.status for request in account.requests] == [200] * 3


async def test_the_next_run_reads_what_was_edited_since(account: DelightedServer, tmp_path: Path) -> None:
    messages = await read(account, tmp_path, "survey_responses")
    states = [message["state"] for message in messages if message["type"] == "STATE"]
    edited = next(iter(account.responses))
    account.edit(edited, comment="changed my mind", at=START + 1000)
    rows = records(await read(account, tmp_path, "survey_responses", state=states[-1:]))
    assert rows[-1]["comment"] == "changed my mind"
    # The bound is inclusive, so the last second of the run before comes again.
    assert {row["updated_at"] for row in rows} == {START + 249 // 3, START + 1000}


async def test_everybody_is_read_by_the_link(account: DelightedServer, tmp_path: Path) -> None:
    people = records(await read(account, tmp_path, "people"))
    assert [person["id"] for person in people] == list(account.people)

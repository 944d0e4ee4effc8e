"""The sandbox as a whole: what `npsbridge sandbox` runs."""

import asyncio

import pytest

from npsbridge.sandbox import Sandbox, open_sandbox, serve_sandbox
from unit.sandbox.calling import Caller, basic


async def test_the_settings_it_prints_lead_to_the_look_alikes() -> None:
    async with open_sandbox(delighted_port=0, segment_port=0, people=20) as sandbox:
        settings = dict(line.split("=", 1) for line in sandbox.lines)
        key = settings["NPSBRIDGE_DELIGHTED__API_KEY"]
        async with Caller(settings["NPSBRIDGE_DELIGHTED__BASE_URL"], basic(key)) as caller:
            assert (await caller.get("/metrics.json?since=0")).json["response_count"] == len(sandbox.history.answers)
        async with Caller(settings["NPSBRIDGE_SEGMENT__BASE_URL"]) as caller:
            key = settings["NPSBRIDGE_SEGMENT__WRITE_KEY"]
            assert (await caller.get(f"/v1/projects/{key}/settings")).status == 200


async def serve(started: asyncio.Future[Sandbox], answer_every: float | None = None) -> None:
    await serve_sandbox(
        on_ready=started.set_result, delighted_port=0, segment_port=0, people=20, answer_every=answer_every
    )


async def test_it_serves_until_it_is_cancelled() -> None:
    started: asyncio.Future[Sandbox] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(started))
    sandbox = await asyncio.wait_for(started, 10)
    async with Caller(sandbox.segment.base_url) as caller:
        assert (await caller.get("/__sim/state")).status == 200
    task.cancel()
    await asyncio.wait([task], timeout=10)
    assert task.cancelled()


@pytest.mark.looptime
async def test_people_go_on_answering_if_so_asked() -> None:
    started: asyncio.Future[Sandbox] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(started, answer_every=5))
    sandbox = await asyncio.wait_for(started, 10)
    await asyncio.sleep(100)
    task.cancel()
    assert len(sandbox.delighted.responses) > len(sandbox.history.answers)


async def test_a_taken_port_is_an_os_error() -> None:
    async with open_sandbox(delighted_port=0, segment_port=0, people=0) as sandbox:
        taken = sandbox.segment.port
        with pytest.raises(OSError, match="address already in use"):
            async with open_sandbox(delighted_port=0, segment_port=taken, people=0):
                pass

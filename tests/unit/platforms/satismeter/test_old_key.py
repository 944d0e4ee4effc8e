"""Keys from before v3: the old export stands in, and only for them."""

from datetime import timedelta

import orjson
import pytest

from npsbridge.errors import PersonMustAct, TryLater, UnreadablePage
from npsbridge.sandbox.faults import Answer, GzipBomb, html, status
from npsbridge.sandbox.satismeter.records import SurveyResponse
from unit.platforms.satismeter.driving import DAY, HOUR, MINUTE, Bench, bench, ids, responses
from unit.sandbox.calling import NEW_YEAR

EXPORT = "/api/responses/"


async def test_an_old_key_reads_everything_through_the_export() -> None:
    async with bench(key_generation="old") as project:
        wanted = project.load(400, since=NEW_YEAR - 300 * DAY, every=18 * HOUR)
        assert set(ids(await project.read())) == set(wanted)


async def test_no_more_than_a_month_is_trusted_to_come_whole_and_it_is_sorted() -> None:
    async with bench(key_generation="old") as project:
        project.load(400, since=NEW_YEAR - 300 * DAY, every=18 * HOUR)
        for page in await project.read():
            moments = [response.created_at for response in responses([page])]
            assert moments == sorted(moments, reverse=True)
            assert not moments or moments[0] - moments[-1] <= timedelta(days=30)


async def test_the_export_is_asked_with_both_bounds_and_the_key_as_user_name() -> None:
    async with bench(key_generation="old") as project:
        await project.read()
        exports = [request for request in project.server.requests if request.path == EXPORT]
        assert exports
        assert all("startDate=" in request.target and "endDate=" in request.target for request in exports)
        assert all(request.headers["Authorization"].startswith("Basic ") for request in exports)


async def test_v3_is_asked_once_in_a_run_and_an_idle_round_is_one_request() -> None:
    async with bench(key_generation="old") as project:
        project.load(20)
        source = project.source()
        checkpoint = [page async for page in source.read(None)][-1].checkpoint
        before = project.asked
        project.hands.forward(MINUTE)
        [page] = [page async for page in source.read(checkpoint)]
        assert (project.asked - before, page.checkpoint) == (1, checkpoint)
        assert len([request for request in project.server.requests if request.path != EXPORT]) == 1


async def test_a_late_comment_is_found_through_the_export_as_well() -> None:
    async with bench(key_generation="old") as project:
        number = project.server.answer("ada@example.org", 9)
        checkpoint = await project.caught_up()
        project.hands.forward(20 * DAY)
        project.server.edit(number, comment="Slow")
        assert "Slow" in {response.comment for response in responses(await project.read(checkpoint))}


async def test_i11_a_restart_at_any_slice_loses_nothing() -> None:
    async with bench(key_generation="old") as project:
        wanted = set(project.load(300, since=NEW_YEAR - 200 * DAY, every=16 * HOUR))
        whole = await project.read()
        for number in range(0, len(whole), 3):
            resumed = await project.read(whole[number].checkpoint)
            assert wanted <= {*ids(whole[: number + 1]), *ids(resumed)}


async def test_what_only_waits_for_an_answer_is_none() -> None:
    async with bench(key_generation="old") as project:
        user = project.server.add_person("ada@example.org")
        pending = SurveyResponse(
            id="64aa000000000000000000ff",
            survey=project.server.project.surveys["nps"],
            user=user.id,
            created=NEW_YEAR * 1000,
            is_pending=True,
        )
        project.server.project.responses.write_many([pending])
        number = project.server.answer("bob@example.org", 0)
        assert set(ids(await project.read())) == {number}


async def test_a_stretch_that_is_too_large_is_read_in_halves() -> None:
    async with bench(key_generation="old") as project:
        wanted = project.load(200, since=NEW_YEAR - 20 * DAY, every=2 * HOUR)
        await project.caught_up()
        project.server.faults.add(GzipBomb(decoded_bytes=17 * 2**20), times=2, path=EXPORT)
        pages = await project.read()
        assert set(ids(pages)) == set(wanted)


async def test_a_day_that_is_too_large_is_an_unreadable_page() -> None:
    async with bench(key_generation="old") as project:
        project.server.faults.add(GzipBomb(decoded_bytes=17 * 2**20), times=None, path=EXPORT)
        with pytest.raises(UnreadablePage, match="larger than"):
            await project.read()


async def test_a_key_that_nobody_takes_pauses_with_the_settings_name(project: Bench) -> None:
    project.server.change_switches({"standing": "unauthorized"})
    with pytest.raises(PersonMustAct, match="NPSBRIDGE_SATISMETER__API_KEY"):
        await project.read()
    assert [request.path for request in project.server.requests] == [
        f"/api/v3/projects/{project.server.project_id}/responses",
        EXPORT,
    ]


async def test_an_old_key_that_is_withdrawn_pauses_and_v3_is_asked_first_again() -> None:
    async with bench(key_generation="old") as project:
        source = project.source()
        checkpoint = [page async for page in source.read(None)][-1].checkpoint
        project.server.faults.add(status(401), path=EXPORT)
        with pytest.raises(PersonMustAct, match="API_KEY and NPSBRIDGE_SATISMETER__PROJECT_ID"):
            _ = [page async for page in source.read(checkpoint)]
        project.server.change_switches({"key_generation": "v3"})
        _ = [page async for page in source.read(checkpoint)]
        assert project.server.requests[-1].path.startswith("/api/v3/")


@pytest.mark.parametrize("code", [404, 410])
async def test_an_export_that_is_gone_does_not_retire_the_connection(project: Bench, code: int) -> None:
    project.server.faults.add(status(401), path="/v3/")
    project.server.faults.add(status(code), path=EXPORT)
    with pytest.raises(PersonMustAct, match="HTTP 401"):
        await project.read()


@pytest.mark.parametrize(("fault", "error"), [(status(503), TryLater), (html(), UnreadablePage)])
async def test_trouble_of_the_export_decides_nothing_about_the_key(
    project: Bench, fault: Answer, error: type[Exception]
) -> None:
    wanted = project.load(5)
    project.server.faults.add(status(401), path="/v3/")
    project.server.faults.add(fault, path=EXPORT)
    source = project.source()
    with pytest.raises(error):
        _ = [page async for page in source.read(None)]
    assert set(ids([page async for page in source.read(None)])) == set(wanted)
    assert project.server.requests[-1].path.startswith("/api/v3/")


async def test_a_row_of_the_export_keeps_its_bytes(project: Bench) -> None:
    project.server.change_switches({"key_generation": "old"})
    number = project.server.answer("ada@example.org", 9, comment="Fast")
    [record] = {record for page in await project.read() for record in page.records}
    assert orjson.loads(record)["id"] == number
    assert {"rating", "feedback", "category"} <= set(orjson.loads(record))

"""Whatever a vendor answers: nothing is lost, nobody is hammered, and it goes on by itself when it is over."""

from pathlib import Path

import pytest

from contract.platforms.bench import DAY, HOUR, Bench, bench, somebodys
from contract.platforms.contract import Contract
from end_to_end.harness import dead, until
from npsbridge.sandbox import CutConnection, Fault, ResetAfterReading, Truncated
from npsbridge.sandbox.faults import empty, error_object, html, null, status

UNREADABLE = {"html": html(), "empty": empty(), "null": null(), "error": error_object(), "truncated": Truncated()}
BROKEN = {"cut": CutConnection(), "closed": CutConnection(abrupt=False), "reset": ResetAfterReading()}


async def read_in_spite_of(both: Bench, *numbers: str) -> None:
    """Everything is told within an hour, once."""
    await both.all_told(numbers)
    assert both.submitted() == set(numbers)
    assert all(both.revisions(number) == [1] for number in numbers)


class Trouble(Contract):
    """Refusals, outages, and answers that are none."""

    # --- refusals -------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("code", [401, 403])
    async def test_f23_a_refused_key_pauses_and_names_its_setting_until_it_works_again(
        self, tmp_path: Path, code: int
    ) -> None:
        async with bench(tmp_path, self.account) as both:
            numbers = both.answers(3)
            both.account.server.faults.add(status(code), times=None)
            async with both.daemon() as app:
                await until(lambda: both.last_line(both.pull) == "paused", within=HOUR)
                asked = both.asked()
                await both.passes(6 * HOUR)
                assert both.asked() - asked <= 2 * 6 * 10
                _, health = await both.look(app, "/healthz")
                both.account.server.faults.clear()
                await read_in_spite_of(both, *numbers)
            check = health["checks"][both.pull]
        assert check["status"] == "fail"
        assert f"NPSBRIDGE_{self.account.platform.upper()}__{self.account.key}" in check["reason"]

    async def test_f24_a_service_that_ended_is_asked_no_more(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both:
            numbers = both.answers(3)
            async with both.daemon() as app:
                await both.another_round(app)
                both.account.server.faults.add(status(410), times=None)
                await until(lambda: both.last_line(both.pull) == "retired", within=HOUR)
                asked = both.asked()
                await both.passes(DAY)
                assert both.asked() == asked
            assert both.submitted() == set(numbers)

    async def test_f22_who_asks_to_wait_is_given_the_time(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both:
            numbers = both.answers(self.account.page_size + 2)
            both.account.server.faults.add(status(429, retry_after=47), path=self.account.lists, times=3)
            async with both.daemon():
                await read_in_spite_of(both, *numbers)
            refused = [number for number, request in enumerate(both.account.server.requests) if request.status == 429]
            times = [request.at for request in both.account.server.requests]
        assert all(times[number + 1] - times[number] >= 47 for number in refused)

    async def test_f22_a_storm_of_429_meets_ever_fewer_requests(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both:
            numbers = both.answers(self.account.page_size + 2)
            both.account.server.faults.add(status(429), times=None)
            async with both.daemon():
                await both.passes(2 * HOUR)
                assert both.asked() <= 2 * 60
                assert both.lines(both.pull)[-1] == "retrying"
                both.account.server.faults.clear()
                await read_in_spite_of(both, *numbers)

    # --- outages --------------------------------------------------------------------------------------------------

    async def test_f28_an_hour_of_500_loses_nothing_and_is_two_lines(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both:
            numbers = both.answers(3)
            async with both.daemon() as app:
                await both.another_round(app)
                both.told.clear()
                both.account.server.faults.add(status(500), times=None)
                await both.passes(HOUR / 2)
                numbers.append(both.account.answer(somebodys(70, both.second())))
                await both.passes(HOUR / 2)
                both.account.server.faults.clear()
                await read_in_spite_of(both, *numbers)
            assert both.lines(both.pull) == ["retrying", "connected"]
            assert [line.level for line in both.told] == ["WARNING", "INFO"], "an outage is two lines"

    async def test_f25_a_server_that_fails_every_second_time_is_read_to_the_end(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both:
            numbers = both.answers(self.account.page_size + 7)
            both.account.server.faults.add(status(503), times=None, every=2)
            async with both.daemon():
                await read_in_spite_of(both, *numbers)

    @pytest.mark.parametrize("fault", BROKEN.values(), ids=BROKEN.keys())
    async def test_f20_a_broken_connection_is_repeated_from_where_it_was(self, tmp_path: Path, fault: Fault) -> None:
        async with bench(tmp_path, self.account) as both:
            numbers = both.answers(self.account.page_size + 2)
            both.account.server.faults.add(fault, times=4, every=2, path=self.account.lists)
            async with both.daemon():
                await until(lambda: not both.account.server.faults.pending, within=HOUR)
                await read_in_spite_of(both, *numbers)

    # --- answers that are none ------------------------------------------------------------------------------------

    @pytest.mark.parametrize("fault", UNREADABLE.values(), ids=UNREADABLE.keys())
    async def test_f26_a_page_that_is_none_is_shown_and_asked_for_again(self, tmp_path: Path, fault: Fault) -> None:
        async with bench(tmp_path, self.account) as both:
            numbers = both.answers(self.account.page_size + 2)
            both.account.server.faults.add(fault, times=2, every=2, path=self.account.lists)
            async with both.daemon() as app:
                await until(lambda: not both.account.server.faults.pending, within=HOUR)
                await read_in_spite_of(both, *numbers)
                shelf = await dead(app)
        assert shelf
        assert {(page.kind, bool(page.reason)) for page in shelf} == {("page", True)}

"""A daemon that is killed at any request of its history: what the next one adds is what was missing."""

from contextlib import suppress
from pathlib import Path

from contract.platforms.bench import DAY, Bench, bench
from contract.platforms.contract import Contract
from stores import store_url

MOST_REQUESTS = 60


class Killed(Exception):
    """Ends a daemon at once, as far as that can be done inside of a process."""


async def killed_at(both: Bench, request: int, store: str) -> bool:
    """Run a daemon until its so-many-th request; False when its whole first round needed fewer."""
    server, before = both.account.server, both.asked()
    with suppress(Killed):
        async with both.daemon(STORE_URL=store) as app:
            await server.until(lambda: both.asked() - before >= request or both.last_success(app) > 0, seconds=900)
            is_over = both.last_success(app) > 0
            raise Killed
    return not is_over


class Restarts(Contract):
    """Crashes while the history is read."""

    async def test_i11_f1_killed_at_any_request_of_the_history_nothing_is_lost_or_revised(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account, may_repeat=True) as both:
            size = self.account.page_size
            # So old and so far apart that neither an overlap nor a look back for edits finds what was skipped, but
            # more than a page of them in a month.
            numbers = both.answers(size + 8, ago=120 * DAY, apart=20 * DAY / size)
            for request in range(1, MOST_REQUESTS):
                store, said = store_url(tmp_path, str(request)), len(both.said())
                was_early = await killed_at(both, request, store)
                async with both.daemon(STORE_URL=store) as app:
                    await both.another_round(app)
                ids = {call["messageId"] for call in both.said()[said:]}
                submitted = [call for call in both.said()[said:] if call.get("event") == "Submit Survey"]
                assert {call["properties"]["response_id"] for call in submitted} == set(numbers), request
                assert {call["properties"]["revision"] for call in submitted} == {1}, request
                assert len(ids) == len({call["messageId"] for call in both.said()}), request
                if not was_early:
                    break
            assert request > 2

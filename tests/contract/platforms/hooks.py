"""Webhooks and polls tell of the same answers: each is emitted once, and the newest version wins."""

from collections.abc import Mapping
from pathlib import Path

from contract.platforms.account import Answered
from contract.platforms.bench import HOUR, Bench, bench
from contract.platforms.contract import Contract
from end_to_end.harness import at_rest, until
from npsbridge.app import App
from npsbridge.sandbox.faults import status

SOON = 10.0
"""Seconds in which what a webhook tells is emitted; no poll is needed for it."""


def path(both: Bench, token: str | None) -> str:
    """Where webhooks of the account go, with a token if there is one."""
    return "/".join(part for part in ("/hooks", both.account.platform, token) if part is not None)


async def posted(both: Bench, app: App, letter: tuple[Mapping[str, str], bytes]) -> int:
    """The status of a webhook posted to where it belongs."""
    headers, body = letter
    return await both.hook(app, headers, body, path(both, both.account.token))


def answered(both: Bench) -> str:
    """Somebody answers now, and completes the survey."""
    return both.account.answer(Answered(at=both.second(), score=9, email="ana@example.org", comment="Good"))


class Hooks(Contract):
    """Webhooks, in every order and number."""

    async def test_f32_a_webhook_alone_is_told_at_once_and_the_poll_adds_nothing(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account, POLL_INTERVAL="30m") as both, both.daemon() as app:
            await both.read_whole(app)
            number = answered(both)
            assert await posted(both, app, both.account.webhook(number)) == 200
            await both.all_told([number], within=SOON)
            await both.passes(2 * HOUR)
            assert both.revisions(number) == [1]
            assert both.names()["Completed NPS Survey"] == 1

    async def test_f32_a_webhook_behind_the_poll_says_nothing_new(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both, both.daemon() as app:
            await both.read_whole(app)
            number = answered(both)
            await both.all_told([number])
            said = len(both.said())
            assert await posted(both, app, both.account.webhook(number)) == 200
            await both.another_round(app)
            assert len(both.said()) == max(said, 4)

    async def test_f32_the_same_webhook_five_times_is_told_once(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both, both.daemon() as app:
            await both.read_whole(app)
            number = answered(both)
            letter = both.account.webhook(number)
            assert [await posted(both, app, letter) for _ in range(5)] == [200] * 5
            await both.another_round(app)
            assert both.revisions(number) == [1]

    async def test_f32_an_older_version_behind_a_newer_one_changes_nothing(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both, both.daemon() as app:
            await both.read_whole(app)
            number = answered(both)
            older = both.account.webhook(number)
            await both.passes(3)
            both.account.edit(number, score=2, comment="Bad after all")
            assert await posted(both, app, both.account.webhook(number)) == 200
            await both.all_told([number])
            assert await posted(both, app, older) == 200
            await both.another_round(app)
            assert both.revisions(number) == [1]
            assert both.comment(number) == "Bad after all"

    async def test_f32_an_edit_that_a_webhook_tells_of_is_a_revision(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account, POLL_INTERVAL="30m") as both, both.daemon() as app:
            await both.read_whole(app)
            number = answered(both)
            await posted(both, app, both.account.webhook(number))
            await both.all_told([number], within=SOON)
            both.account.edit(number, comment="Good, and cheap")
            await both.passes(3)
            assert await posted(both, app, both.account.webhook(number)) == 200
            await until(lambda: both.revisions(number) == [1, 2], within=SOON)
            assert both.comment(number) == "Good, and cheap"

    async def test_f32_who_cannot_prove_to_be_the_vendor_is_refused_and_causes_no_request(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account, POLL_INTERVAL="30m") as both, both.daemon() as app:
            await both.read_whole(app)
            number = answered(both)
            headers, body = both.account.webhook(number)
            asked = both.asked()
            wrong = {name: value.swapcase() + "0" for name, value in headers.items()}
            codes = [
                await both.hook(app, {}, body, path(both, None)),
                await both.hook(app, wrong, body, path(both, "not-the-token" if both.account.token else None)),
                await both.hook(app, headers, body, "/hooks/nobody"),
                await both.hook(app, headers, body, f"/hooks/nobody/{both.account.token or 'x'}"),
            ]
            await both.passes(60)
            refused = 404 if both.account.token else 401
            assert codes == [refused, refused, 404, 404]
            assert both.asked() == asked
            assert number not in both.submitted()

    async def test_f37_a_webhook_that_is_no_json_is_refused_and_does_no_harm(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both, both.daemon() as app:
            await both.read_whole(app)
            codes = [
                await both.hook(app, {}, body, path(both, both.account.token)) for body in (b"", b"{", b"[" * 9999)
            ]
            number = answered(both)
            await posted(both, app, both.account.webhook(number))
            await both.all_told([number], within=SOON)
        assert set(codes) == {400 if both.account.token else 401}

    async def test_i1_what_a_webhook_told_during_an_outage_survives_a_restart_without_polling(
        self, tmp_path: Path
    ) -> None:
        async with bench(tmp_path, self.account, PULL="false") as both:
            async with both.daemon() as app:
                number = answered(both)
                both.account.server.faults.add(status(503), times=None)
                assert await posted(both, app, both.account.webhook(number)) == 200
                await both.passes(30)
            both.account.server.faults.clear()
            async with both.daemon() as app:
                await both.all_told([number], within=HOUR)
                await until(lambda: at_rest(app))
            assert both.revisions(number) == [1]

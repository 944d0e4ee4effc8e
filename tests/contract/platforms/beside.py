"""Two accounts of one platform beside each other: nothing of one is ever taken for the other's."""

from pathlib import Path

from contract.platforms.account import Account, Answered
from contract.platforms.bench import HOUR, Bench, bench, opened, prefixed
from contract.platforms.contract import Contract
from end_to_end.harness import Call, until

SECOND = "b"
"""The name of the further connection."""


def of_second(account: Account) -> dict[str, str]:
    """The settings of the further account."""
    own = {"PLATFORM": account.platform, "RATE_LIMIT": "0", **account.settings()}
    return prefixed(f"connections__{SECOND}", own)


def submissions(both: Bench, connection: str) -> list[Call]:
    """Every `Submit Survey` of a connection."""
    tracks = both.segment.tracks("Submit Survey")
    return [track for track in tracks if track["properties"]["connection"] == connection]


class Beside(Contract):
    """Several accounts."""

    async def test_i12_equal_ids_of_two_accounts_are_two_responses(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both, opened(self.account, both.time) as second:
            first_number = both.account.answer(Answered(at=both.second() - HOUR, score=9, email="ana@example.org"))
            second_number = second.answer(Answered(at=both.second() - HOUR, score=2, email="ben@example.org"))
            assert first_number == second_number
            async with both.daemon(**of_second(second)) as app:
                await until(lambda: len(both.segment.tracks("Submit Survey")) == 2)
                await both.another_round(app)
            [first_told], [second_told] = submissions(both, self.account.platform), submissions(both, SECOND)
        assert (first_told["properties"]["score"], second_told["properties"]["score"]) == (9, 2)
        assert first_told["messageId"] != second_told["messageId"]

    async def test_each_account_goes_on_from_a_checkpoint_of_its_own(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both, opened(self.account, both.time) as second:
            both.answers(3)
            second.answer(Answered(at=both.second() - 2 * HOUR, score=9, email="ben@example.org"))
            async with both.daemon(**of_second(second)) as app:
                await until(lambda: len(both.segment.tracks("Submit Survey")) == 4)
                await both.another_round(app)
                names = (self.account.platform, SECOND)
                checkpoints = [await app.store.checkpoint(name) for name in names]
        assert None not in checkpoints
        assert checkpoints[0] != checkpoints[1]

    async def test_i6_an_account_that_is_refused_does_not_hold_up_the_other(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both, opened(self.account, both.time) as second:
            numbers = both.answers(3)
            keyless = {**of_second(second), **prefixed(f"connections__{SECOND}", {self.account.key: "a-wrong-key"})}
            async with both.daemon(**keyless) as app:
                await both.all_told(numbers)
                await both.another_round(app)
                assert both.last_line(f"{SECOND}:pull") == "paused"
                _, health = await both.look(app, "/healthz")
            reason = health["checks"][f"{SECOND}:pull"]["reason"]
        assert f"NPSBRIDGE_CONNECTIONS__B__{self.account.key}" in reason

    async def test_a_webhook_reaches_the_account_it_is_meant_for(self, tmp_path: Path) -> None:
        async with (
            bench(tmp_path, self.account, POLL_INTERVAL="30m") as both,
            opened(self.account, both.time) as second,
            both.daemon(**of_second(second)) as app,
        ):
            await both.read_whole(app)
            number = second.answer(Answered(at=both.second(), score=4, email="ben@example.org", comment="So so"))
            headers, body = second.webhook(number)
            path = "/".join(part for part in ("/hooks", SECOND, second.token) if part is not None)
            assert await both.hook(app, headers, body, path) == 200
            await until(lambda: len(submissions(both, SECOND)) == 1, within=10.0)
            assert not submissions(both, self.account.platform)

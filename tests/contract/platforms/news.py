"""What happens after the history: new answers, edits, late comers, and answers that say next to nothing."""

from pathlib import Path

from contract.platforms.account import Answered
from contract.platforms.bench import DAY, HOUR, Bench, bench, somebodys
from contract.platforms.contract import Contract
from end_to_end.harness import until

SLACK = 10.0
"""Seconds for what is no waiting for the next poll."""


def poll_interval(both: Bench) -> float:
    """Seconds between two rounds."""
    settings = both.settings().connections[both.account.platform].settings
    return float(getattr(settings, "poll_interval", 0))


class News(Contract):
    """Follow, edit, late visibility, empty fields."""

    async def test_a_new_answer_is_told_within_two_poll_intervals(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both:
            both.answers(3)
            async with both.daemon() as app:
                await both.another_round(app)
                number = both.account.answer(Answered(at=both.second(), score=0, email="ana@example.org"))
                await both.all_told([number], within=2 * poll_interval(both) + SLACK)
                await both.another_round(app)
            assert both.revisions(number) == [1]
            assert both.submission(number)["properties"]["score"] == 0

    async def test_an_edit_is_one_more_revision_and_the_traits_follow(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both:
            number = both.account.answer(
                Answered(at=both.second() - HOUR, score=9, email="a@example.org", comment="Good")
            )
            async with both.daemon() as app:
                await both.another_round(app)
                said = len(both.said())
                both.account.edit(number, score=2, comment="Not so good")
                await until(lambda: both.revisions(number) == [1, 2], within=2 * HOUR, look_every=5.0)
                await both.passes(2 * HOUR)
            new = both.said()[said:]
        assert [call.get("event", call["type"]) for call in new] == ["identify", "Submit Survey"]
        assert new[0]["traits"]["NPS_rating"] == 2
        assert new[0]["traits"]["NPS_comment"] == "Not so good"
        assert new[1]["properties"]["category"] == "detractor"

    async def test_a_comment_that_comes_later_completes_the_survey_once(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both:
            number = both.account.answer(Answered(at=both.second() - HOUR, score=8, email="a@example.org"))
            async with both.daemon() as app:
                await both.another_round(app)
                both.account.edit(number, comment="Here is why")
                await until(lambda: both.revisions(number) == [1, 2], within=2 * HOUR, look_every=5.0)
                both.account.edit(number, comment="Here is why, in other words")
                await until(lambda: both.revisions(number) == [1, 2, 3], within=2 * HOUR, look_every=5.0)
                await both.another_round(app)
        names = both.names()
        assert (names["Answered NPS Survey"], names["Completed NPS Survey"]) == (1, 1)

    async def test_an_edit_that_is_taken_back_is_a_revision_as_well(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both:
            number = both.account.answer(Answered(at=both.second() - HOUR, score=9, email="a@example.org"))
            async with both.daemon() as app:
                await both.another_round(app)
                both.account.edit(number, score=1)
                await until(lambda: both.revisions(number) == [1, 2], within=2 * HOUR, look_every=5.0)
                both.account.edit(number, score=9)
                await until(lambda: both.revisions(number) == [1, 2, 3], within=2 * HOUR, look_every=5.0)
            ratings = [call["traits"]["NPS_rating"] for call in both.identifications()]
        assert ratings == [9, 1, 9]

    async def test_f31_an_edit_20_days_after_the_answer_is_found(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account, POLL_INTERVAL="30m") as both:
            old = both.account.answer(Answered(at=both.second() - 20 * DAY, email="a@example.org"))
            both.answers(3)
            async with both.daemon() as app:
                await both.another_round(app)
                both.account.edit(old, score=3, comment="After twenty days")
                await until(lambda: both.revisions(old) == [1, 2], within=DAY + 3 * HOUR, look_every=60.0)
            assert both.comment(old) == "After twenty days"

    async def test_i13_f31_an_answer_that_becomes_visible_late_is_told(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both:
            both.answers(3)
            async with both.daemon() as app:
                await both.another_round(app)
                answered_at = both.second()
                await both.passes(200)
                first = both.account.answer(somebodys(50, both.second()))
                await both.all_told([first])
                late = both.account.answer(somebodys(51, answered_at))
                await both.all_told([late], within=2 * poll_interval(both) + SLACK)
                await both.another_round(app)
            assert both.revisions(late) == [1]

    async def test_i14_an_older_answer_that_arrives_later_leaves_the_traits_alone(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both:
            both.answers(1)
            async with both.daemon() as app:
                await both.another_round(app)
                newer_at = both.second()
                newer = both.account.answer(Answered(at=newer_at, score=10, email="ana@example.org"))
                await both.all_told([newer])
                older = both.account.answer(Answered(at=newer_at - 50, score=1, email="ana@example.org"))
                await both.all_told([older])
                await both.another_round(app)
            ratings = [
                call["traits"]["NPS_rating"]
                for call in both.identifications()
                if call["context"]["traits"].get("email") == "ana@example.org"
            ]
        assert ratings == [10]

    async def test_f33_an_answer_of_nobody_is_told_with_nulls(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both:
            number = both.account.answer(Answered(at=both.second() - HOUR, score=7))
            async with both.daemon() as app:
                await both.another_round(app)
            call = both.submission(number)
        assert call["properties"]["comment"] is None
        assert call["anonymousId"]
        assert "userId" not in call
        assert "email" not in call["context"].get("traits", {})

"""The history is read whole, each answer of it told once, whatever happens to the list meanwhile."""

from datetime import UTC, datetime
from pathlib import Path

from contract.platforms.bench import DAY, HOUR, bench, somebodys
from contract.platforms.contract import Contract
from end_to_end.harness import Call, until
from npsbridge.core.times import iso_utc

LONG_AGO = 90 * DAY


def instant(at: float) -> str:
    """As it is told."""
    return iso_utc(datetime.fromtimestamp(at, UTC))


def what_was_said(call: Call) -> dict[str, object]:
    """As much of a `Submit Survey` as is known of every answer."""
    fields = ("score", "comment", "created_at", "platform", "connection", "response_id", "revision", "survey_type")
    return {name: call["properties"][name] for name in fields}


class History(Contract):
    """Backfill."""

    async def test_i13_every_answer_of_the_history_is_told_as_it_was_given(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both:
            given = [somebodys(number, both.second() - 40 * DAY + number * 3 * DAY) for number in range(12)]
            numbers = [both.account.answer(answered) for answered in given]
            async with both.daemon() as app:
                await both.read_whole(app)
            told = [both.submission(number) for number in numbers]
            emails = [call["context"]["traits"]["email"] for call in told]
        own = {"platform": self.account.platform, "connection": self.account.platform, "revision": 1}
        assert [what_was_said(call) for call in told] == [
            {
                "score": answered.score,
                "comment": answered.comment,
                "created_at": instant(answered.at),
                "response_id": number,
                "survey_type": "nps",
                **own,
            }
            for number, answered in zip(numbers, given, strict=True)
        ]
        assert [call["timestamp"] for call in told] == [instant(answered.at) for answered in given]
        assert emails == [answered.email for answered in given]

    async def test_the_state_goes_from_waiting_over_the_history_to_connected(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both:
            both.answers(3)
            async with both.daemon() as app:
                await both.another_round(app)
            assert both.lines(both.pull) == ["waiting_for_data", "backfilling", "connected"]

    async def test_without_backfill_only_what_comes_later_is_told(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account, BACKFILL="false") as both:
            both.answers(self.account.page_size + 2, apart=0)
            both.answers(2, ago=0, apart=0)
            async with both.daemon() as app:
                await both.read_whole(app)
                await both.passes(5)
                later = both.account.answer(somebodys(99, both.second()))
                await both.another_round(app)
            assert both.submitted() == {later}

    async def test_backfill_since_is_where_the_history_begins(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both:
            begin = both.second() - 10 * DAY
            before = [both.account.answer(somebodys(number, begin - 3 * DAY - number)) for number in range(8)]
            after = [both.account.answer(somebodys(9 + number, begin + number * HOUR)) for number in range(8)]
            async with both.daemon(**both.own(BACKFILL_SINCE=instant(begin))) as app:
                await both.another_round(app)
            assert both.submitted() == set(after)
            assert not both.submitted() & set(before)

    async def test_i13_f30_more_answers_of_one_second_than_a_page_holds_are_all_told(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both:
            numbers = both.answers(2 * self.account.page_size + 3, ago=LONG_AGO, apart=0)
            async with both.daemon() as app:
                await both.read_whole(app)
            assert both.submitted() == set(numbers)

    # --- the list changes while it is read ------------------------------------------------------------------------

    async def test_i13_f30_answers_that_come_while_the_history_is_read_are_told(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both:
            count = self.account.page_size * 2
            numbers = both.answers(count)

            def one_more(request: int) -> None:
                if request <= 12:
                    numbers.append(both.account.answer(somebodys(500 + request, both.second() - 5)))

            both.meanwhile(one_more)
            async with both.daemon() as app:
                await until(lambda: len(numbers) == count + 12, within=HOUR)
                await both.another_round(app)
            assert both.submitted() == set(numbers)

    async def test_i13_f30_answers_that_vanish_while_the_history_is_read_hide_no_others(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both:
            count = self.account.page_size * 4
            # So old and so far apart that neither an overlap nor a look back for edits finds what was skipped.
            numbers = both.answers(count, ago=LONG_AGO, apart=60 * DAY / count)
            # From the first page, which moves all that follow; some of them were told, some were not.
            doomed, vanished = numbers[1 : self.account.page_size : max(1, self.account.page_size // 4)], set[str]()

            def one_less(request: int) -> None:
                if request > 1 and doomed:
                    vanished.add(doomed[-1])
                    both.account.remove(doomed.pop())

            both.meanwhile(one_less)
            async with both.daemon() as app:
                await both.another_round(app)
            assert vanished
            assert set(numbers) - vanished <= both.submitted()

    async def test_i13_f30_answers_edited_while_the_history_is_read_end_as_they_are(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both:
            numbers = both.answers(self.account.page_size * 2)
            expected = {number: f"Edited to {number}" for number in numbers[:: max(1, self.account.page_size // 2)]}
            waiting = list(expected)

            def one_other(request: int) -> None:
                if request > 1 and waiting:
                    number = waiting.pop()
                    both.account.edit(number, comment=expected[number])

            both.meanwhile(one_other)
            async with both.daemon() as app:
                await both.read_whole(app)
                await until(lambda: both.comments(expected) == expected, within=2 * HOUR, look_every=60.0)
            assert set(numbers) == both.submitted()

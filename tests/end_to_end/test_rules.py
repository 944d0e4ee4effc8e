"""The operator's wishes (EVENTS__*, SEGMENT__*) as Segment sees them."""

from pathlib import Path

import pytest

from end_to_end.harness import TWO_ROUNDS, at_rest, name_of, until, world
from npsbridge.app import App
from npsbridge.sandbox import PastAnswer

pytestmark = pytest.mark.looptime

GOOD = PastAnswer(email="ana@example.org", score=9, comment="Good", created_at=1_772_323_200)


async def has_arrived(app: App) -> bool:
    """Whether an answer is in the journal."""
    return (await app.store.ledger()).accepted == 1


@pytest.mark.parametrize(
    ("on_update", "expected"),
    [("emit", ["identify", "Submit Survey"]), ("traits", ["identify"]), ("ignore", [])],
)
async def test_an_edit_is_told_as_the_operator_wishes(tmp_path: Path, on_update: str, expected: list[str]) -> None:
    async with world(tmp_path, EVENTS__ON_UPDATE=on_update) as both:
        [number] = both.delighted.load([GOOD])
        async with both.daemon() as app:
            await until(lambda: len(both.said()) == 4)
            both.delighted.edit(number, score=3)
            await both.another_round(app)
        assert [name_of(call) for call in both.said()][4:] == expected


async def test_only_the_events_that_are_wanted_are_told_and_traits_always(tmp_path: Path) -> None:
    async with world(tmp_path, EVENTS__NAMES='["Completed NPS Survey"]') as both:
        both.delighted.load([GOOD])
        async with both.daemon() as app:
            await both.another_round(app)
        assert [name_of(call) for call in both.said()] == ["identify", "Completed NPS Survey"]


async def test_delighteds_own_vocabulary_can_be_spoken_beside_ours(tmp_path: Path) -> None:
    async with world(tmp_path, EVENTS__ALSO='["delighted_source"]') as both:
        both.delighted.load([GOOD])
        async with both.daemon() as app:
            await both.another_round(app)
        assert both.names()["Survey Question Answered"] == 1
        assert len(both.said()) == 5


async def test_what_is_for_integrations_is_copied_to_every_call(tmp_path: Path) -> None:
    async with world(tmp_path, SEGMENT__INTEGRATIONS='{"All": false, "Amplitude": true}') as both:
        both.delighted.load([GOOD])
        async with both.daemon():
            await until(lambda: len(both.said()) == 4)
        assert [call["integrations"] for call in both.said()] == [{"All": False, "Amplitude": True}] * 4


async def test_an_answer_without_comment_waits_for_one_and_is_told_whole(tmp_path: Path) -> None:
    async with world(tmp_path, EVENTS__SETTLE="10m") as both, both.daemon() as app:
        await both.history_read()
        number = both.delighted.answer(both.delighted.add_person("ana@example.org"), 9)
        await until(lambda: has_arrived(app), within=TWO_ROUNDS)
        assert both.said() == []
        both.delighted.edit(number, comment="Here it is")
        await until(lambda: both.revisions(number) == [1], within=130)
        await both.another_round(app)
        assert set(both.names().values()) == {1}
        assert both.said_of(number)[0]["properties"]["comment"] == "Here it is"


async def test_an_answer_without_comment_is_told_alone_when_the_time_is_over(tmp_path: Path) -> None:
    async with world(tmp_path, EVENTS__SETTLE="10m") as both, both.daemon() as app:
        await both.history_read()
        number = both.delighted.answer(both.delighted.add_person("ana@example.org"), 9)
        answered_at = both.second()
        await until(lambda: both.revisions(number) == [1], within=700)
        assert 600 <= both.second() - answered_at <= 602
        assert await at_rest(app)


async def test_an_answer_that_waits_survives_a_restart(tmp_path: Path) -> None:
    async with world(tmp_path, EVENTS__SETTLE="10m") as both:
        async with both.daemon() as app:
            await both.history_read()
            number = both.delighted.answer(both.delighted.add_person("ana@example.org"), 9)
            await until(lambda: has_arrived(app), within=TWO_ROUNDS)
        async with both.daemon():
            await until(lambda: both.revisions(number) == [1], within=700)


async def test_i15_a_comment_of_any_length_arrives_within_segments_limit(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.segment.change_switches({"mode": "strict"})
        comment = 'äöü 🎉 \\ " ' * 6000
        both.delighted.load([PastAnswer(email="ana@example.org", score=1, comment=comment, created_at=1_772_323_200)])
        async with both.daemon():
            await until(lambda: len(both.said()) == 4)
        submitted = both.segment.tracks("Submit Survey")[0]["properties"]
    assert submitted["comment_truncated"] is True
    assert comment.startswith(submitted["comment"])
    assert len(submitted["comment"]) > 10_000


async def test_without_a_sink_nothing_is_read_and_hooks_are_not_taken(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        number = both.delighted.answer(both.delighted.add_person("ana@example.org"), 9)
        headers, body = both.delighted.signed_webhook("survey_response.created", number)
        async with both.daemon(SEGMENT__WRITE_KEY=None, SEGMENT__BASE_URL=None, SEGMENT__RATE_LIMIT=None) as app:
            assert await both.hook(app, headers, body) == 404
        assert len(both.delighted.requests) == 0
        assert [line.message for line in both.told if "NPSBRIDGE_SEGMENT__WRITE_KEY" in line.message]
        async with both.daemon():
            await until(lambda: both.revisions(number) == [1])

"""The first start: history at Delighted becomes calls at Segment, by contract §6, once and for all."""

from collections import Counter
from pathlib import Path

import pytest

from end_to_end.harness import Call, World, name_of, until, world
from npsbridge.sandbox import PastAnswer
from stores import store_url

pytestmark = pytest.mark.looptime

ANSWERED = 1_772_323_200  # 2026-03-01T00:00:00Z
HISTORY = [
    PastAnswer(
        email=f"person{number}@example.org",
        score=number % 11,
        comment=f"comment {number}" if number % 2 else None,
        created_at=ANSWERED + number,
    )
    for number in range(250)
]


async def first_call_of(both: World, kind: str) -> Call:
    """Start a daemon, wait for the first call of a kind, stop it."""
    async with both.daemon():
        await until(lambda: both.names()[kind] == 1)
    return next(call for call in both.said() if name_of(call) == kind)


async def test_an_answer_is_submitted_with_everything_that_is_known_of_it(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.load(
            [
                PastAnswer(
                    email="Ana@Example.org",
                    score=0,
                    comment="Slow",
                    created_at=ANSWERED,
                    updated_at=ANSWERED + 3600,
                    person_properties={"plan": "team", "Delighted Source": "Email"},
                    tags=("billing",),
                )
            ]
        )
        [row] = both.delighted.responses.values()
        submitted = await first_call_of(both, "Submit Survey")
    assert submitted.pop("messageId").startswith("nps-")
    assert submitted.pop("context")["traits"] == {"email": "ana@example.org"}
    assert (
        submitted.pop("properties").items()
        >= {
            "score": 0,
            "comment": "Slow",
            "created_at": "2026-03-01T00:00:00.000Z",
            "updated_at": "2026-03-01T01:00:00.000Z",
            "survey_type": "nps",
            "category": "detractor",
            "platform": "delighted",
            "connection": "delighted",
            "response_id": row.id,
            "revision": 1,
        }.items()
    )
    assert submitted == {
        "type": "track",
        "event": "Submit Survey",
        "anonymousId": "c18f975b-349a-5f9b-8fec-f3c18eb9406d",
        "timestamp": "2026-03-01T00:00:00.000Z",
    }


async def test_an_answer_sets_the_traits_of_its_person_and_does_not_touch_last_seen(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.load([PastAnswer(email="ana@example.org", score=9, created_at=ANSWERED)])
        identify = await first_call_of(both, "identify")
    assert identify["traits"] == {"NPS_rating": 9, "NPS_comment": None, "NPS_date": "2026-03-01T00:00:00.000Z"}
    assert identify["context"]["active"] is False
    assert identify["context"]["library"]["name"] == "npsbridge"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            PastAnswer(email="a@example.org", score=9, comment="Good", created_at=ANSWERED),
            ["identify", "Submit Survey", "Answered NPS Survey", "Completed NPS Survey"],
        ),
        (
            PastAnswer(email="a@example.org", score=9, created_at=ANSWERED),
            ["identify", "Submit Survey", "Answered NPS Survey"],
        ),
        (PastAnswer(email=None, score=9, created_at=ANSWERED), ["Submit Survey", "Answered NPS Survey"]),
        (
            PastAnswer(email="a@example.org", score=3, comment="Meh", created_at=ANSWERED, survey_type="csat"),
            ["Submit Survey"],
        ),
    ],
    ids=["score and comment", "score alone", "anonymous", "no NPS"],
)
async def test_what_is_said_depends_on_what_was_answered(
    tmp_path: Path, answer: PastAnswer, expected: list[str]
) -> None:
    async with world(tmp_path) as both:
        both.delighted.load([answer])
        async with both.daemon():
            await until(lambda: len(both.said()) == len(expected))
        assert [name_of(call) for call in both.said()] == expected


async def test_the_first_start_tells_all_of_history_exactly_once(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.load(HISTORY)
        async with both.daemon() as app:
            await until(lambda: len(both.segment.events) == 250 * 3 + 125)
            await until(lambda: both.last_line("delighted:pull") == "connected")
            ledger = await app.store.ledger()
        assert both.names() == {
            "identify": 250,
            "Submit Survey": 250,
            "Answered NPS Survey": 250,
            "Completed NPS Survey": 125,
        }
    assert (ledger.accepted, ledger.delivered) == (875, 875)
    assert {line["properties"]["comment"] for line in both.segment.tracks("Completed NPS Survey")} == {
        answer.comment for answer in HISTORY if answer.comment
    }


async def test_a_restart_tells_nothing_again(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.load(HISTORY)
        async with both.daemon():
            await until(lambda: len(both.segment.events) == 875)
        sent = len(both.said())
        async with both.daemon() as app:
            await until(lambda: both.lines("delighted:pull")[-2:] == ["connected"] * 2)
            await both.another_round(app)
        assert len(both.said()) == sent


async def test_two_fresh_installs_say_the_same_under_the_same_message_ids(tmp_path: Path) -> None:
    ids = []
    async with world(tmp_path) as both:
        both.delighted.load(HISTORY[:40])
        for name in ("one", "two"):
            both.segment.forget()
            async with both.daemon(STORE_URL=store_url(tmp_path, name)):
                await until(lambda: len(both.segment.events) == 140)
            ids.append(set(both.segment.message_ids))
    assert ids[0] == ids[1]
    assert len(ids[0]) == 140


async def test_the_newest_answer_wins_the_traits_whatever_order_they_come_in(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        person = both.delighted.add_person("ana@example.org")
        for moment, score in [(3000, 10), (1000, 2), (2000, 5)]:
            both.delighted.answer(person, score, created_at=ANSWERED + moment)
        async with both.daemon():
            await until(lambda: both.names()["Submit Survey"] == 3)
            late = both.delighted.answer(person, 1, created_at=ANSWERED + 500, updated_at=both.second())
            await until(lambda: both.revisions(late) == [1], within=300)
        ratings = [call["traits"]["NPS_rating"] for call in both.said() if call["type"] == "identify"]
    assert ratings[-1] == 10
    assert 1 not in ratings


async def test_people_keep_the_id_that_came_back_with_their_answer(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        known = {"segment_user_id": "user-7"}
        both.delighted.load([PastAnswer(email="a@example.org", score=8, created_at=ANSWERED, person_properties=known)])
        identify = await first_call_of(both, "identify")
    assert identify["userId"] == "user-7"
    assert "anonymousId" not in identify


async def test_the_email_names_a_person_only_where_that_is_allowed(tmp_path: Path) -> None:
    async with world(tmp_path, IDENTITY__ALLOW_EMAIL_USER_ID="true") as both:
        both.delighted.load([PastAnswer(email="Ana@example.org", score=8, created_at=ANSWERED)])
        identify = await first_call_of(both, "identify")
    assert identify["userId"] == "ana@example.org"


async def test_history_can_be_left_alone(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        old = both.delighted.load(HISTORY[:30])
        async with both.daemon(DELIGHTED__BACKFILL="false") as app:
            await until(lambda: len(both.delighted.requests) > 3)
            new = both.delighted.answer(both.delighted.add_person("new@example.org"), 10)
            await until(lambda: both.revisions(new) == [1], within=300)
            assert await both.state(app, "delighted:pull") == "connected"
        assert both.names()["Submit Survey"] == 1
        assert new not in old


async def test_history_can_begin_at_a_day(tmp_path: Path) -> None:
    answers = [
        PastAnswer(email=f"p{day}@example.org", score=5, created_at=ANSWERED + day * 86_400) for day in range(10)
    ]
    async with world(tmp_path) as both:
        ids = both.delighted.load(answers)
        async with both.daemon(DELIGHTED__BACKFILL_SINCE="2026-03-05") as app:
            await until(lambda: both.last_line("delighted:pull") == "connected")
            await until(lambda: both.names()["Submit Survey"] == 6)
            await both.another_round(app)
        told = [call["properties"]["response_id"] for call in both.said() if name_of(call) == "Submit Survey"]
    assert Counter(told) == Counter(ids[4:])


async def test_the_backfill_shows_how_far_it_has_come(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.load(HISTORY)
        async with both.daemon(DELIGHTED__RATE_LIMIT="1") as app:
            await until(lambda: both.last_line("delighted:pull") == "backfilling")
            await until(lambda: len(both.delighted.requests) >= 3, within=300)
            _, health = await both.look(app, "/healthz")
            check = health["checks"]["delighted:pull"]
            await until(lambda: both.last_line("delighted:pull") == "connected", within=1200)
    assert check["state"] == "backfilling"
    assert 0 < check["progress"] < 1

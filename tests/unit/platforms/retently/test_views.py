"""Which surveys were opened, from the outbox; and that answers never wait for it."""

from collections.abc import Iterator

import pytest
from loguru import logger

from npsbridge.errors import UnreadablePage
from npsbridge.sandbox.faults import html, status
from unit.platforms.retently.bench import DAY, NOW_MS, Bench, read, read_until_trouble

HOUR = 3600


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    told: list[str] = []
    number = logger.add(lambda message: told.append(message.record["message"]), level="WARNING")
    yield told
    logger.remove(number)


def send(bench: Bench, name: str, *, days: float = 0, opened: bool = True) -> str:
    sent_ms = NOW_MS - int(days * DAY * 1000)
    return bench.server.send(f"{name}@example.org", at_ms=sent_ms, opened_ms=sent_ms + 60_000 if opened else None)


async def test_only_opened_surveys_are_news(bench: Bench) -> None:
    send(bench, "ana")
    send(bench, "ben", opened=False)
    assert set((await read(bench.source(reads_outbox=True))).opened) == {"ana@example.org"}


async def test_the_history_of_the_outbox_is_read_too(bench: Bench) -> None:
    for days in (400, 200, 2):
        send(bench, f"p{days}", days=days)
    found = (await read(bench.source(reads_outbox=True))).opened
    assert list(dict.fromkeys(found)) == ["p400@example.org", "p200@example.org", "p2@example.org"]


async def test_an_idle_round_costs_two_requests_and_changes_nothing(bench: Bench) -> None:
    bench.load(5)
    for number in range(250):
        send(bench, f"p{number}", days=number / 24)
    first = await read(bench.source(reads_outbox=True))
    source = bench.source(reads_outbox=True)
    await read(source, first.checkpoint)
    before = len(bench.asked)
    idle = await read(source, first.checkpoint)
    assert len(bench.asked) - before == 2
    assert idle.checkpoint == first.checkpoint
    assert {record for page in idle.pages for record in page.records} <= {
        record for page in first.pages for record in page.records
    }


async def test_a_survey_that_is_opened_now_is_found_in_the_next_round(bench: Bench) -> None:
    survey = send(bench, "ana", days=3, opened=False)
    first = await read(bench.source(reads_outbox=True))
    bench.server.open(survey)
    assert (await read(bench.source(reads_outbox=True), first.checkpoint)).opened == ["ana@example.org"]


@pytest.mark.parametrize(("days", "wait"), [(1.5, HOUR), (20, DAY)])
async def test_an_older_survey_behind_many_newer_ones_is_found_by_the_rescans(
    bench: Bench, days: float, wait: int
) -> None:
    survey = send(bench, "ana", days=days, opened=False)
    for number in range(150):
        send(bench, f"p{number}", opened=False)
    first = await read(bench.source(reads_outbox=True))
    bench.server.open(survey)
    assert (await read(bench.source(reads_outbox=True), first.checkpoint)).opened == []
    bench.hands.forward(wait)
    assert (await read(bench.source(reads_outbox=True), first.checkpoint)).opened == ["ana@example.org"]


async def test_the_rescans_move_on_with_the_surveys_that_are_sent(bench: Bench) -> None:
    send(bench, "ana", days=60)
    first = await read(bench.source(reads_outbox=True))
    send(bench, "ben")
    bench.hands.forward(HOUR)
    await read(bench.source(reads_outbox=True), first.checkpoint)
    assert "startDate=2025-12-29" in bench.asked[-1]


async def test_surveys_of_other_metrics_are_no_nps_surveys(bench: Bench) -> None:
    csat = bench.server.account.add_campaign("Support", metric="CSAT")
    gone = bench.server.account.add_campaign("Old")
    for campaign in (csat, gone):
        bench.server.send(f"{campaign.name}@example.org", campaign_id=campaign.id, opened_ms=NOW_MS)
    del bench.server.account.campaigns[gone.id]
    assert set((await read(bench.source(reads_outbox=True))).opened) == {"Old@example.org"}


async def test_campaigns_are_asked_for_once(bench: Bench) -> None:
    send(bench, "ana")
    source = bench.source(reads_outbox=True)
    first = await read(source)
    await read(source, first.checkpoint)
    assert bench.asked.count("/campaigns") == 1


async def test_nobody_who_does_not_want_views_asks_for_the_outbox(bench: Bench) -> None:
    send(bench, "ana")
    assert (await read(bench.source(reads_outbox=False))).opened == []
    assert not any(request.startswith("/outbox") for request in bench.asked)


async def test_without_backfill_surveys_that_were_sent_before_are_no_news(bench: Bench) -> None:
    send(bench, "old", days=1)
    first = await read(bench.source(reads_outbox=True, backfill=False))
    send(bench, "new")
    bench.hands.forward(DAY)
    second = await read(bench.source(reads_outbox=True, backfill=False), first.checkpoint)
    assert first.opened == []
    assert set(second.opened) == {"new@example.org"}


async def test_backfill_since_holds_for_the_outbox(bench: Bench) -> None:
    send(bench, "old", days=20)
    send(bench, "young", days=2)
    source = bench.source(reads_outbox=True, backfill_since="2025-12-20")
    assert set((await read(source)).opened) == {"young@example.org"}


async def test_answers_come_before_a_long_history_of_the_outbox_and_do_not_wait_for_it(bench: Bench) -> None:
    bench.load(3)
    send(bench, "first", days=30 * 120)
    send(bench, "last")
    first = await read(bench.source(reads_outbox=True))
    fresh = bench.server.answer("ana@example.org", 9)
    second = await read(bench.source(reads_outbox=True), first.checkpoint)
    third = await read(bench.source(reads_outbox=True), second.checkpoint)
    assert fresh in second.ids
    assert "last@example.org" not in second.opened
    assert "last@example.org" in third.opened


async def test_the_history_of_the_outbox_does_not_count_as_backfilling(bench: Bench) -> None:
    bench.load(3)
    send(bench, "old", days=300)
    flags = [page.backfilling for page in (await read(bench.source(reads_outbox=True))).pages]
    assert flags == [True, True, *[False] * (len(flags) - 2)]


async def test_a_refused_outbox_stops_nothing_and_is_told_of_once_an_hour(bench: Bench, warnings: list[str]) -> None:
    bench.server.change_switches({"has_outbox": False})
    ids = bench.load(3)
    source = bench.source(reads_outbox=True)
    first = await read(source)
    await read(source, first.checkpoint)
    assert set(first.ids) == set(ids)
    assert len([warning for warning in warnings if "outbox" in warning]) == 1
    bench.server.change_switches({"has_outbox": True})
    send(bench, "ana")
    bench.hands.forward(HOUR)
    assert set((await read(source, first.checkpoint)).opened) == {"ana@example.org"}


async def test_trouble_with_the_outbox_comes_after_the_answers(bench: Bench) -> None:
    ids = bench.load(3)
    bench.server.faults.add(html(), path="/outbox")
    found, trouble = await read_until_trouble(bench.source(reads_outbox=True))
    assert isinstance(trouble, UnreadablePage)
    assert set(found.ids) == set(ids)


async def test_a_campaign_list_that_fails_is_asked_for_again(bench: Bench) -> None:
    csat = bench.server.account.add_campaign("Support", metric="CSAT")
    bench.server.send("ana@example.org", campaign_id=csat.id, opened_ms=NOW_MS)
    bench.server.faults.add(status(403), path="/campaigns")
    source = bench.source(reads_outbox=True)
    first = await read(source)
    bench.hands.forward(HOUR)
    assert first.opened == (await read(source, first.checkpoint)).opened == []
    assert bench.asked.count("/campaigns") == 2

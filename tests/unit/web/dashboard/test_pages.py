"""The pages as a browser without script gets them, over a real store."""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape

from npsbridge.core.model import State
from npsbridge.errors import StoreError
from unit.web.dashboard.house import ANN, ARABIC, KEY_REFUSED, SCRIPT, UNHAPPIEST, House, open_house

ALL = ["/", "/nps", "/deliveries", "/people", "/trace"]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as opened:
        yield opened


async def page(house: House, path: str) -> tuple[int, str]:
    async with house.visitor() as session, session.get(path) as answer:
        return answer.status, await answer.text()


async def document(house: House, path: str) -> Any:
    async with house.visitor() as session, session.get(path) as answer:
        assert answer.status == 200
        return await answer.json()


def test_a_daemon_that_nobody_looks_at_loads_neither_templates_nor_charts() -> None:
    said = "import sys, npsbridge.app; print(sorted({'jinja2', 'pygal', 'markupsafe'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)  # noqa: S603 - our own
    assert ran.stdout == "[]\n"


# --- what every page has ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*ALL, "/nothing", "/deliveries/999"])
async def test_nothing_inline_is_needed_nor_allowed_and_nothing_is_kept(house: House, path: str) -> None:
    async with house.visitor() as session, session.get(path) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert policy.startswith("default-src 'none'")
        assert (answer.headers["Cache-Control"], answer.headers["Referrer-Policy"]) == ("no-store", "same-origin")
        text = await answer.text()
    assert " style=" not in text
    assert "<style" not in text
    assert text.count("<script") == 1
    assert "http://" not in text.replace(house.origin, "")


@pytest.mark.parametrize("path", ALL)
async def test_a_page_with_all_its_files_weighs_less_than_150_kb(house: House, path: str) -> None:
    async with house.visitor() as session:
        async with session.get(path) as answer:
            weight = len(await answer.read())
        for name in ("dashboard.css", "dashboard.js", "icon.svg"):
            async with session.get(f"/static/{name}") as answer:
                weight += len(await answer.read())
    assert weight < 150_000


async def test_files_may_be_kept_by_their_version_and_others_do_not_exist(house: House) -> None:
    async with house.visitor() as session:
        async with session.get("/static/dashboard.css?v=1") as answer:
            assert "immutable" in answer.headers["Cache-Control"]
        async with session.get("/static/../pages.py") as answer:
            assert answer.status == 404
        async with session.get("/static/%2e%2e%2fpages.py") as answer:
            assert answer.status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/deliveries/999",
        "/deliveries/abc",
        "/deliveries/-1",
        "/deliveries/99999999999999999999999",
        "/answer?connection=delighted&id=unknown",
        "/answer",
        "/trace?key=unknown",
        "/people?key=unknown",
        "/connections/unknown/pause",
        "/connections/delighted/destroy",
        "/deliveries/1/destroy",
        "/deliveries/all/retry?state=queued",
        "/people/forget?key=",
    ],
)
async def test_what_does_not_exist_is_a_page_that_says_so(house: House, path: str) -> None:
    status, text = await page(house, path)
    assert (status, "<h1>" in text) == (404, True)


@pytest.mark.parametrize("path", ["/api/trace?key=unknown", "/api/people?key=unknown", "/api/nothing"])
async def test_programs_are_told_the_same_in_json(house: House, path: str) -> None:
    async with house.visitor() as session, session.get(path) as answer:
        assert (answer.status, (await answer.json())["success"]) == (404, False)


async def test_a_store_that_fails_is_a_page_that_says_so(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail() -> None:
        raise StoreError("the disk failed")

    monkeypatch.setattr(house.store, "ledger", fail)
    status, text = await page(house, "/")
    assert (status, "The store does not answer" in text) == (503, True)


# --- the overview -----------------------------------------------------------------------------------------------


async def test_the_overview_says_what_needs_a_person_and_what_to_mend(house: House) -> None:
    _, text = await page(house, "/")
    assert "<h1>3 things need you</h1>" in text
    assert str(escape(KEY_REFUSED)) in text
    assert 'href="/deliveries?state=held"' in text
    assert '<progress max="1" value="0.4300"' in text
    assert "12 of 60" in text


async def test_a_fresh_installation_is_told_what_to_do(tmp_path: Path) -> None:
    async with open_house(tmp_path, is_furnished=False) as fresh:
        status, text = await page(fresh, "/")
        assert (status, "No connection is configured yet" in text) == (200, True)
        assert [(await page(fresh, path))[0] for path in ALL] == [200] * len(ALL)


async def test_the_same_is_there_for_programs(house: House) -> None:
    found = await document(house, "/api/overview")
    assert (found["status"], found["held"], found["imbalance"]) == ("fail", 1, 0)
    assert {card["condition"] for card in found["cards"]} == {"connected", "paused", "retrying", "backfilling"}


# --- the score --------------------------------------------------------------------------------------------------


async def test_the_unhappiest_answer_of_the_last_month_stands_first_behind_one_link(house: House) -> None:
    _, text = await page(house, "/")
    assert 'href="/nps?range=30&amp;sort=low#answers"' in text
    _, text = await page(house, "/nps?range=30&sort=low")
    first = text.partition('<li class="answer">')[2].partition("</li>")[0]
    assert UNHAPPIEST in first
    assert 'href="https://delighted.com/r/worst"' in first
    assert "Older than a month." not in text


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("range=all", 126),
        ("range=30", 34),
        ("range=all&connection=retently", 60),
        ("range=all&platform=retently", 60),
        ("range=all&campaign=After%20the%20order", 120),
        ("range=all&category=detractor", 39),
        ("range=all&commented=only", 46),
        ("range=all&survey=csat", 1),
        ("range=all&connection=nobody", 0),
    ],
)
async def test_filters_count_what_they_say(house: House, query: str, count: int) -> None:
    assert (await document(house, f"/api/nps?{query}"))["count"] == count


async def test_answers_are_paged_without_loss(house: House) -> None:
    pages = [await document(house, f"/api/nps?range=all&page={number}") for number in range(1, 9)]
    seen = [(one["connection"], one["id"]) for found in pages for one in found["answers"]]
    assert (len(seen), len(set(seen))) == (126, 126)
    assert [found["has_more"] for found in pages[5:]] == [True, False, False]


async def test_hidden_comments_are_not_in_the_page_at_all(house: House) -> None:
    _, text = await page(house, "/nps?comments=hide")
    assert "Comment hidden" in text
    assert "Quick and friendly." not in text
    assert UNHAPPIEST not in text


async def test_other_surveys_have_a_mean_and_no_camps(house: House) -> None:
    _, text = await page(house, "/nps?survey=csat")
    assert '<span class="big">4.00</span>' in text
    assert "Promoters" not in text


async def test_every_chart_is_there_as_a_table_too(house: House) -> None:
    _, text = await page(house, "/nps")
    assert text.count("<figure") == 4
    assert text.count('class="pygal-chart"') == 8
    assert text.count("<table") == 4


# --- other people's texts ---------------------------------------------------------------------------------------


async def test_a_comment_is_text_whatever_it_holds(house: House) -> None:
    _, text = await page(house, "/nps")
    assert SCRIPT not in text
    assert str(escape(SCRIPT)) in text
    assert "javascript:" not in text
    assert f'<bdi dir="auto">{ARABIC}</bdi>' in text
    assert "a[U+202E]gnp.exe[U+200B]" in text


async def test_a_comment_of_100_kb_is_cut_in_lists_and_shown_whole_on_its_own_page(house: House) -> None:
    _, text = await page(house, "/nps")
    assert "long " * 70 not in text
    assert "Show all of it" in text
    _, whole = await page(house, "/answer?connection=delighted&id=long")
    assert "long " * 20_000 in whole


# --- deliveries and people --------------------------------------------------------------------------------------


async def test_deliveries_are_filtered_and_paged(house: House) -> None:
    first = await document(house, "/api/deliveries?connection=segment")
    second = await document(house, f"/api/deliveries?connection=segment&before={first['next_before']}")
    numbers = [one["id"] for one in (*first["deliveries"], *second["deliveries"])]
    assert (len(numbers), numbers, second["next_before"]) == (70, sorted(numbers, reverse=True), None)
    held = await document(house, "/api/deliveries?state=held")
    assert [one["id"] for one in held["deliveries"]] == [house.held]


@pytest.mark.parametrize("state", ["", *State, "nonsense"])
async def test_every_state_can_be_looked_at(house: House, state: str) -> None:
    assert (await page(house, f"/deliveries?state={state}"))[0] == 200


async def test_a_held_survey_can_be_settled_either_way_from_its_page(house: House) -> None:
    _, text = await page(house, f"/deliveries/{house.held}")
    assert f'href="/deliveries/{house.held}/confirm">They were surveyed</a>' in text
    assert f'href="/deliveries/{house.held}/ask-again">They were not: ask again</a>' in text
    assert "<b>" not in text
    assert f"Look there for <bdi>{ANN}</bdi>" in text


async def test_a_delivery_to_a_sink_has_a_page_as_well_and_one_from_the_shelf(house: House) -> None:
    shelf = next(one.id for one in await house.store.deliveries(state=State.DEAD) if not one.person)
    for number in (house.dead, shelf):
        status, text = await page(house, f"/deliveries/{number}")
        assert (status, "Try it again" in text) == (200, True)


async def test_what_happened_to_an_event_is_told_from_arrival_to_delivery(house: House) -> None:
    _, text = await page(house, "/trace?key=delighted/1")
    assert "Nothing is known" in text
    _, text = await page(house, "/trace?key=m-1")
    assert text.index("<strong>Arrived</strong>") < text.index("<strong>submit</strong> to segment")
    found = await document(house, "/api/trace?key=m-1")
    assert [one["state"] for one in found["deliveries"]] == ["delivered"]


@pytest.mark.parametrize("key", [ANN, "Ann@Example.COM", "u-1", "anon-1"])
async def test_a_person_is_found_by_each_of_their_ids(house: House, key: str) -> None:
    status, text = await page(house, f"/people?key={key}")
    assert status == 200
    assert "Ann &lt;i&gt;Example&lt;/i&gt;" in text
    assert UNHAPPIEST in text
    found = await document(house, f"/api/people?key={key}")
    assert {one["message_id"] for one in found["asked"]} == {"call-0:identify", "call-1:survey"}

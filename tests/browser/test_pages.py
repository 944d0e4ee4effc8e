"""Every page in a real browser: light and dark, on a desk and a phone, with and without script, for everybody."""

from pathlib import Path
from typing import Any

import pytest

from browser.looking import DESK, PHONE, Scheme, press, tab
from npsbridge.engine.board import Condition, Direction
from unit.web.dashboard.house import ANN, SCRIPT, House

PAGES = {
    "overview": "/",
    "nps": "/nps",
    "unhappiest": "/nps?range=30&sort=low",
    "answer": "/answer?connection=delighted&id=script",
    "deliveries": "/deliveries",
    "held": "/deliveries?state=held",
    "delivery": "/deliveries/{held}",
    "question": "/deliveries/{held}/drop",
    "trace": "/trace?key=m-1",
    "people": f"/people?key={ANN}",
    "missing": "/deliveries/99999",
}
_ROOM_ON_A_PHONE = 360


async def weight_and_overflow(page: Any) -> tuple[int, int]:
    """Bytes that came for this page, and by how many pixels it is wider than the window."""
    weight = await page.evaluate(
        "() => performance.getEntries().reduce((sum, one) => sum + (one.encodedBodySize || 0), 0)"
    )
    overflow = await page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
    return int(weight), int(overflow)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
async def test_every_page_fits_is_light_and_has_no_serious_barrier(
    chromium: Any, house: House, screenshots: Path | None, scheme: Scheme, size: tuple[int, int]
) -> None:
    found: dict[str, list[str]] = {}
    async with tab(chromium, house, scheme=scheme, size=size) as page:
        for name, path in PAGES.items():
            await page.goto(path.format(held=house.held))
            found[name] = await barriers_of(page, screenshots, f"{name}-{scheme}-{size[0]}")
    assert {name: barriers for name, barriers in found.items() if barriers} == {}


async def test_no_value_on_a_card_sticks_out_however_long_ago_it_was(chromium: Any, house: House) -> None:
    async with tab(chromium, house) as page:
        await page.goto("/")
        by = await page.evaluate("""() => [...document.querySelectorAll(".card .rows > dd")].map(value => {
            value.previousElementSibling.textContent = "Requests this minute"
            value.innerHTML = "<time>59\u00a0min ago</time>"
            return value
        }).map(value => value.scrollWidth - value.clientWidth)""")
    assert set(by) == {0}


async def barriers_of(page: Any, screenshots: Path | None, name: str) -> list[str]:
    """What keeps somebody from using a page; it has to be light and to fit, too."""
    from axe_playwright_python.async_playwright import Axe  # noqa: PLC0415 - comes with playwright

    weight, overflow = await weight_and_overflow(page)
    assert (name, weight < 150_000, overflow) == (name, True, 0)
    if screenshots:
        await page.screenshot(path=str(screenshots / f"{name}.png"), full_page=True)
    results = await Axe().run(page)
    return [
        f"{one['id']} ({one['impact']}): {[node['html'][:120] for node in one['nodes'][:2]]}"
        for one in results.response["violations"]
        if one["impact"] in {"serious", "critical", "moderate"}
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
async def test_the_replicas_are_shown_with_what_they_do_and_who_differs(
    chromium: Any, shared_house: House, screenshots: Path | None, scheme: Scheme, size: tuple[int, int]
) -> None:
    async with tab(chromium, shared_house, scheme=scheme, size=size) as page:
        await page.goto("/")
        assert await barriers_of(page, screenshots, f"fleet-{scheme}-{size[0]}") == []
        assert "Replicas run with different settings" in await page.locator("#verdict").inner_text()
        shown = await page.locator("#fleet li").all_inner_texts()
        assert ["shows this page" in one for one in shown] == [True, False, False]
        assert ["differ" in one for one in shown] == [False, False, True]
        assert ["poll delighted, router" in one for one in shown] == [True, False, False]
        assert "nobody does purge" in await page.locator("#fleet .head").inner_text()
        others = [await page.locator(f"#{card}").inner_text() for card in ("retently-pull", "segment-forward")]
        assert all("Done by" in one and "Next poll" not in one for one in others)
        assert "Done by" not in await page.locator("#delighted-pull").inner_text()


async def test_where_there_is_one_daemon_nothing_speaks_of_replicas(chromium: Any, house: House) -> None:
    async with tab(chromium, house) as page:
        await page.goto("/")
        assert await page.locator("#fleet").count() == 0
        assert "replica" not in (await page.locator("body").inner_text()).lower()


async def test_dark_is_dark_and_light_is_light(chromium: Any, house: House) -> None:
    grounds = []
    schemes: tuple[Scheme, ...] = ("light", "dark")
    for scheme in schemes:
        async with tab(chromium, house, scheme=scheme) as page:
            await page.goto("/")
            grounds.append(await page.evaluate("() => getComputedStyle(document.body).backgroundColor"))
    light, dark = (sum(map(int, ground[4:-1].split(","))) for ground in grounds)
    assert light > 3 * 220
    assert dark < 3 * 40


async def test_without_script_every_page_is_whole_and_filters_work(chromium: Any, house: House) -> None:
    async with tab(chromium, house, has_script=False) as page:
        for path in PAGES.values():
            await page.goto(path.format(held=house.held))
            assert await page.locator("h1").count() == 1
        await page.goto("/nps")
        await page.get_by_label("Connection").select_option("retently")
        await page.get_by_label("Hide comments").check()
        await press(page, "Show")
        assert "connection=retently" in page.url
        assert await page.get_by_text("Comment hidden").count() > 0
        assert await page.get_by_text("Quick and friendly.").count() == 0


async def test_a_comment_with_a_script_is_only_read(chromium: Any, house: House) -> None:
    async with tab(chromium, house) as page:
        await page.goto("/answer?connection=delighted&id=script")
        assert await page.get_by_text(SCRIPT, exact=True).count() == 1
        assert "owned" not in await page.title()
        assert await page.locator("main img").count() == 0


async def test_keyboard_first_leads_past_the_head_and_everything_in_reach_is_marked(
    chromium: Any, house: House
) -> None:
    async with tab(chromium, house) as page:
        await page.goto("/")
        await page.keyboard.press("Tab")
        assert await page.evaluate("() => document.activeElement.textContent") == "Skip to the content"
        assert await page.evaluate("() => document.activeElement.getBoundingClientRect().left") >= 0
        for _ in range(6):
            await page.keyboard.press("Tab")
            style = await page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
            assert style != "none"


async def test_charts_are_drawn_for_the_width_there_is(chromium: Any, house: House) -> None:
    async with tab(chromium, house, size=PHONE) as page:
        await page.goto("/nps")
        assert await page.locator("figure .narrow").first.is_visible()
        assert not await page.locator("figure div.wide").first.is_visible()
        box = await page.locator("figure .narrow svg").first.bounding_box()
        assert 200 < box["width"] <= _ROOM_ON_A_PHONE


# --- up to date -------------------------------------------------------------------------------------------------


async def test_a_page_keeps_itself_up_to_date_without_disturbing(chromium: Any, house: House) -> None:
    async with tab(chromium, house) as page:
        await page.goto("/")
        assert await page.locator("#retently-pull .badge").inner_text() == "paused"
        await page.get_by_role("link", name="NPS", exact=True).focus()
        await house.board.note("retently", Direction.PULL, Condition.CONNECTED)
        await page.locator("#retently-pull .badge.connected").wait_for()
        assert await page.locator("h1").inner_text() == "2 things need you"
        assert await page.evaluate("() => document.activeElement.textContent") == "NPS"


async def test_what_somebody_is_at_is_not_replaced_under_them(chromium: Any, house: House) -> None:
    async with tab(chromium, house) as page:
        await page.goto("/")
        await page.locator("#cards a").first.focus()
        await house.board.note("retently", Direction.PULL, Condition.CONNECTED)
        await page.get_by_role("heading", name="2 things need you").wait_for()
        assert await page.locator("#retently-pull .badge").inner_text() == "paused"
        assert await page.evaluate("() => document.activeElement.closest('#cards') !== null")

"""Every act, as somebody does it: a link, a question, a button."""

from typing import Any

import pytest

from browser.looking import PHONE, follow, press, tab
from npsbridge.core.model import State
from npsbridge.engine.pauses import paused_in
from unit.web.dashboard.house import ANN, UNHAPPIEST, House


async def test_a_newcomer_finds_the_unhappiest_answer_the_connection_that_is_down_and_settles_the_survey(
    chromium: Any, house: House
) -> None:
    async with tab(chromium, house) as page:
        await page.goto("/")
        await follow(page, "Unhappiest answers of the last month")
        assert await page.locator(".answer .comment").first.inner_text() == UNHAPPIEST
        await follow(page, "Overview")
        assert "Promoter.io has been in trouble" in await page.locator("#verdict").inner_text()
        assert await page.locator("#promoter-pull .reason").inner_text() == "HTTP 503"
        await follow(page, "Settle it")
        await follow(page, f"{house.held} survey")
        await follow(page, "They were surveyed")
        await press(page, "They were surveyed")
        assert await page.locator(".said").inner_text() == "Settled: it counts as delivered."
        await follow(page, "Overview")
        assert await page.get_by_role("link", name="Settle it").count() == 0
    assert await house.state(house.held) is State.DELIVERED


@pytest.mark.parametrize("has_script", [True, False], ids=["script", "no script"])
async def test_every_act_on_a_delivery_and_a_connection_works(chromium: Any, house: House, has_script: bool) -> None:  # noqa: FBT001
    async with tab(chromium, house, has_script=has_script, size=PHONE) as page:
        await _say_yes(page, f"/deliveries/{house.held}", "They were not: ask again")
        assert await house.state(house.held) is State.QUEUED
        await _say_yes(page, f"/deliveries/{house.dead}", "Try it again")
        assert await house.state(house.dead) is State.QUEUED
        await _say_yes(page, f"/deliveries/{house.queued}", "Drop it")
        assert await house.state(house.queued) is State.FILTERED
        await page.goto("/deliveries?state=dead")
        await follow(page, "Drop all")
        await press(page, "Drop them")
        assert await house.store.deliveries(state=State.DEAD) == []
        await page.goto("/")
        await follow(page, "Pause satismeter")
        await press(page, "Pause")
        assert paused_in(await house.store.facts()) == {"satismeter"}
        await page.goto("/connections/satismeter/resume")
        await press(page, "Resume")
        assert paused_in(await house.store.facts()) == set()


async def _say_yes(page: Any, place: str, name: str) -> None:
    await page.goto(place)
    await follow(page, name)
    await press(page, name)
    assert await page.locator(".said").count() == 1


async def test_somebody_is_looked_up_and_forgotten_after_one_question(chromium: Any, house: House) -> None:
    async with tab(chromium, house) as page:
        await page.goto("/people")
        await page.get_by_label("Look somebody up").fill(ANN)
        await press(page, "Look up")
        assert await page.get_by_text(UNHAPPIEST).count() == 1
        await follow(page, "Forget this person")
        await follow(page, "Leave it as it is")
        assert await page.get_by_text(UNHAPPIEST).count() == 1
        await follow(page, "Forget this person")
        await press(page, "Forget them")
        assert "is erased" in await page.locator(".said").inner_text()
    assert not (await house.store.trace(ANN)).responses


async def test_a_page_from_elsewhere_cannot_have_anything_done(chromium: Any, house: House) -> None:
    form = f'<form method="post" action="{house.origin}/deliveries/{house.held}/drop"><input name="token" value="{{}}">'
    async with tab(chromium, house) as page:
        await page.goto(f"/deliveries/{house.held}/drop")
        token = await page.locator("input[name=token]").input_value()
        # The token is the true one, as if it had leaked: where the form comes from is what counts then.
        await page.goto("about:blank")
        await page.set_content(form.format(token) + "<button>Win a prize</button></form>")
        await page.get_by_role("button").click()
        await page.wait_for_url("**/drop")
        assert "by a page from elsewhere" in await page.locator("main").inner_text()
    assert await house.state(house.held) is State.HELD

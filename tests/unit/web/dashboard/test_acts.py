"""What can be done from a page: asked once, done only when it was asked for there, and then told to every loop."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from npsbridge.core.model import State
from npsbridge.engine.pauses import paused_in
from unit.web.dashboard.house import ANN, House, open_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as opened:
        yield opened


async def form_of(session: aiohttp.ClientSession, path: str) -> dict[str, str]:
    """The fields of the form that a page asks with."""
    async with session.get(path) as answer:
        assert answer.status == 200
        return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', await answer.text()))


async def act(house: House, path: str, **headers: str) -> tuple[int, str]:
    """Say yes on the page at a path; the status and where it led."""
    async with house.visitor() as session:
        form = await form_of(session, path)
        place = path.partition("?")[0]
        async with session.post(place, data=form, headers=headers, allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Location", "")


async def balance(house: House) -> int:
    return (await house.store.ledger()).imbalance


# --- what is done -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "state"),
    [("confirm", State.DELIVERED), ("ask-again", State.QUEUED), ("drop", State.FILTERED), ("retry", State.QUEUED)],
)
async def test_i8_a_held_survey_is_settled_as_the_person_says(house: House, word: str, state: State) -> None:
    status, place = await act(house, f"/deliveries/{house.held}/{word}")
    assert (status, place) == (303, f"/deliveries/{house.held}?said={word}")
    assert await house.state(house.held) is state
    assert (await balance(house), house.woken) == (0, ["all"])


async def test_what_is_dead_is_tried_again(house: House) -> None:
    await act(house, f"/deliveries/{house.dead}/retry")
    assert await house.state(house.dead) is State.QUEUED


async def test_a_shelved_record_is_routed_again_and_leads_back_to_the_list(house: House) -> None:
    item = next(one for one in await house.store.deliveries(state=State.DEAD) if not one.person)
    assert await act(house, f"/deliveries/{item.id}/retry") == (303, "/deliveries?said=retry")
    assert await house.store.delivery(item.id) is None
    assert await balance(house) == 0


async def test_all_that_is_dead_of_a_connection_is_tried_again(house: House) -> None:
    await act(house, "/deliveries/all/retry?state=dead&connection=segment")
    assert await house.state(house.dead) is State.QUEUED
    assert len(await house.store.deliveries(state=State.DEAD)) == 1


async def test_all_that_is_dead_is_dropped(house: House) -> None:
    await act(house, "/deliveries/all/drop?state=dead")
    assert await house.store.deliveries(state=State.DEAD) == []
    assert await balance(house) == 0


async def test_a_connection_is_paused_and_resumed(house: House) -> None:
    assert await act(house, "/connections/delighted/pause") == (303, "/")
    assert paused_in(await house.store.facts()) == {"delighted"}
    assert house.view.seams.pauses.holds("delighted")
    await act(house, "/connections/delighted/resume")
    assert not house.view.seams.pauses.holds("delighted")


@pytest.mark.parametrize("key", [ANN, "u-1"])
async def test_i20_a_person_is_forgotten(house: House, key: str) -> None:
    status, place = await act(house, f"/people/forget?key={key}")
    assert (status, place.partition("&")[0]) == (303, "/people?said=forgotten")
    async with house.visitor() as session:
        async with session.get(place) as answer:
            assert "tell them separately: delighted, satismeter" in await answer.text()
        async with session.get("/people", params={"key": key}) as answer:
            text = await answer.text()
    assert "asked to be forgotten" in text
    assert "Example" not in text


async def test_what_is_asked_about_says_what_follows(house: House) -> None:
    async with house.visitor() as session, session.get(f"/deliveries/{house.held}/ask-again") as answer:
        assert "this person is surveyed twice" in await answer.text()


async def test_asking_changes_nothing(house: House) -> None:
    async with house.visitor() as session:
        for word in ("confirm", "ask-again", "drop", "retry"):
            await form_of(session, f"/deliveries/{house.held}/{word}")
    assert (await house.state(house.held), house.woken) == (State.HELD, [])


# --- what is not done -------------------------------------------------------------------------------------------


async def refused(house: House, path: str, data: object, **headers: str) -> int:
    """Post to a path; nothing may have come of it."""
    async with house.visitor() as session, session.post(path, data=data, headers=headers, allow_redirects=False) as got:
        assert "Nothing was done" in await got.text()
    assert (await house.state(house.held), await house.state(house.dead)) == (State.HELD, State.DEAD)
    assert (paused_in(await house.store.facts()), house.woken) == (frozenset(), [])
    assert (await house.store.trace(ANN)).responses
    return got.status


PATHS = ["/deliveries/{held}/confirm", "/deliveries/{held}/drop", "/connections/delighted/pause", "/people/forget"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("token", [None, "", "0" * 64])
async def test_without_the_token_nothing_is_done(house: House, path: str, token: str | None) -> None:
    form = {"key": ANN} if token is None else {"key": ANN, "token": token}
    assert await refused(house, path.format(held=house.held), form) == 403


async def test_the_token_of_another_act_is_none(house: House) -> None:
    async with house.visitor() as session:
        form = await form_of(session, f"/deliveries/{house.held}/confirm")
    assert await refused(house, f"/deliveries/{house.held}/drop", form) == 403
    assert await refused(house, f"/deliveries/{house.dead}/drop", form) == 403


async def test_the_token_for_one_person_does_not_forget_another(house: House) -> None:
    async with house.visitor() as session:
        form = await form_of(session, "/people/forget?key=somebody@example.com")
    assert await refused(house, "/people/forget", {**form, "key": ANN}) == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
@pytest.mark.parametrize("path", PATHS)
async def test_a_page_from_elsewhere_has_nothing_done_even_with_the_token(
    house: House, path: str, headers: dict[str, str]
) -> None:
    place = path.format(held=house.held)
    async with house.visitor() as session:
        form = await form_of(session, f"{place}?key={ANN}")
    assert await refused(house, place, form, **headers) == 403


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "multipart/form-data; boundary=x"])
async def test_only_a_form_is_obeyed(house: House, kind: str) -> None:
    place = f"/deliveries/{house.held}/drop"
    async with house.visitor() as session:
        form = await form_of(session, place)
    assert await refused(house, place, f"token={form['token']}", **{"Content-Type": kind}) == 403


async def test_a_huge_form_is_not_read(house: House) -> None:
    place = f"/deliveries/{house.held}/drop"
    assert await refused(house, place, {"token": "x" * 100_000}) == 403


async def test_what_has_changed_in_the_meantime_is_left_alone(house: House) -> None:
    await act(house, f"/deliveries/{house.held}/confirm")
    async with house.visitor() as session, session.get(f"/deliveries/{house.held}/drop") as answer:
        assert answer.status == 409
        assert "It is delivered by now" in await answer.text()

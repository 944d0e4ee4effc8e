"""After the first start: news by polling and by signed webhooks, each told once, whichever way it came first."""

import hashlib
import hmac
import itertools
from pathlib import Path

import pytest

from end_to_end.harness import TWO_ROUNDS, World, dead, until, world
from npsbridge.app import App
from npsbridge.sandbox import DelightedSwitches, WebhookSwitches

pytestmark = pytest.mark.looptime


async def posted(both: World, app: App, response_id: str, event: str = "survey_response.updated") -> int:
    """The status of a webhook about a response as it is now."""
    headers, body = both.delighted.signed_webhook(event, response_id)
    return await both.hook(app, headers, body)


async def test_a_new_answer_shows_up_once(tmp_path: Path) -> None:
    async with world(tmp_path) as both, both.daemon() as app:
        await both.history_read()
        number = both.delighted.answer(both.delighted.add_person("ana@example.org"), 9)
        await until(lambda: both.revisions(number) == [1], within=TWO_ROUNDS)
        await both.another_round(app)
        both.check_each_said_once()


async def test_an_edit_shows_up_once_as_a_new_revision(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        number = both.delighted.answer(both.delighted.add_person("ana@example.org"), 9, comment="Good")
        async with both.daemon() as app:
            await until(lambda: both.revisions(number) == [1])
            both.delighted.edit(number, score=3, comment="Not so good")
            edited_at = both.second()
            await until(lambda: both.revisions(number) == [1, 2], within=TWO_ROUNDS)
            await both.another_round(app)
        both.check_each_said_once()
        second = [call for call in both.said_of(number) if call["properties"]["revision"] == 2]
    assert [call["event"] for call in second] == ["Submit Survey"]
    assert second[0]["properties"]["category"] == "detractor"
    assert second[0]["timestamp"].startswith(both.clock.at(edited_at * 1000).strftime("%Y-%m-%dT%H:%M:%S"))


async def test_a_comment_that_comes_later_completes_the_answer(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        number = both.delighted.answer(both.delighted.add_person("ana@example.org"), 9)
        async with both.daemon():
            await until(lambda: both.revisions(number) == [1])
            both.delighted.edit(number, comment="Here is why")
            await until(lambda: both.names()["Completed NPS Survey"] == 1, within=TWO_ROUNDS)
        comments = [call["traits"]["NPS_comment"] for call in both.said() if call["type"] == "identify"]
    assert comments == [None, "Here is why"]


async def test_f32_a_webhook_alone_shows_up_once_and_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as both, both.daemon() as app:
        await both.history_read()
        number = both.delighted.answer(both.delighted.add_person("ana@example.org"), 9, comment="Good")
        assert await posted(both, app, number, "survey_response.created") == 200
        await until(lambda: len(both.said()) == 4, within=1.0)
        await both.another_round(app)
        both.check_each_said_once()


async def test_f32_a_webhook_behind_the_poll_says_nothing_new(tmp_path: Path) -> None:
    async with world(tmp_path) as both, both.daemon() as app:
        number = both.delighted.answer(both.delighted.add_person("ana@example.org"), 9)
        await until(lambda: both.revisions(number) == [1], within=TWO_ROUNDS)
        assert await posted(both, app, number) == 200
        await both.another_round(app)
        assert both.revisions(number) == [1]
        assert (await app.store.ledger()).duplicate == 1


async def test_f32_a_webhook_that_comes_twice_is_told_once(tmp_path: Path) -> None:
    async with world(tmp_path) as both, both.daemon() as app:
        await both.history_read()
        number = both.delighted.answer(both.delighted.add_person("ana@example.org"), 9)
        for _ in range(2):
            assert await posted(both, app, number) == 200
        await both.another_round(app)
        assert both.revisions(number) == [1]
        both.check_each_said_once()


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_f32_reordered_webhooks_never_let_an_old_version_win(tmp_path: Path, order: tuple[int, ...]) -> None:
    async with world(tmp_path) as both, both.daemon() as app:
        await both.history_read()
        number = both.delighted.answer(both.delighted.add_person("ana@example.org"), 5, created_at=both.second() - 60)
        hooks = []
        for score, age in [(5, 40), (6, 20), (7, 0)]:
            both.delighted.account.edit(number, score=score, comment=f"score {score}", at=both.second() - age)
            hooks.append(both.delighted.signed_webhook("survey_response.updated", number))
        for position in order:
            assert await both.hook(app, *hooks[position]) == 200
        await both.another_round(app)
        last = [call for call in both.said_of(number) if call["event"] == "Submit Survey"][-1]
        assert last["properties"]["score"] == 7
        assert both.revisions(number) == sorted(set(both.revisions(number)))
        both.check_each_said_once()


async def test_f32_the_sandboxs_own_unreliable_webhooks_are_told_once(tmp_path: Path) -> None:
    switches = DelightedSwitches(webhooks=WebhookSwitches(copies=3, reorder=4))
    async with world(tmp_path) as both, both.daemon() as app:
        await both.history_read()
        both.delighted.account.adopt(switches)
        both.delighted.webhook_url = f"http://{app.public}/hooks/delighted"
        numbers = [
            both.delighted.answer(both.delighted.add_person(f"p{count}@example.org"), count) for count in range(6)
        ]
        await until(lambda: both.delighted.webhooks.waiting == 0, within=60)
        await both.another_round(app)
        assert [both.revisions(number) for number in numbers] == [[1]] * 6
        both.check_each_said_once()


async def test_f32_a_forged_webhook_is_refused_and_leaves_no_trace(tmp_path: Path) -> None:
    async with world(tmp_path, SEGMENT__BASE_URL="http://127.0.0.1:9") as both:
        number = both.delighted.answer(both.delighted.add_person("ana@example.org"), 9)
        headers, body = both.delighted.signed_webhook("survey_response.updated", number)
        async with both.daemon(DELIGHTED__PULL="false") as app:
            assert await both.hook(app, headers, body.replace(b":9", b":1")) == 401
            assert await both.hook(app, {}, body) == 401
            assert (await app.store.ledger()).accepted == 0


async def test_a_signed_webhook_that_is_no_json_is_told_apart(tmp_path: Path) -> None:
    async with world(tmp_path) as both, both.daemon() as app:
        body = b'{"event_type": "survey_response.created", "event_data": '
        signature = hmac.new(both.delighted.api_key.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Delighted-Webhook-Signature": f"sha256={signature}"}
        assert await both.hook(app, headers, body) == 400
        assert (await app.store.ledger()).accepted == 0


async def test_news_without_a_time_of_change_are_found_as_well(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.change_switches({"updated_at": "null_until_edited", "updated_since_matches_null": False})
        async with both.daemon():
            await both.history_read()
            number = both.delighted.answer(both.delighted.add_person("ana@example.org"), 9)
            await until(lambda: both.revisions(number) == [1], within=TWO_ROUNDS)
            both.delighted.edit(number, comment="At last")
            await until(lambda: both.revisions(number) == [1, 2], within=TWO_ROUNDS)


async def test_a_backdated_answer_is_found_by_the_hourly_look_back(tmp_path: Path) -> None:
    async with world(tmp_path) as both, both.daemon():
        person = both.delighted.add_person("ana@example.org")
        first = both.delighted.answer(person, 9)
        await until(lambda: both.revisions(first) == [1], within=TWO_ROUNDS)
        backdated = both.delighted.answer(person, 2, created_at=both.second() - 86_400)
        await until(lambda: both.revisions(backdated) == [1], within=2 * 3600, look_every=30.0)


async def test_a_row_that_cannot_be_used_is_on_the_shelf_and_named_in_the_log(tmp_path: Path) -> None:
    async with world(tmp_path) as both, both.daemon() as app:
        await both.history_read()
        bad = both.delighted.answer(both.delighted.add_person("ana@example.org"), 11)
        good = both.delighted.answer(both.delighted.add_person("ben@example.org"), 9)
        await until(lambda: both.revisions(good) == [1], within=TWO_ROUNDS)
        [shelved] = await dead(app)
        assert both.said_of(bad) == []
    assert (shelved.kind, shelved.reason) == ("record", "/score: is not a whole number from 0 to 10")
    assert b"ana@example.org" in shelved.body
    assert [line.extra["reason"] for line in both.told if "shelf" in line.message] == [shelved.reason]

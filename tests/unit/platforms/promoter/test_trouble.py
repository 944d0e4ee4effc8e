"""What Promoter.io, or something in its place, may answer instead of feedback."""

from collections.abc import Callable

import pytest

from npsbridge.core.ports import Lookup
from npsbridge.errors import Gone, PersonMustAct, TryLater, UnreadablePage
from npsbridge.platforms.promoter.check import check
from npsbridge.sandbox import faults
from npsbridge.sandbox.faults import Answer
from npsbridge.sandbox.promoter import PromoterServer
from npsbridge.sandbox.rate import RateLimit
from unit.platforms.promoter.engine import DAY, Engine, load
from unit.sandbox.calling import Hands


def throttled(detail: str = "", **headers: str) -> Answer:
    return Answer(status=429, headers=headers, body=f'{{"detail":"{detail}"}}')


WAIT = "Request was throttled. Expected available in 42.0 seconds."


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (throttled(WAIT, **{"Retry-After": "17"}), 17),
        (throttled(WAIT, **{"Retry-After": "86400"}), 300),
        (throttled(WAIT), 42),
        (throttled("Expected available in 1 second."), 1),
        (throttled("Expected available in 9999999 seconds."), 300),
        (throttled("Slow down."), 60),
        (Answer(status=429, body="<html>"), 60),
    ],
)
async def test_f22_a_429_says_how_long_to_wait(
    server: PromoterServer, engine: Engine, answer: Answer, seconds: float
) -> None:
    server.faults.add(answer)
    with pytest.raises(TryLater, match="429") as caught:
        await engine.poll()
    assert caught.value.after == seconds


async def test_f22_after_a_429_the_same_page_is_asked_for_again(server: PromoterServer, engine: Engine) -> None:
    ids = load(server, [1] * 450)
    server.faults.add(throttled(), path="page=3")
    with pytest.raises(TryLater):
        await engine.poll()
    reached = len(server.requests)
    assert max(await engine.poll()) == ids[-1]
    assert "page=3" in engine.asked(reached)[0]


async def test_f22_a_limit_below_ours_slows_the_history_down_and_does_not_stop_it(
    server: PromoterServer, engine: Engine, hands: Hands
) -> None:
    ids = load(server, [700 - at / 3 for at in range(2000)])
    server.change_switches({"rate_limit": RateLimit(requests=3)})
    for _ in range(60):
        try:
            await engine.poll()
            break
        except TryLater as trouble:
            hands.forward(trouble.after or 1)
    assert len(engine.stored) == len(ids)


async def test_f25_every_second_request_may_fail(server: PromoterServer, engine: Engine) -> None:
    ids = load(server, [700 - at / 3 for at in range(2000)])
    server.faults.add(faults.status(503), times=None, every=2, path=lambda target: "70-01-01" not in target)
    for _ in range(200):
        try:
            await engine.poll()
            break
        except TryLater:
            continue
    assert len(engine.stored) == len(ids)


@pytest.mark.parametrize("code", [500, 502, 503, 504, 408])
async def test_passing_trouble_moves_nothing(server: PromoterServer, engine: Engine, code: int) -> None:
    load(server, [1])
    await engine.poll()
    before = engine.checkpoint
    server.faults.add(faults.status(code))
    with pytest.raises(TryLater):
        await engine.poll()
    assert engine.checkpoint == before


@pytest.mark.parametrize("standing", ["unauthorized", "forbidden"])
async def test_f23_a_refused_key_names_its_setting(server: PromoterServer, engine: Engine, standing: str) -> None:
    server.change_switches({"standing": standing})
    with pytest.raises(PersonMustAct, match="NPSBRIDGE_PROMOTER__API_KEY"):
        await engine.poll()


async def test_an_ended_service_is_gone(server: PromoterServer, engine: Engine) -> None:
    await engine.poll()
    server.change_switches({"standing": "retired"})
    with pytest.raises(Gone):
        await engine.poll()


UNREADABLE = [
    faults.html(),
    faults.empty(),
    faults.null(),
    faults.error_object(),
    Answer(body='{"detail":"Not found."}'),
    Answer(body='{"detail":"Request was throttled."}'),
    Answer(body='{"count":1,"results":{}}'),
    Answer(body='{"count":"many","results":[]}'),
    Answer(body='{"results":[]}'),
    Answer(body="[]"),
    Answer(body='{"count":1,"next":"http://[bad","results":[]}'),
    faults.redirect("https://www.example.test/"),
    faults.redirect("/api/v3/feedback/", 301),
]


@pytest.mark.parametrize("answer", UNREADABLE)
async def test_f26_f27_anything_but_the_list_is_an_outage_and_never_an_empty_list(
    server: PromoterServer, engine: Engine, answer: Answer
) -> None:
    load(server, [1])
    await engine.poll()
    before = engine.checkpoint
    server.faults.add(answer)
    with pytest.raises(UnreadablePage) as caught:
        await engine.poll()
    assert engine.checkpoint == before
    assert caught.value.location.startswith("/v2/feedback/?posted_date_0=")


async def test_f27_next_never_leads_to_another_host(server: PromoterServer, engine: Engine) -> None:
    server.change_switches({"next_origin": "https://elsewhere.test", "page_size": 3})
    ids = load(server, [1, 1, 1, 1, 1, 1, 1])
    assert await engine.poll() == ids


async def test_the_key_goes_out_as_a_token_and_every_path_ends_with_a_slash(
    server: PromoterServer, engine: Engine
) -> None:
    ids = load(server, [1])
    await engine.poll()
    await engine.source.look_up([str(ids[0])])
    assert {request.headers["Authorization"] for request in server.requests} == {f"Token {server.api_key}"}
    assert all(request.path.endswith("/") for request in server.requests)


# --- two versions, and filters that do nothing ------------------------------------------------------------------


async def test_an_account_without_v2_is_read_through_v1_and_that_is_remembered(
    server: PromoterServer, engine: Engine
) -> None:
    server.change_switches({"has_v2": False, "times": "unpadded", "v1_campaign": "name"})
    ids = load(server, [40, 1])
    assert await engine.poll() == ids
    asked = len(server.requests)
    engine.restarted()
    assert await engine.poll() == []
    assert not any("/v2/" in target for target in engine.asked(asked))


async def test_an_address_without_any_feedback_names_its_setting(
    server: PromoterServer, connect: Callable[..., Engine]
) -> None:
    with pytest.raises(PersonMustAct, match="NPSBRIDGE_PROMOTER__BASE_URL"):
        await connect(base_url=server.origin).poll()


async def test_a_version_that_vanishes_later_is_told(server: PromoterServer, engine: Engine) -> None:
    await engine.poll()
    server.change_switches({"has_v2": False})
    with pytest.raises(PersonMustAct, match="404"):
        await engine.poll()


async def test_filters_that_do_nothing_are_found_out_and_everything_is_scanned(
    server: PromoterServer, engine: Engine, hands: Hands
) -> None:
    server.change_switches({"filters_work": False})
    ids = load(server, [900 - at for at in range(700)])
    assert await engine.poll() == ids
    assert await engine.cost() == 1
    new = server.answer("ana@acme.test", 9)
    assert await engine.poll() == [new]
    server.edit(ids[650], comment="late")
    hands.forward(3600)
    assert await engine.poll() == [ids[650]]


async def test_without_filters_and_without_history_only_news_counts(
    server: PromoterServer, connect: Callable[..., Engine], hands: Hands
) -> None:
    server.change_switches({"filters_work": False})
    load(server, [900, 1, 0])
    engine = connect(backfill=False)
    assert await engine.poll() == []
    hands.forward(DAY)
    new = server.answer("ana@acme.test", 9)
    assert await engine.poll() == [new]


# --- hints ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_id", ["found", "missing", "put_only"])
async def test_f32_a_hint_brings_what_polling_would_have_brought(
    server: PromoterServer, engine: Engine, by_id: str
) -> None:
    server.change_switches({"v2_by_id": by_id})
    ids = load(server, [3] * 120, survey_attributes={"request_id": "r-1"})
    await engine.poll()
    assert set(await engine.source.look_up([str(ids[70])])) <= set(engine.stored)


async def test_a_hint_of_a_v1_account_is_read_through_v1(server: PromoterServer, engine: Engine) -> None:
    server.change_switches({"has_v2": False})
    ids = load(server, [3])
    [record] = await engine.source.look_up([str(ids[0])])
    await engine.poll()
    assert engine.stored == [record]


async def test_a_removed_feedback_is_left_out(server: PromoterServer, engine: Engine) -> None:
    ids = load(server, [3, 2])
    server.remove(ids[0])
    lookup: Lookup = engine.source
    found = await lookup.look_up([str(ids[0]), str(ids[1]), str(ids[1])])
    assert len(found) == 1


async def test_a_retired_service_does_not_make_a_hint_an_error(server: PromoterServer, engine: Engine) -> None:
    ids = load(server, [3])
    await engine.poll()
    server.change_switches({"standing": "retired"})
    assert await engine.source.look_up([str(ids[0])]) == []


@pytest.mark.parametrize("answer", [faults.html(), Answer(body='{"id":5}'), Answer(body='{"detail":"no"}')])
async def test_an_answer_that_is_another_feedback_is_an_outage(
    server: PromoterServer, engine: Engine, answer: Answer
) -> None:
    ids = load(server, [3])
    await engine.poll()
    server.faults.add(answer)
    with pytest.raises(UnreadablePage):
        await engine.source.look_up([str(ids[0])])


# --- check ------------------------------------------------------------------------------------------------------


async def checked(engine: Engine) -> list[tuple[bool | None, str]]:
    return [(finding.is_good, finding.text) for finding in await check(engine.wiring())]


async def test_check_says_what_works_and_what_it_cannot_prove(engine: Engine) -> None:
    (is_good, text), *others = await checked(engine)
    assert (is_good, "v2" in text, "NPSBRIDGE_PROMOTER__API_KEY" in text) == (True, True, True)
    assert {is_good for is_good, _ in others} == {None}
    assert any("webhook" in text for _, text in others)


async def test_f45_check_names_a_bad_key_and_filters_that_do_nothing(server: PromoterServer, engine: Engine) -> None:
    server.change_switches({"filters_work": False})
    load(server, [1])
    assert any("ignores the date filters" in text for _, text in await checked(engine))
    server.api_key = "another"
    [(is_good, text)] = await checked(engine)
    assert (is_good, "NPSBRIDGE_PROMOTER__API_KEY" in text) == (False, True)


async def test_f27_no_key_follows_a_redirect(server: PromoterServer, engine: Engine) -> None:
    async with PromoterServer() as target:
        server.faults.add(faults.redirect(f"{target.base_url}/v2/feedback/"))
        with pytest.raises(UnreadablePage):
            await engine.poll()
        assert list(target.requests) == []

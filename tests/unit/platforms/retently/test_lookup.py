"""Single answers that a webhook hinted at, read back from the API."""

import orjson
import pytest

from npsbridge.core.ports import Lookup
from npsbridge.errors import Gone, PersonMustAct, TryLater, UnreadablePage, VendorError
from npsbridge.sandbox.faults import Answer, html, status
from unit.platforms.retently.bench import DAY, NOW_MS, Bench, read


async def looked_up(source: Lookup, *hints: str) -> list[str]:
    return [orjson.loads(record)["id"] for record in await source.look_up(hints)]


@pytest.mark.parametrize("shape", ["list", "object"])
async def test_an_answer_is_found_by_its_id(bench: Bench, shape: str) -> None:
    bench.server.change_switches({"one_response": shape})
    ids = bench.load(3)
    assert await looked_up(bench.source(), ids[1]) == [ids[1]]


async def test_what_is_read_back_is_what_a_poll_reads(bench: Bench) -> None:
    ids = bench.load(3, comment="näh 🎉")
    polled = await read(bench.source())
    assert await bench.source().look_up(ids[:1]) == [polled.pages[1].records[0]]


async def test_answers_are_found_by_email_whatever_its_case(bench: Bench) -> None:
    answered = [bench.server.answer("ana@example.org", score) for score in (3, 9)]
    bench.server.answer("ben@example.org", 9)
    assert set(await looked_up(bench.source(), "Ana@Example.org")) == set(answered)


async def test_an_email_helps_where_the_id_is_none(bench: Bench) -> None:
    answered = bench.server.answer("ana@example.org", 9)
    assert await looked_up(bench.source(), f"ana@example.org {'0' * 24}") == [answered]
    assert [request.partition("?")[0] for request in bench.asked] == [f"/feedback/{'0' * 24}", "/feedback"]


async def test_a_server_that_does_not_filter_by_email_tells_of_nobody_else(bench: Bench) -> None:
    bench.server.answer("ben@example.org", 9)
    everything = await read(bench.source())
    body = b'{"data":{"responses":[' + everything.pages[1].records[0] + b"]}}"
    bench.server.faults.add(Answer(headers={"Content-Type": "application/json"}, body=body.decode()))
    assert await looked_up(bench.source(), "ana@example.org") == []


@pytest.mark.parametrize("hint", ["0" * 24, "malformed", "..", "a/b?c", "nobody@example.org", ""])
async def test_what_is_not_there_is_left_out(bench: Bench, hint: str) -> None:
    bench.load(3)
    assert await looked_up(bench.source(), hint) == []
    assert all(request.partition("?")[0].startswith("/feedback") for request in bench.asked)


async def test_the_id_of_a_campaign_brings_no_answers(bench: Bench) -> None:
    bench.load(3)
    assert await looked_up(bench.source(), bench.server.account.default_campaign) == []


async def test_the_same_hint_is_asked_once(bench: Bench) -> None:
    [answered] = bench.load(1)
    assert await looked_up(bench.source(), answered, answered) == [answered]
    assert len(bench.asked) == 1


async def test_an_email_brings_nothing_that_was_there_before_we_came(bench: Bench) -> None:
    bench.server.answer("ana@example.org", 3, created_ms=NOW_MS - DAY * 1000)
    source = bench.source(backfill=False)
    await read(source)
    fresh = bench.server.answer("ana@example.org", 9)
    assert await looked_up(source, "ana@example.org") == [fresh]


@pytest.mark.parametrize("hint", ["f" * 24, "ana@example.org"])
@pytest.mark.parametrize(
    ("fault", "error"), [(status(401), PersonMustAct), (status(410), Gone), (html(), UnreadablePage)]
)
async def test_trouble_is_raised_so_that_the_hint_is_kept(
    bench: Bench, hint: str, fault: Answer, error: type[VendorError]
) -> None:
    bench.server.faults.add(fault)
    with pytest.raises(error):
        await bench.source().look_up([hint])


async def test_no_email_is_in_what_goes_to_the_shelf(bench: Bench) -> None:
    bench.server.faults.add(html())
    with pytest.raises(UnreadablePage) as caught:
        await bench.source().look_up(["ana@example.org"])
    assert "ana" not in caught.value.location + str(caught.value)


async def test_by_email_nothing_is_read_back_before_it_is_known_which_answers_are_wanted(bench: Bench) -> None:
    bench.load(1)
    source = bench.source(backfill=False)
    with pytest.raises(TryLater, match="not begun"):
        await source.look_up(["p0@example.org"])
    await read(source)
    assert await source.look_up(["p0@example.org"]) == []

"""Reading a platform's history by hand."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

import databases
from npsbridge.cli.backfill import patiently
from npsbridge.clock import Clock
from npsbridge.core.ports import Page
from npsbridge.core.records import JournalEntry
from npsbridge.errors import TryLater
from npsbridge.sandbox import DelightedServer, PastAnswer, SegmentServer
from npsbridge.store import open_store
from unit.cli.commands import Ended, between

Backfill = Callable[..., Awaitable[Ended]]

DAY = 86_400
NEW_YEAR = 1_767_225_600  # 2026-01-01T00:00:00Z
SCORES = [10, 9, 8, 3]


@pytest.fixture
async def delighted() -> AsyncIterator[DelightedServer]:
    async with DelightedServer() as server:
        server.load(
            PastAnswer(email=f"{number}@example.com", score=score, created_at=NEW_YEAR + number * DAY)
            for number, score in enumerate(SCORES)
        )
        yield server


@pytest.fixture
def backfill(delighted: DelightedServer, beside: Callable[..., Awaitable[Ended]]) -> Backfill:
    """The command against the look-alike, with a Segment that must not be needed."""

    async def run(*arguments: str, **changes: str) -> Ended:
        named = {f"NPSBRIDGE_{name}": text for name, text in changes.items()}
        return await beside("backfill", *arguments, environ=between(delighted, SegmentServer(port=9)) | named)

    return run


async def journaled(folder: Path) -> list[JournalEntry]:
    """What waits in the journal of the working folder's store."""
    async with open_store(f"sqlite:///{folder}/npsbridge.db", clock=Clock(), exclusive=False) as store:
        return await store.unrouted(100)


def has_store(folder: Path) -> bool:
    return any(folder.iterdir())


async def made_store(folder: Path) -> None:
    async with open_store(f"sqlite:///{folder}/npsbridge.db", clock=Clock()):
        pass


async def test_a_dry_run_reports_and_keeps_nothing(backfill: Backfill, tmp_path: Path) -> None:
    ended = await backfill("delighted", "--dry-run")
    assert ended.code == 0
    assert ended.out.startswith("delighted: 4 responses, 4 NPS scores, NPS 25.0, 0 unusable\n")
    assert not has_store(tmp_path)


async def test_the_report_can_be_json(backfill: Backfill) -> None:
    ended = await backfill("delighted", "--dry-run", "--json")
    assert json.loads(ended.out) == {
        "connection": "delighted",
        "responses": 4,
        "promoters": 2,
        "passives": 1,
        "detractors": 1,
        "nps": 25.0,
        "unusable": [],
        "journaled": False,
    }


async def test_in_a_pipe_there_is_no_progress_bar(backfill: Backfill) -> None:
    ended = await backfill("delighted", "--dry-run")
    assert ended.err == ""
    assert "\x1b" not in ended.out


async def test_rows_that_come_on_two_pages_are_counted_once(backfill: Backfill, delighted: DelightedServer) -> None:
    delighted.load(PastAnswer(email=None, score=9, created_at=NEW_YEAR + 5 * DAY + second) for second in range(250))
    ended = await backfill("delighted", "--dry-run")
    assert ended.out.startswith("delighted: 254 responses, 254 NPS scores")


@pytest.mark.parametrize(
    ("span", "count"),
    [
        (["--since", "2026-01-02"], 3),
        (["--until", "2026-01-02"], 2),
        (["--until", "2026-01-01T23:59:59Z"], 1),
        (["--since", "2026-01-02", "--until", "2026-01-03T00:00:00+00:00"], 2),
    ],
)
async def test_a_span_takes_in_both_of_its_ends(backfill: Backfill, span: list[str], count: int) -> None:
    ended = await backfill("delighted", "--dry-run", *span)
    assert ended.out.startswith(f"delighted: {count} responses")


@pytest.mark.parametrize("until", ["2026-01-01", "2026-01-01T23:59:59Z"])
async def test_a_span_that_ends_before_it_begins_is_refused(
    backfill: Backfill, delighted: DelightedServer, until: str
) -> None:
    ended = await backfill("delighted", "--since", "2026-01-02", "--until", until)
    assert (ended.code, "--since 2026-01-02 is later than --until" in ended.err) == (64, True)
    assert len(delighted.requests) == 0


async def test_what_was_read_waits_in_the_journal(backfill: Backfill, tmp_path: Path) -> None:
    await made_store(tmp_path)
    ended = await backfill("delighted")
    assert ended.code == 0
    [entry] = await journaled(tmp_path)
    assert [row["score"] for row in json.loads(entry.body)] == SCORES


async def test_without_a_store_nothing_is_asked_and_none_is_made(backfill: Backfill, tmp_path: Path) -> None:
    ended = await backfill("delighted")
    assert (ended.code, "npsbridge run" in ended.err) == (65, True)
    assert not has_store(tmp_path)


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
async def test_i7_where_replicas_share_the_limit_of_an_account_each_request_is_booked(
    backfill: Backfill, delighted: DelightedServer, options: list[str]
) -> None:
    url = databases.postgres_url()
    async with open_store(url, clock=Clock()) as store:
        assert (await backfill("delighted", *options, STORE_URL=url)).code == 0
        asked = len(delighted.requests)
        assert asked
        assert await store.leases.book("delighted", limit=asked + 1, seconds=60.0) == 0.0
        assert await store.leases.book("delighted", limit=asked + 1, seconds=60.0) > 0.0


async def test_i7_a_dry_run_before_there_is_a_database_goes_without_and_makes_nothing(backfill: Backfill) -> None:
    url = databases.the_server().url("not_made_yet")
    assert (await backfill("delighted", "--dry-run", STORE_URL=url)).code == 0
    ended = await backfill("delighted", STORE_URL=url)
    assert (ended.code, "there is no store" in ended.err) == (65, True)


class Troubled:
    """A source of three pages that is in trouble before each of them."""

    connection = "delighted"
    poll_interval = 60.0

    def __init__(self, *, troubles: int) -> None:
        self._troubles = troubles
        self.asked: list[bytes | None] = []

    async def read(self, checkpoint: bytes | None) -> AsyncIterator[Page]:
        """Go on behind the checkpoint, after as many failures as there are to be."""
        self.asked.append(checkpoint)
        if self.asked.count(checkpoint) <= self._troubles:
            raise TryLater("HTTP 503")
        number = int(checkpoint or b"0") + 1
        yield Page(records=[], checkpoint=b"%d" % number, backfilling=number < 3)
        raise TryLater("HTTP 503")


@pytest.mark.looptime
async def test_f25_passing_trouble_is_waited_out_and_reading_goes_on_where_it_was() -> None:
    pages = [page.checkpoint async for page in patiently(Troubled(troubles=2))]
    assert pages == [b"1", b"2", b"3"]


@pytest.mark.looptime
async def test_trouble_that_does_not_pass_is_told() -> None:
    source = Troubled(troubles=100)
    with pytest.raises(TryLater):
        _ = [page async for page in patiently(source)]
    assert source.asked == [None] * 6


async def test_f23_a_refused_key_ends_it_and_names_the_setting(backfill: Backfill) -> None:
    ended = await backfill("delighted", "--dry-run", DELIGHTED__API_KEY="another-key")
    assert ended.code == 69
    assert "NPSBRIDGE_DELIGHTED__API_KEY" in ended.err
    assert "another-key" not in ended.err


async def test_a_connection_that_is_not_read_can_be_looked_at_but_not_journaled(backfill: Backfill) -> None:
    assert (await backfill("delighted", "--dry-run", DELIGHTED__PULL="false")).code == 0
    refused = await backfill("delighted", DELIGHTED__PULL="false")
    assert (refused.code, refused.err) == (78, "npsbridge: NPSBRIDGE_DELIGHTED__PULL: is false\n")


async def test_a_connection_without_history_is_a_mistake(backfill: Backfill) -> None:
    ended = await backfill("segment")
    assert (ended.code, ended.err) == (64, "npsbridge: segment has no history to read\n")


async def test_an_unknown_connection_is_a_mistake_that_lists_the_known_ones(backfill: Backfill) -> None:
    ended = await backfill("deligthed")
    assert ended.code == 64
    assert ended.err == "npsbridge: there is no connection deligthed; configured: delighted, segment\n"

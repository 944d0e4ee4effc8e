"""Archives of every platform, by the real command, as they arrive at Segment: to the messageId as if polled."""

import csv
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from clients.verbatims import verbatims_path
from end_to_end.harness import Call, until
from end_to_end.process import daemon_process
from npsbridge.app import App, running
from npsbridge.app.parts import wire
from npsbridge.clock import Clock
from npsbridge.core.model import Response
from npsbridge.core.records import Ledger
from npsbridge.core.times import iso_utc
from npsbridge.metrics import Metrics
from npsbridge.net.client import open_session
from npsbridge.platforms import available, settings_classes
from npsbridge.sandbox import DelightedServer, PastAnswer, SegmentServer
from npsbridge.sandbox.promoter import PastFeedback as PromoterFeedback
from npsbridge.sandbox.promoter import PromoterServer
from npsbridge.sandbox.retently import PastFeedback as RetentlyFeedback
from npsbridge.sandbox.retently import RetentlyServer
from npsbridge.sandbox.satismeter import PastAnswer as SatisMeterAnswer
from npsbridge.sandbox.satismeter import SatisMeterServer
from npsbridge.settings import Settings, load
from stores import store_url
from unit.cli.commands import Ended, command

ANSWERS = 60
DAY = 86_400


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """A look-alike with a history, and the settings that lead to it."""

    name: str
    settings: dict[str, str]


def history() -> list[dict[str, Any]]:
    """Answers of the last month, of people some of whom answered twice."""
    first = Clock().now_ms() // 1000 - 30 * DAY
    return [
        {
            "email": f"p{n % 40}@example.org",
            "score": n % 11,
            "comment": f"because {n} 😀" if n % 3 else None,
            "at": first + n * DAY // 3,
        }
        for n in range(ANSWERS)
    ]


@asynccontextmanager
async def delighted() -> AsyncIterator[Vendor]:
    async with DelightedServer() as server:
        server.load(
            PastAnswer(email=one["email"], score=one["score"], comment=one["comment"], created_at=one["at"])
            for one in history()
        )
        yield Vendor(name="delighted", settings={"API_KEY": server.api_key, "BASE_URL": server.base_url})


@asynccontextmanager
async def retently() -> AsyncIterator[Vendor]:
    async with RetentlyServer() as server:
        server.load(
            RetentlyFeedback(
                email=one["email"], score=one["score"], comment=one["comment"], created_ms=one["at"] * 1000
            )
            for one in history()
        )
        yield Vendor(name="retently", settings={"API_KEY": server.api_key, "BASE_URL": server.base_url})


@asynccontextmanager
async def satismeter() -> AsyncIterator[Vendor]:
    async with SatisMeterServer() as server:
        server.load(
            SatisMeterAnswer(email=one["email"], score=one["score"], comment=one["comment"], created_at=one["at"])
            for one in history()
        )
        settings = {"API_KEY": server.api_key, "PROJECT_ID": server.project_id, "BASE_URL": server.base_url}
        yield Vendor(name="satismeter", settings=settings)


@asynccontextmanager
async def promoter() -> AsyncIterator[Vendor]:
    async with PromoterServer() as server:
        server.load(
            PromoterFeedback(email=one["email"], score=one["score"], comment=one["comment"], posted_at=one["at"])
            for one in history()
        )
        yield Vendor(name="promoter", settings={"API_KEY": server.api_key, "BASE_URL": server.base_url})


VENDORS = [delighted, retently, satismeter, promoter]


# --- reading and writing ----------------------------------------------------------------------------------------


def environment(folder: Path, segment: SegmentServer, vendor: Vendor | None = None) -> dict[str, str]:
    """Settings of a daemon; without a vendor, of one whose service is gone."""
    folder.mkdir(exist_ok=True)
    since = iso_utc(Clock().now() - timedelta(days=40))
    own = {"RATE_LIMIT": "0", "BACKFILL_SINCE": since, **vendor.settings} if vendor else {}
    return {
        "NPSBRIDGE_STORE_URL": store_url(folder),
        "NPSBRIDGE_LISTEN": "127.0.0.1:0",
        "NPSBRIDGE_ADMIN_LISTEN": "127.0.0.1:0",
        "NPSBRIDGE_SEGMENT__WRITE_KEY": segment.write_keys[0],
        "NPSBRIDGE_SEGMENT__BASE_URL": segment.base_url,
        "NPSBRIDGE_SEGMENT__RATE_LIMIT": "0",
        **{f"NPSBRIDGE_{vendor.name.upper()}__{name}": value for name, value in own.items() if vendor},
    }


def settings_of(environ: dict[str, str]) -> Settings:
    return load(settings_classes(), environ=environ)


@asynccontextmanager
async def daemon(environ: dict[str, str]) -> AsyncIterator[App]:
    async with running(settings_of(environ)) as app:
        yield app


async def told(app: App, accepted: int) -> Ledger:
    """Wait until so many records are accepted and nothing of them is left to do; the ledger then."""

    async def is_done() -> bool:
        now = await app.store.ledger()
        return now.waiting == 0 and now.accepted >= accepted

    await until(is_done, within=60)
    return await app.store.ledger()


async def rows_read(folder: Path, vendor: Vendor, segment: SegmentServer) -> list[bytes]:
    """The vendor's own objects, as its API shows them to a poll."""
    connection = settings_of(environment(folder, segment, vendor)).connections[vendor.name]
    platform = available()[vendor.name]
    assert platform.source is not None
    async with open_session() as session:
        source = platform.source(wire(connection, platform, session, Metrics(), Clock()))
        found = [record async for page in source.read(None) for record in page.records]
    return list(dict.fromkeys(found))


async def polled(folder: Path, vendor: Vendor) -> tuple[set[str], list[bytes]]:
    """The messageIds that a daemon tells Segment of a vendor's history, and the history."""
    async with SegmentServer() as segment:
        rows = await rows_read(folder, vendor, segment)
        async with daemon(environment(folder, segment, vendor)) as app:
            await until(lambda: segment.counts["Submit Survey"] >= len(rows), within=60)
            await told(app, len(rows))
        return segment.message_ids, rows


async def imported(folder: Path, file: Path, connection: str, *options: str) -> tuple[set[str], Ended]:
    """The messageIds that a daemon tells Segment of an archive that was imported before it started."""
    async with SegmentServer() as segment:
        environ = environment(folder, segment)
        ended = await command("import", str(file), "--connection", connection, *options, environ=environ)
        async with daemon(environ) as app:
            await told(app, 1)
        return segment.message_ids, ended


def as_lines(rows: Sequence[bytes]) -> bytes:
    return b"".join(row + b"\n" for row in rows)


def as_array(rows: Sequence[bytes]) -> bytes:
    return orjson.dumps([orjson.loads(row) for row in rows], option=orjson.OPT_INDENT_2)


def as_table(path: Path, header: Sequence[str], responses: Sequence[Response], *, day_first: bool) -> Path:
    """Responses as somebody's CSV export."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(header)
        for one in responses:
            answered = one.created_at.strftime("%d/%m/%Y %H:%M:%S") if day_first else one.created_at.isoformat()
            table.writerow([one.id, one.person.email, one.score, one.comment, answered])
    return path


# --- as if polled -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vendor_made", VENDORS)
async def test_an_archive_of_a_platforms_own_objects_is_told_as_if_it_had_been_polled(
    tmp_path: Path, vendor_made: Callable[[], Any]
) -> None:
    async with vendor_made() as vendor:
        expected, rows = await polled(tmp_path / "polled", vendor)
    (tmp_path / "rows.jsonl").write_bytes(as_lines(rows))
    (tmp_path / "rows.json").write_bytes(as_array(rows))
    from_lines, _ = await imported(tmp_path / "lines", tmp_path / "rows.jsonl", vendor.name)
    from_array, ended = await imported(tmp_path / "array", tmp_path / "rows.json", vendor.name)
    assert len(rows) == ANSWERS
    assert from_lines == expected
    assert from_array == expected
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize("vendor_made", VENDORS)
async def test_a_table_of_the_same_answers_is_told_under_the_same_message_ids(
    tmp_path: Path, vendor_made: Callable[[], Any]
) -> None:
    async with vendor_made() as vendor:
        expected, rows = await polled(tmp_path / "polled", vendor)
    parse = available()[vendor.name].parse
    assert parse is not None
    responses = [parse(vendor.name, row) for row in rows]
    usual = as_table(tmp_path / "a.csv", ["ID", "Email", "Score", "Comment", "Date"], responses, day_first=False)
    odd = as_table(tmp_path / "b.csv", ["nr", "who", "mark", "words", "when"], responses, day_first=True)
    mapping = [f"--map={pair}" for pair in ("id=nr", "email=who", "score=mark", "comment=words", "created_at=when")]
    guessed, _ = await imported(tmp_path / "guessed", usual, vendor.name)
    mapped, _ = await imported(tmp_path / "mapped", odd, vendor.name, *mapping, "--date-format=%d/%m/%Y %H:%M:%S")
    assert guessed == expected
    assert mapped == expected


# --- again, and beside a daemon ---------------------------------------------------------------------------------


def simple_archive(path: Path, count: int) -> Path:
    with path.open("wb") as file:
        for n in range(count):
            row = {"id": str(n), "score": n % 11, "created_at": 1_767_225_600 + n}
            file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
    return path


async def test_a_second_import_of_the_same_file_tells_nothing(tmp_path: Path) -> None:
    file = simple_archive(tmp_path / "rows.jsonl", 50)
    async with SegmentServer() as segment:
        environ = environment(tmp_path, segment)
        await command("import", str(file), "--connection", "delighted", environ=environ)
        async with daemon(environ) as app:
            await told(app, 50)
            before = len(segment.events)
            assert (await command("import", str(file), "--connection", "delighted", environ=environ)).code == 0
            after = await told(app, 100)
        assert (before, len(segment.events)) == (50 * 2, 50 * 2)
    assert (after.duplicate, after.imbalance) == (50, 0)


async def test_an_archive_that_is_imported_beside_a_running_daemon_is_told_by_it(tmp_path: Path) -> None:
    file = simple_archive(tmp_path / "rows.jsonl", 500)
    async with SegmentServer() as segment:
        environ = environment(tmp_path, segment)
        plain = {name.removeprefix("NPSBRIDGE_"): value for name, value in environ.items()}
        async with daemon_process(tmp_path, plain) as running_daemon:
            await running_daemon.ready()
            ended = await command("import", str(file), "--connection", "delighted", environ=environ)
            await until(lambda: segment.counts["Submit Survey"] == 500)
    assert (ended.code, ended.err) == (0, "")


async def test_a_connection_that_neither_pulls_nor_forwards_takes_an_archive_without_a_key(tmp_path: Path) -> None:
    file = simple_archive(tmp_path / "rows.jsonl", 3)
    async with SegmentServer() as segment:
        own = {"PLATFORM": "delighted", "PULL": "false", "FORWARD": "false"}
        environ = environment(tmp_path, segment)
        environ |= {f"NPSBRIDGE_CONNECTIONS__OLD__{name}": value for name, value in own.items()}
        assert (await command("import", str(file), "--connection", "old", environ=environ)).code == 0
        async with daemon(environ) as app:
            await told(app, 1)
    submitted: list[Call] = segment.tracks("Submit Survey")
    assert [call["properties"]["connection"] for call in submitted] == ["old"] * 3


async def test_a_comment_of_100_kb_with_nul_and_emoji_arrives_cut_to_what_segment_takes(tmp_path: Path) -> None:
    comment = "\0😀" * 20_000
    (tmp_path / "a.csv").write_text(f"id,score,comment,date\n1,9,{comment},2026-01-02\n", encoding="utf-8")
    async with SegmentServer() as segment:
        environ = environment(tmp_path, segment)
        ended = await command("import", str(tmp_path / "a.csv"), "--connection", "delighted", environ=environ)
        async with daemon(environ) as app:
            await told(app, 1)
    [call] = segment.tracks("Submit Survey")
    assert (ended.code, call["properties"]["comment_truncated"]) == (0, True)
    assert "😀" in call["properties"]["comment"]


@pytest.mark.clients
async def test_real_answers_are_all_told_but_those_without_a_score_and_once_only(tmp_path: Path) -> None:
    path = verbatims_path()
    asked = ("import", str(path), "--connection", "delighted", "--map=id=row", "--date-format=%d/%m/%Y %H:%M")
    async with SegmentServer() as segment:
        environ = environment(tmp_path, segment)
        first = await command(*asked, environ=environ)
        async with daemon(environ) as app:
            await told(app, 2353)
            events = len(segment.events)
            await command(*asked, environ=environ)
            await told(app, 2 * 2353)
    assert (first.code, first.out.count("column score: is missing")) == (65, 32)
    assert "2353 responses: 690 promoters, 392 passives, 1271 detractors (NPS -24.7); 32 refused" in first.out
    assert (segment.counts["Submit Survey"], len(segment.events)) == (2353, events)


# --- memory -----------------------------------------------------------------------------------------------------


TELLING_MEMORY = """
import atexit, re
from npsbridge.cli import main
atexit.register(lambda: print("peak", re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1]))
main()
"""


def measured(folder: Path, file: Path) -> tuple[float, str]:
    """MiB that importing a file takes at most, by its own account (a parent is told too much), and its words."""
    folder.mkdir()
    ended = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", TELLING_MEMORY, "import", str(file), "--connection", "delighted"],
        cwd=folder,
        env={"PATH": os.environ.get("PATH", "")},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    said, _, peak = ended.stdout.rpartition("peak ")
    return int(peak) / 1024, said


@pytest.mark.slow
def test_ten_times_the_lines_take_no_more_memory(tmp_path: Path) -> None:
    small, _ = measured(tmp_path / "small", simple_archive(tmp_path / "small.jsonl", 20_000))
    large, said = measured(tmp_path / "large", simple_archive(tmp_path / "large.jsonl", 200_000))
    assert said.startswith("200000 responses")
    assert large - small < 12


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "place"),
    [
        (b"", "line 1: the header"),
        (b'{"id":"', "line 1:"),
        (b'[{"id":1},\n{"id":"', "line 2, element 2:"),
        (b'id,score,date\n1,9,"', "line 2:"),
    ],
)
def test_a_gigabyte_without_an_end_takes_no_memory_and_is_refused_by_its_line(
    tmp_path: Path, start: bytes, place: str
) -> None:
    small, _ = measured(tmp_path / "small", simple_archive(tmp_path / "small.jsonl", 100))
    file = tmp_path / "sparse"
    file.write_bytes(start)
    os.truncate(file, 1 << 30)
    large, said = measured(tmp_path / "large", file)
    assert f"{place} is longer than 4 MiB" in said
    assert large - small < 40

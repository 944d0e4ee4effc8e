"""Trouble below the store, with real files and a real daemon: each has its own words and its own exit code (F6-F14).

Two more are elsewhere: a second daemon (75) in end_to_end/test_process.py, and a file that another user owns (77) in
unit/store/sqlite/test_opening.py.
"""

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
import pytest

from end_to_end.harness import World, until, world
from end_to_end.process import PATIENCE, Daemon, daemon_process
from npsbridge.cli.database import exit_code
from npsbridge.errors import StorePermission
from npsbridge.store.sqlite.inspection import inspect
from npsbridge.store.sqlite.opening import make_current
from npsbridge.store.sqlite.store import SqliteStore
from npsbridge.store.sqlite.upgrades import UPGRADES
from unit.cli.commands import command

KEY: Final = "key-of-the-web-shop"
PAGE: Final = 4096
ENVIRONMENT: Final = {
    "LISTEN": "127.0.0.1:0",
    "ADMIN_LISTEN": "127.0.0.1:0",
    "INGEST__WRITE_KEYS": json.dumps([KEY]),
    # Nobody listens there: what is owed stays owed.
    "SEGMENT__WRITE_KEY": "write-key",
    "SEGMENT__BASE_URL": "http://127.0.0.1:9",
}


async def track(daemon: Daemon, *, size: int = 100) -> int:
    """The status that an SDK gets for one call."""
    call = {"type": "track", "messageId": os.urandom(8).hex(), "userId": "u1", "event": "E", "properties": {}}
    body = {"writeKey": KEY, "batch": [call | {"properties": {"x": "x" * size}}]}
    url = f"http://{await daemon.address('listen')}/v1/batch"
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as answer:
        return answer.status


# --- at the start -----------------------------------------------------------------------------------------------


def empty(path: Path) -> None:
    path.write_bytes(b"")


def foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE theirs (x)")


def text(path: Path) -> None:
    path.write_text("a letter to the editor " * 1000)


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(f"PRAGMA user_version = {len(UPGRADES) + 1}")


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def torn(path: Path) -> None:
    """The last page is not whole, as a copy that ran out of room leaves it."""
    os.truncate(path, path.stat().st_size - PAGE // 2)


def corrupt(path: Path) -> None:
    """The journal's first page is noise."""
    with closing(sqlite3.connect(path)) as database:
        (page,) = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'unrouted'").fetchone()
    content = bytearray(path.read_bytes())
    content[(page - 1) * PAGE : page * PAGE] = b"\xff" * PAGE
    path.write_bytes(content)


def corrupt_header(path: Path) -> None:
    path.write_bytes(b"\x00" * 16 + path.read_bytes()[16:])


def vanished(path: Path) -> None:
    """Gone from under a WAL that holds what came last."""
    path.with_name(f"{path.name}-wal").write_bytes(b"what came last")
    path.unlink()


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def circle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """What happens to a good store, and what the next start says of it."""

    fault: str
    befall: Callable[[Path], None]
    code: int
    words: str


TROUBLES = [
    Trouble(fault="f9", befall=truncated, code=65, words="is cut short"),
    Trouble(fault="f9", befall=torn, code=65, words="is cut short"),
    Trouble(fault="f9", befall=corrupt, code=65, words="it is damaged; keep a copy, then restore a backup"),
    Trouble(fault="f9", befall=corrupt_header, code=65, words="if this was one, keep a copy, then restore a backup"),
    Trouble(fault="f10", befall=empty, code=65, words="is empty: what it held is lost, and starting afresh would"),
    Trouble(fault="f10", befall=vanished, code=65, words="is gone, but its npsbridge.db-wal is still there"),
    Trouble(fault="f14", befall=newer, code=65, words="is of a newer release"),
    Trouble(fault="f9", befall=foreign, code=65, words="belongs to another program"),
    Trouble(fault="f9", befall=text, code=65, words="NPSBRIDGE_STORE_URL must name a store of npsbridge"),
    Trouble(fault="f9", befall=folder, code=65, words="is not a file; NPSBRIDGE_STORE_URL must name a file"),
    Trouble(fault="f14", befall=circle, code=65, words="is a symbolic link that leads to itself"),
]
every_trouble = pytest.mark.parametrize(
    "trouble", TROUBLES, ids=[f"{one.fault}-{one.befall.__name__}" for one in TROUBLES]
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A good store, where a daemon looks for it."""
    path = tmp_path / "npsbridge.db"
    make_current(path)
    return path


@pytest.mark.breaks_store("on purpose")
@every_trouble
async def test_a_daemon_refuses_with_the_words_and_the_code_of_the_trouble(path: Path, trouble: Trouble) -> None:
    trouble.befall(path)
    async with daemon_process(path.parent, ENVIRONMENT) as daemon:
        assert await daemon.ended() == trouble.code
    assert trouble.words in daemon.output
    assert str(path) in daemon.output


@pytest.mark.breaks_store("on purpose")
@every_trouble
def test_db_check_says_the_same_without_starting_anything(path: Path, trouble: Trouble) -> None:
    trouble.befall(path)
    found = inspect(path)
    assert exit_code(found) == trouble.code
    assert any("restore" in one.text or trouble.words in one.text for one in found if one.is_good is False)


# --- while it runs ----------------------------------------------------------------------------------------------


def removed(path: Path) -> None:
    path.unlink()


def replaced(path: Path) -> None:
    """A backup put in its place without stopping."""
    shutil.copy(path, path.with_suffix(".backup"))
    path.with_suffix(".backup").replace(path)


def wal_removed(path: Path) -> None:
    path.with_name(f"{path.name}-wal").unlink()


@pytest.mark.parametrize("befall", [removed, replaced, wal_removed])
async def test_i1_f10_nothing_is_accepted_into_a_store_that_was_taken_away(
    path: Path, befall: Callable[[Path], None]
) -> None:
    async with daemon_process(path.parent, ENVIRONMENT) as daemon:
        assert await track(daemon) == 200
        befall(path)
        with pytest.raises((AssertionError, aiohttp.ClientError)):
            assert await track(daemon) == 200
        assert await daemon.ended() == 65
    assert "was moved, removed or replaced while it was in use" in daemon.output
    assert "before the next start put the file back, or restore a backup" in daemon.output


async def test_f10_a_store_that_was_taken_away_is_not_made_anew_at_the_next_start(path: Path) -> None:
    async with daemon_process(path.parent, ENVIRONMENT) as daemon:
        assert await track(daemon) == 200
        removed(path)
        assert await daemon.ended() == 65
    async with daemon_process(path.parent, ENVIRONMENT) as second:
        assert await second.ended() == 65
    assert "is gone, but its npsbridge.db-wal is still there" in second.output
    assert path not in files_of(path)


async def cannot_write(both: World) -> None:
    """A daemon whose store becomes read-only: nothing is taken, until it ends."""
    number = both.delighted.answer(both.delighted.add_person("ana@example.org"), 9)
    headers, body = both.delighted.signed_webhook("survey_response.created", number)
    async with both.daemon() as app:
        await both.history_read()
        assert isinstance(app.store, SqliteStore)
        await app.store._writer.run(lambda database: database.execute("PRAGMA query_only = ON").close())
        assert await both.hook(app, headers, body) == 503
        assert (await both.look(app, "/readyz"))[0] == 503
        await asyncio.Event().wait()


async def test_f8_a_store_that_becomes_read_only_is_answered_503_and_ends_the_daemon_with_77(tmp_path: Path) -> None:
    async with world(tmp_path) as both, asyncio.timeout(PATIENCE):
        with pytest.raises(StorePermission, match="must be readable and writable by this user") as failure:
            await cannot_write(both)
        assert failure.value.exit_code == 77


async def test_f12_a_backup_beside_a_daemon_holds_nobody_up_and_is_whole(path: Path) -> None:
    environ = {"NPSBRIDGE_STORE_URL": f"sqlite:///{path}"}
    async with daemon_process(path.parent, ENVIRONMENT) as daemon:
        assert await track(daemon) == 200
        backup = asyncio.create_task(command("db", "backup", f"{path}.backup", environ=environ))
        statuses = {await track(daemon)}
        while not backup.done():
            statuses.add(await track(daemon))
        made = await backup
    assert statuses == {200}
    assert (made.code, made.err) == (0, "")
    assert [found.text for found in inspect(Path(f"{path}.backup")) if found.is_good is False] == []


def files_of(path: Path) -> list[Path]:
    """The store's file and what lies beside it."""
    return list(path.parent.glob(f"{path.name}*"))


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own; only root may have one, and not in every container."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder)]
    done = subprocess.run(mount, check=False, capture_output=True)  # noqa: S603 - our own arguments
    if done.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {done.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S603, S607 - our own arguments


def make_read_only(disk: Path) -> None:
    """Mount it anew, so that nobody may write."""
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)  # noqa: S603, S607 - our own arguments


async def fill(daemon: Daemon) -> None:
    """Send until there is no room for more."""
    for _ in range(500):
        if await track(daemon, size=20_000) == 503:
            return
    pytest.fail("there was always room")


async def test_f6_a_full_disk_is_answered_503_until_there_is_room_and_nothing_is_lost(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "4m") as disk:
        settings = {**ENVIRONMENT, "STORE_URL": f"sqlite:///{disk}/npsbridge.db"}
        async with daemon_process(tmp_path, settings) as daemon:
            (disk / "filler").write_bytes(b"x" * (2 << 20))
            await fill(daemon)
            assert (await daemon.get("/readyz"))[0] == 503
            assert exit_code(inspect(disk / "npsbridge.db")) == 74
            (disk / "filler").unlink()
            await until(lambda: is_ready(daemon), within=30)
            assert await track(daemon) == 200
            daemon.send(signal.SIGTERM)
            assert await daemon.ended() == 0
        assert exit_code([one for one in inspect(disk / "npsbridge.db") if one.subject != "room"]) == 0


async def test_f6_a_start_on_a_disk_without_any_room_ends_with_74_and_says_what_is_needed(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "4m") as disk:
        settings = {**ENVIRONMENT, "STORE_URL": f"sqlite:///{disk}/npsbridge.db"}
        async with daemon_process(tmp_path, settings) as daemon:
            assert await track(daemon) == 200
            daemon.send(signal.SIGKILL)
            await daemon.ended()
        with (disk / "filler").open("wb", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(b"x" * PAGE)
        async with daemon_process(tmp_path, settings) as daemon:
            assert await daemon.ended() == 74
        assert "free some room on the disk, nothing else is needed" in daemon.output
        assert "Traceback" not in daemon.output
        (disk / "filler").unlink()
        async with daemon_process(tmp_path, settings) as daemon:
            assert await track(daemon) == 200
        assert exit_code([one for one in inspect(disk / "npsbridge.db") if one.subject != "room"]) == 0


async def is_ready(daemon: Daemon) -> bool:
    """Whether it says that it can accept."""
    return (await daemon.get("/readyz"))[0] == 200


async def test_f8_a_read_only_disk_ends_with_77_and_says_so(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "4m") as disk:
        make_current(disk / "npsbridge.db")
        make_read_only(disk)
        settings = {**ENVIRONMENT, "STORE_URL": f"sqlite:///{disk}/npsbridge.db"}
        async with daemon_process(tmp_path, settings) as daemon:
            assert await daemon.ended() == 77
        assert "Read-only file system; mount it writable" in daemon.output
        (found,) = inspect(disk / "npsbridge.db")
        assert (found.exit_code, "mount it writable" in found.text) == (77, True)

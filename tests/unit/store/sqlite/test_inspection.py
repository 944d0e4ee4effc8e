import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from contract.store.examples import sqlite_url
from npsbridge.clock import Clock
from npsbridge.core.records import Arrival, Ledger, Origin
from npsbridge.store import open_store
from npsbridge.store.findings import Found, judged_ledger
from npsbridge.store.sqlite import inspection, place
from npsbridge.store.sqlite.inspection import (
    in_units,
    inspect,
    judged_journal,
    judged_modes,
    judged_network,
    judged_numbers,
    judged_pages,
    judged_references,
    judged_room,
    judged_wal,
)
from npsbridge.store.sqlite.opening import make_current
from npsbridge.store.sqlite.upgrades import UPGRADES


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "npsbridge.db"
    make_current(path)
    return path


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)


def wrong(path: Path) -> dict[str, str]:
    return {found.subject: found.text for found in inspect(path) if found.is_good is False}


# --- judging ----------------------------------------------------------------------------------------------------

FILE = Path("/data/npsbridge.db")


@pytest.mark.parametrize(
    ("found", "is_good", "exit_code", "words"),
    [
        (judged_modes({FILE: 0o600}, 0o755), True, 0, "only the owner"),
        (judged_modes({FILE: 0o400}, 0o1777), True, 0, "only the owner"),
        (judged_modes({FILE: 0o640}, 0o700), False, 77, "chmod 600 /data/npsbridge.db"),
        (judged_modes({FILE: 0o600}, 0o775), False, 77, "chmod 700"),
        (judged_network(None), True, 0, "no network"),
        (judged_network("nfs4"), None, 0, "use a local disk"),
        (judged_room(1 << 30), True, 0, "1.1 GB are free"),
        (judged_room(100 << 20), None, 0, "before there is none"),
        (judged_room(1000), False, 74, "answered with 503"),
        (judged_wal(0), True, 0, "0 bytes"),
        (judged_wal(100 << 20), None, 0, "reads the store for long"),
        (judged_journal("wal"), True, 0, "synchronous full"),
        (judged_journal("delete"), None, 0, "another program"),
        (judged_pages(["ok"]), True, 0, "every page"),
        (
            judged_pages(["*** in database main ***\nTree 3 page 5: x", "y"]),
            False,
            65,
            "2 faults, the first: .* Tree 3",
        ),
        (judged_pages(["x"] * 100), False, 65, "100 faults or more"),
        (judged_pages([]), False, 65, "0 faults"),
        (judged_references(0), True, 0, "has it"),
        (judged_references(2), False, 65, "2 rows.*restore a backup"),
        (judged_numbers([("journal", 5, 5), ("outbox", 5, None)]), True, 0, "none is in use"),
        (judged_numbers([("journal", 5, 6), ("outbox", 5, 3)]), False, 65, "those of journal go further"),
        (judged_ledger(Ledger(accepted=2, delivered=2)), True, 0, "all of 2"),
        (judged_ledger(Ledger(accepted=2, delivered=1)), False, 65, "1 of 2 accepted are unaccounted for"),
        (judged_ledger(Ledger(accepted=1, delivered=2)), False, 65, "counted twice"),
    ],
)
def test_what_is_found_is_judged_in_words(found: Found, *, is_good: bool | None, exit_code: int, words: str) -> None:
    assert (found.is_good, found.exit_code) == (is_good, exit_code)
    assert re.search(words, found.text)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 KB"), (2_500_000, "2.5 MB"), (3 * 10**9, "3.0 GB")],
)
def test_sizes_are_told_in_units(size: int, text: str) -> None:
    assert in_units(size) == text


# --- looking ----------------------------------------------------------------------------------------------------


async def test_a_store_in_use_is_in_order_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "npsbridge.db"
    async with open_store(sqlite_url(tmp_path), clock=Clock()) as store:
        await store.append([Arrival(connection="a", origin=Origin.POLL, body=b"[]", count=1, received_at=0)])
        before = {file.name: file.read_bytes() for file in (path, path.with_name(f"{path.name}-wal"))}
        assert [found.text for found in inspect(path) if found.is_good is False] == []
        assert {name: (tmp_path / name).read_bytes() for name in before} == before
        assert "all of 1 accepted" in inspect(path)[-1].text


def test_a_store_at_rest_is_left_with_nothing_beside_it(path: Path) -> None:
    before = path.read_bytes()
    assert wrong(path) == {}
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == before


def test_what_a_crash_left_in_the_wal_is_read_and_stays_there(path: Path) -> None:
    wal = path.with_name(f"{path.name}-wal")
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("UPDATE ledger SET amount = 7 WHERE name = 'accepted'")
        left = path.read_bytes(), wal.read_bytes()
    path.write_bytes(left[0])
    wal.write_bytes(left[1])
    wal.chmod(0o600)
    assert "7 of 7 accepted are unaccounted for" in wrong(path)["ledger"]
    assert (path.read_bytes(), wal.read_bytes()) == left


def test_an_older_store_is_told_apart_from_a_wrong_one(path: Path) -> None:
    execute(path, f"PRAGMA user_version = {len(UPGRADES) - 1}")
    first, *others = inspect(path)
    assert first.is_good is None
    assert f"the next start brings it to {len(UPGRADES)}" in first.text
    assert all(found.is_good is not False for found in others)


def test_a_row_without_what_it_belongs_to_is_found(path: Path) -> None:
    execute(path, "INSERT INTO bodies (delivery_id, body) VALUES (7, x'')")
    assert "1 rows belong to others that are gone" in wrong(path)["references"]


def test_f11_numbers_that_were_never_given_are_found(path: Path) -> None:
    row = "INSERT INTO journal (id, connection, origin, count, received_at, body) VALUES (9, 'a', 'poll', 0, 0, x'')"
    execute(path, row)
    assert "journal" in wrong(path)["numbers"]


@pytest.mark.parametrize("name", ["journal", "outbox_message", "facts"])
def test_f9_a_damaged_page_is_found_wherever_it_is(path: Path, name: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        (page,) = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).fetchone()
    content = bytearray(path.read_bytes())
    content[(page - 1) * 4096 : page * 4096] = b"\xff" * 4096
    path.write_bytes(content)
    assert "restore a backup" in wrong(path)["integrity"]


def test_f14_a_network_file_system_is_a_warning(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mountinfo").write_text("22 1 254:0 / / rw - nfs4 server:/export rw\n")
    monkeypatch.setattr(place, "_MOUNTS", tmp_path / "mountinfo")
    (found,) = [found for found in inspect(path) if found.subject == "file system"]
    assert found.is_good is None
    assert "nfs4" in found.text


def test_ctrl_c_ends_a_long_look(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed() -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(inspection, "_go_on", pressed)
    monkeypatch.setattr(inspection, "_STEPS", 1)
    with pytest.raises(KeyboardInterrupt):
        inspect(path)

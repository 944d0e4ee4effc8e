"""`db check`, `db backup` and `db migrate` as an operator meets them."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import databases
from npsbridge.cli.database import exit_code
from npsbridge.store.findings import Found
from npsbridge.store.sqlite.lock import held_alone
from unit.cli.commands import Ended

Command = Callable[..., Ended]
SUBJECTS = [
    *("store", "permissions", "file system", "room", "WAL"),
    *("durability", "integrity", "references", "age", "numbers", "ledger"),
]


@pytest.fixture
def path(store: str) -> Path:
    """The file of the filled store."""
    return Path(store.removeprefix("sqlite:///"))


def damage(path: Path) -> None:
    """Overwrite an index that no start looks at."""
    with closing(sqlite3.connect(path)) as database:
        (page,) = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'outbox_subject'").fetchone()
    content = bytearray(path.read_bytes())
    content[(page - 1) * 4096 : page * 4096] = b"\xff" * 4096
    path.write_bytes(content)


# --- db check ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("store")
def test_a_good_store_is_told_line_by_line_and_ends_with_0(npsbridge: Command) -> None:
    shown = npsbridge("db", "check")
    assert (shown.code, shown.err) == (0, "")
    lines = shown.out.splitlines()
    assert [line.split(maxsplit=1)[1].partition(":")[0] for line in lines] == SUBJECTS
    assert lines[-1] == "ok      ledger: all of 4 accepted are accounted for"


@pytest.mark.usefixtures("store")
def test_findings_come_as_json_like_those_of_check(npsbridge: Command) -> None:
    shown = npsbridge("db", "check", "--json")
    found = json.loads(shown.out)
    assert [one["subject"] for one in found] == SUBJECTS
    assert all(list(one) == ["subject", "good", "text"] for one in found)


def test_it_looks_beside_a_daemon(npsbridge: Command, path: Path) -> None:
    with held_alone(path):
        assert npsbridge("db", "check").code == 0


def test_f9_a_damaged_store_ends_with_65_and_the_way_back(npsbridge: Command, path: Path) -> None:
    damage(path)
    shown = npsbridge("db", "check")
    assert shown.code == 65
    (line,) = [line for line in shown.out.splitlines() if line.startswith("wrong")]
    assert "integrity" in line
    assert "restore a backup" in line


def test_files_that_others_may_read_end_with_77(npsbridge: Command, path: Path) -> None:
    path.chmod(0o644)
    shown = npsbridge("db", "check")
    assert shown.code == 77
    assert f"chmod 600 {path}" in shown.out


def test_where_no_store_is_it_says_so_and_makes_none(npsbridge: Command, tmp_path: Path) -> None:
    shown = npsbridge("db", "check")
    assert shown.code == 65
    assert "npsbridge run" in shown.out
    assert list(tmp_path.iterdir()) == []


def test_a_circle_of_links_is_no_store(npsbridge: Command, tmp_path: Path) -> None:
    (tmp_path / "npsbridge.db").symlink_to("npsbridge.db")
    shown = npsbridge("db", "check")
    assert shown.code == 65
    assert "leads to itself" in shown.out


@pytest.mark.parametrize(("codes", "wanted"), [([], 0), ([77], 77), ([77, 74], 74), ([74, 65, 77], 65)], ids=str)
def test_the_worst_finding_decides_the_exit_code(codes: list[int], wanted: int) -> None:
    found = [Found(subject="x", is_good=False, text="", exit_code=code) for code in codes]
    good = [Found(subject="x", is_good=state, text="", exit_code=65) for state in (True, None)]
    assert exit_code([*good, *found]) == wanted


# --- db backup --------------------------------------------------------------------------------------------------


def test_a_backup_can_be_told_as_json(npsbridge: Command, path: Path) -> None:
    copy = path.with_name("copy.db")
    made = json.loads(npsbridge("db", "backup", str(copy), "--json").out)
    assert made == {"file": str(copy), "bytes": copy.stat().st_size}


def test_a_backup_is_made_beside_a_daemon_and_says_what_is_in_it(npsbridge: Command, path: Path) -> None:
    with held_alone(path):
        made = npsbridge("db", "backup", "copy.db")
    assert (made.code, made.err) == (0, "")
    assert made.out.startswith("copy.db: ")
    assert "personal data, and no secrets" in made.out
    assert path.with_name("copy.db").stat().st_mode & 0o777 == 0o600


def test_a_backup_can_be_looked_over_and_read_like_the_store(
    npsbridge: Command, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del path
    before = npsbridge("outbox", "list", "--json").out
    npsbridge("db", "backup", "copy.db")
    monkeypatch.setenv("NPSBRIDGE_STORE_URL", "sqlite:///copy.db")
    assert npsbridge("db", "check").code == 0
    assert npsbridge("outbox", "list", "--json").out == before


@pytest.mark.usefixtures("store")
def test_a_second_backup_of_that_name_ends_with_64_unless_forced(npsbridge: Command) -> None:
    assert npsbridge("db", "backup", "copy.db").code == 0
    refused = npsbridge("db", "backup", "copy.db")
    assert refused.code == 64
    assert "--force" in refused.err
    assert npsbridge("db", "backup", "copy.db", "--force").code == 0


def test_f9_a_damaged_store_is_not_taken_for_a_backup(npsbridge: Command, path: Path) -> None:
    damage(path)
    refused = npsbridge("db", "backup", "copy.db")
    assert refused.code == 65
    assert "no copy was kept" in refused.err
    assert not path.with_name("copy.db").exists()


def test_without_a_store_there_is_nothing_to_back_up(npsbridge: Command, tmp_path: Path) -> None:
    assert npsbridge("db", "backup", "copy.db").code == 65
    assert list(tmp_path.iterdir()) == []


def test_the_help_says_what_a_copy_holds_and_how_it_is_restored(npsbridge: Command) -> None:
    text = " ".join(npsbridge("db", "backup", "--help").out.split())
    assert "personal data" in text
    assert "no secrets" in text
    assert "To restore: stop npsbridge, copy FILE over npsbridge.db" in text


def test_db_alone_explains_itself(npsbridge: Command) -> None:
    shown = npsbridge("db")
    assert shown.code == 0
    assert "backup" in shown.out
    assert "migrate" in shown.out


# --- db migrate -------------------------------------------------------------------------------------------------


def with_password(url: str) -> str:
    return url.replace("postgres@", "postgres:secret-word@")


def test_i19_a_password_on_the_command_line_is_warned_of_and_not_shown(npsbridge: Command, store: str) -> None:
    ended = npsbridge("db", "migrate", "--from", store, "--to", with_password(databases.postgres_url()))
    assert ended.code == 0
    assert "leave --to out, and change the password" in " ".join(ended.err.split())
    assert "secret-word" not in ended.err + ended.out


def test_the_database_of_the_settings_is_the_target_and_needs_no_warning(
    npsbridge: Command, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPSBRIDGE_STORE_URL", with_password(databases.postgres_url()))
    ended = npsbridge("db", "migrate", "--from", store)
    assert (ended.code, ended.err) == (0, "")
    assert "rows moved and counted on both sides" in ended.out

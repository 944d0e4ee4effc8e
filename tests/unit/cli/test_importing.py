"""Taking in an archive by hand."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from clients.verbatims import verbatims_path
from npsbridge.clock import Clock
from npsbridge.core.ports import JournalEntry
from npsbridge.store import open_store
from unit.cli.commands import Ended

Npsbridge = Callable[..., Ended]

CSV = "id,score,comment,date,email\n1,9,Fast,2026-01-02,a@example.com\n2,,only words,2026-01-03,\n3,0,,2026-01-04,\n"


def journaled(folder: Path) -> list[JournalEntry]:
    async def read() -> list[JournalEntry]:
        async with open_store(f"sqlite:///{folder}/npsbridge.db", clock=Clock(), exclusive=False) as store:
            return await store.unrouted(1000)

    return asyncio.run(read())


def records(folder: Path) -> list[dict[str, object]]:
    return [record for entry in journaled(folder) for record in json.loads(entry.body)]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "answers.csv"
    path.write_text(CSV, encoding="utf-8")
    return path


def test_usable_lines_are_journaled_and_the_others_named(npsbridge: Npsbridge, archive: Path, tmp_path: Path) -> None:
    ended = npsbridge("import", str(archive), "--connection", "delighted")
    assert ended.code == 65
    assert "line 3: /score: is missing" in ended.out
    assert [record["id"] for record in records(tmp_path)] == ["1", "3"]


def test_a_dry_run_keeps_nothing_and_shows_what_would_be_emitted(
    npsbridge: Npsbridge, archive: Path, tmp_path: Path
) -> None:
    ended = npsbridge("import", str(archive), "--connection", "delighted", "--dry-run")
    assert '"event": "Answered NPS Survey"' in ended.out
    assert not (tmp_path / "npsbridge.db").exists()


def test_an_interrupted_import_goes_on_where_it_was(
    npsbridge: Npsbridge, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("npsbridge.cli.importing.RECORDS_AT_ONCE", 1)
    with monkeypatch.context() as patch:
        patch.setattr("npsbridge.cli.importing._Keeper.finish", _interrupted)
        assert npsbridge("import", str(archive), "--connection", "delighted").code == 130
    again = npsbridge("import", str(archive), "--connection", "delighted")
    assert "3 journaled before" in again.out
    assert [record["id"] for record in records(tmp_path)] == ["1", "3"]


async def _interrupted(_: object) -> None:
    raise KeyboardInterrupt


def test_the_vendors_own_objects_are_journaled_as_they_stand(npsbridge: Npsbridge, tmp_path: Path) -> None:
    row = '{"id": "7", "score": 10, "created_at": 1767225600, "permalink": "https://example.com/r/7"}'
    (tmp_path / "rows.jsonl").write_text(row + "\n", encoding="utf-8")
    ended = npsbridge("import", "rows.jsonl", "--connection", "delighted")
    assert (ended.code, journaled(tmp_path)[0].body) == (0, f"[{row}]".encode())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("no.csv", "--connection", "delighted"), "there is no file no.csv"),
        (("answers.csv", "--connection", "frob"), "--connection frob"),
        (("answers.csv", "--connection", "segment"), "--connection segment"),
        (("answers.csv", "--connection", "delighted", "--map", "id"), "must be written FIELD=COLUMN"),
    ],
)
@pytest.mark.usefixtures("archive")
def test_what_cannot_be_meant_is_a_usage_error(npsbridge: Npsbridge, arguments: tuple[str, ...], words: str) -> None:
    ended = npsbridge("import", *arguments)
    assert ended.code == 64
    assert words in ended.err


def test_real_answers_are_all_taken_but_those_without_a_score(npsbridge: Npsbridge, tmp_path: Path) -> None:
    path = verbatims_path()
    ended = npsbridge(
        "import", str(path), "--connection", "delighted", "--map", "id=row", "--date-format", "%d/%m/%Y %H:%M"
    )
    assert ended.code == 65
    assert "2353 responses: 690 promoters, 392 passives, 1271 detractors (NPS -24.7); 32 refused" in ended.out
    assert len(records(tmp_path)) == 2353

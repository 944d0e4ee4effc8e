"""Taking in an archive by hand."""

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from clients.verbatims import verbatims_path
from npsbridge.cli import importing
from npsbridge.clock import Clock
from npsbridge.core.records import JournalEntry
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


def rows(path: Path, *found: Mapping[str, object]) -> str:
    """A file of Delighted's own objects."""
    usual = {"score": 9, "created_at": 1767225600}
    path.write_text("".join(json.dumps({**usual, **row}) + "\n" for row in found), encoding="utf-8")
    return path.name


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "answers.csv"
    path.write_text(CSV, encoding="utf-8")
    return path


def test_usable_lines_are_journaled_and_the_others_named(npsbridge: Npsbridge, archive: Path, tmp_path: Path) -> None:
    ended = npsbridge("import", str(archive), "--connection", "delighted")
    assert ended.code == 65
    assert "line 3: column score: is missing" in ended.out
    assert [record["id"] for record in records(tmp_path)] == ["1", "3"]


def test_the_report_can_be_json(npsbridge: Npsbridge, archive: Path) -> None:
    ended = npsbridge("import", str(archive), "--connection", "delighted", "--json")
    assert ended.code == 65
    assert json.loads(ended.out) == {
        "responses": 2,
        "journaled_before": 0,
        "promoters": 1,
        "passives": 0,
        "detractors": 1,
        "refused": 1,
        "refusals": [{"place": "line 3", "reason": "column score: is missing"}],
        "columns": {"id": "id", "created_at": "date", "score": "score", "comment": "comment", "email": "email"},
        "properties": [],
        "journaled": True,
    }


def test_a_dry_run_keeps_nothing_and_shows_what_would_be_emitted(
    npsbridge: Npsbridge, archive: Path, tmp_path: Path
) -> None:
    ended = npsbridge("import", str(archive), "--connection", "delighted", "--dry-run")
    assert ended.code == 65
    assert "line 3: column score: is missing" in ended.out
    assert '"event": "Answered NPS Survey"' in ended.out
    assert os.listdir(tmp_path) == ["answers.csv"]  # noqa: PTH208 - names are what is compared


def test_what_the_columns_are_taken_for_is_told_so_that_a_wrong_guess_shows(
    npsbridge: Npsbridge, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("Response ID,Likely?,Date,plan\n1,99,2026-01-02,team\n")
    ended = npsbridge("import", "a.csv", "--connection", "delighted", "--map", "score=Likely?", "--dry-run")
    _, columns, refusal, *_ = ended.out.splitlines()
    assert columns.startswith(
        "columns, unless --map says otherwise: score = Likely?, id = Response ID, created_at = Date"
    )
    assert columns.endswith("; kept as properties of the person: plan")
    assert refusal == "  line 2: column Likely?: is not a whole number from 0 to 10"


def test_the_sample_is_one_answer_and_fits_a_glance(npsbridge: Npsbridge, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,score,date\n1,9,2026-01-02\n2,8,2026-01-03\n")
    out = npsbridge("import", "a.csv", "--connection", "delighted", "--dry-run").out
    assert {call["properties"]["response_id"] for call in json.loads(out[out.index("[\n") :])[1:]} == {"1"}


def test_where_they_were_kept_is_told(npsbridge: Npsbridge, archive: Path, tmp_path: Path) -> None:
    assert (
        f"in the journal ({tmp_path / 'npsbridge.db'})"
        in npsbridge("import", archive.name, "--connection", "delighted").out
    )


@pytest.mark.parametrize("kept", [1, 2])
def test_an_interrupted_import_goes_on_where_it_was_and_tells_all_it_refuses(
    npsbridge: Npsbridge, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    monkeypatch.setattr("npsbridge.cli.importing.RECORDS_AT_ONCE", 1)
    with monkeypatch.context() as patch:
        interrupt_after(patch, kept)
        assert npsbridge("import", str(archive), "--connection", "delighted").code == 130
    again = npsbridge("import", str(archive), "--connection", "delighted")
    assert (again.code, again.out.splitlines()[0]) == (
        65,
        "2 responses, 1 of them journaled before: 1 promoters, 0 passives, 1 detractors (NPS 0.0); 1 refused",
    )
    assert "line 3: column score: is missing" in again.out
    assert [record["id"] for record in records(tmp_path)] == ["1", "3"]


def interrupt_after(patch: pytest.MonkeyPatch, kept: int) -> None:
    keep, calls = importing._Keeper.keep, iter(range(kept))

    async def keep_or_leave(self: importing._Keeper, found: list[bytes], *, through: int) -> None:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        await keep(self, found, through=through)

    patch.setattr(importing._Keeper, "keep", keep_or_leave)


def test_an_archive_that_was_mended_after_an_interruption_is_read_from_its_beginning(
    npsbridge: Npsbridge, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("npsbridge.cli.importing.RECORDS_AT_ONCE", 1)
    long = CSV.replace("Fast", "x" * (1 << 20))
    archive.write_text(long, encoding="utf-8")
    with monkeypatch.context() as patch:
        interrupt_after(patch, 2)
        npsbridge("import", str(archive), "--connection", "delighted")
    archive.write_text(long.replace("2,,only words", "2,7,onlywords"), encoding="utf-8")
    os.utime(archive, ns=(0, 0))
    assert npsbridge("import", str(archive), "--connection", "delighted").code == 0
    assert [record["id"] for record in records(tmp_path)] == ["1", "1", "2", "3"]


def test_the_vendors_own_objects_are_journaled_as_they_stand(npsbridge: Npsbridge, tmp_path: Path) -> None:
    row = '{"id": "7", "score": 10, "created_at": 1767225600, "permalink": "https://example.com/r/7"}'
    (tmp_path / "rows.jsonl").write_text(row + "\n", encoding="utf-8")
    ended = npsbridge("import", "rows.jsonl", "--connection", "delighted")
    assert (ended.code, journaled(tmp_path)[0].body) == (0, f"[{row}]".encode())


@pytest.mark.parametrize(
    ("value", "code", "words"),
    [
        ("11", 65, "line 1: /score: is not a whole number from 0 to 10"),
        ("-1", 65, "line 1: /score: is not a whole number from 0 to 10"),
        ("true", 65, "line 1: /score: is not a number but true or false"),
        ('"much"', 65, "line 1: /score: is text that is not a number"),
        ('"9"', 0, "2 responses: 2 promoters"),
        ("9.0", 0, "2 responses: 2 promoters"),
        ("null", 0, "2 responses: 1 promoters"),
        ("[", 65, "line 1: JSON is malformed"),
        ('"\\ud800"', 65, "line 1: /score: is text that is not a number"),
    ],
)
def test_a_score_among_the_vendors_objects_is_taken_as_a_poll_would(
    npsbridge: Npsbridge, tmp_path: Path, value: str, code: int, words: str
) -> None:
    good = '{"id":2,"created_at":1767225600,"score":9}'
    text = "\n".join([good.replace("2,", "1,", 1).replace("9}", value + "}"), good])
    (tmp_path / "rows.jsonl").write_text(text, encoding="utf-8")
    ended = npsbridge("import", "rows.jsonl", "--connection", "delighted")
    assert ended.code == code
    assert words in ended.out


def test_a_row_that_is_not_utf_8_is_refused_and_the_rest_goes_on(npsbridge: Npsbridge, tmp_path: Path) -> None:
    row = '{"id":%d,"score":9,"created_at":1767225600,"comment":"café"}\n'
    (tmp_path / "rows.jsonl").write_bytes((row % 1).encode("latin-1") + (row % 2).encode())
    ended = npsbridge("import", "rows.jsonl", "--connection", "delighted")
    assert (ended.code, [record["id"] for record in records(tmp_path)]) == (65, [2])
    assert "line 1: " in ended.out


@pytest.mark.parametrize("again", [{}, {"comment": "other"}, {"updated_at": 1767225600}, {"updated_at": 1700000000}])
def test_an_id_that_stands_twice_is_refused(npsbridge: Npsbridge, tmp_path: Path, again: dict[str, object]) -> None:
    name = rows(tmp_path / "rows.jsonl", {"id": "7"}, {"id": "8"}, {"id": "7"} | again)
    ended = npsbridge("import", name, "--connection", "delighted")
    assert (ended.code, [record["id"] for record in records(tmp_path)]) == (65, ["7", "8"])
    assert "line 3: /id: stands in an earlier line already" in ended.out


def test_a_row_that_says_it_was_changed_later_is_an_edit_of_the_earlier_one(
    npsbridge: Npsbridge, tmp_path: Path
) -> None:
    first, second = 1767225700, 1767225800
    name = rows(
        tmp_path / "rows.jsonl",
        *({"id": "7", "comment": f"at {at}", "updated_at": at} for at in (first, second, first, second)),
    )
    ended = npsbridge("import", name, "--connection", "delighted")
    assert [record["updated_at"] for record in records(tmp_path)] == [first, second]
    assert "line 3: /id" in ended.out
    assert "line 4: /id" in ended.out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "line 1: the file is empty"),
        (CSV.encode("utf-16"), "line 1: the file is UTF-16 or UTF-32; save it as UTF-8"),
        (b"caf\xe9,score,date\n1,9,2026-01-02\n", "line 1: the header is not UTF-8"),
    ],
)
def test_a_file_of_which_nothing_can_be_read_is_refused_as_bad_data(
    npsbridge: Npsbridge, archive: Path, content: bytes, words: str
) -> None:
    archive.write_bytes(content)
    ended = npsbridge("import", "answers.csv", "--connection", "delighted")
    assert ended.code == 65
    assert words in ended.out


def test_records_are_journaled_in_chunks_of_bounded_size(
    npsbridge: Npsbridge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("npsbridge.cli.importing.BYTES_AT_ONCE", 1000)
    monkeypatch.setattr("npsbridge.cli.importing.RECORDS_AT_ONCE", 3)
    name = rows(tmp_path / "rows.jsonl", *({"id": n, "comment": "x" * (900 if n < 4 else 1)} for n in range(10)))
    npsbridge("import", name, "--connection", "delighted")
    assert [entry.count for entry in journaled(tmp_path)] == [2, 2, 3, 3]


def test_piped_progress_is_plain_lines_beside_the_result(npsbridge: Npsbridge, tmp_path: Path) -> None:
    name = rows(tmp_path / "rows.jsonl", *({"id": n, "comment": "x" * 20_000} for n in range(400)))
    ended = npsbridge("import", name, "--connection", "delighted")
    told = ended.err.splitlines()
    assert [line.partition(" ")[0] for line in told] == [f"{tenth}0%" for tenth in range(1, 10)]
    assert "%" not in ended.out


def test_a_small_file_is_read_without_a_word_of_progress(npsbridge: Npsbridge, archive: Path) -> None:
    assert npsbridge("import", str(archive), "--connection", "delighted").err == ""


def test_on_a_terminal_progress_is_a_bar_with_the_time_that_is_left(
    npsbridge: Npsbridge, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    ended = npsbridge("import", str(archive), "--connection", "delighted", "--dry-run")
    assert "2 taken, 1 refused" in ended.err
    assert "━" in ended.err
    assert ended.err.count("0:00:0") >= 2


def test_of_very_many_refusals_the_first_are_shown_and_all_are_counted(
    npsbridge: Npsbridge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("npsbridge.cli.import_report.SHOWN_REFUSALS", 3)
    name = rows(tmp_path / "rows.jsonl", *({"id": n, "score": 11} for n in range(10)))
    said = npsbridge("import", name, "--connection", "delighted").out.splitlines()
    assert said[0].endswith("10 refused")
    assert [line.partition(":")[0].strip() for line in said[1:]] == ["line 1", "line 2", "line 3", "... and 7 more"]


def test_where_nothing_is_set_to_send_answers_to_the_operator_hears_of_it(
    npsbridge: Npsbridge, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = npsbridge("import", str(archive), "--connection", "delighted")
    monkeypatch.setenv("NPSBRIDGE_SEGMENT__WRITE_KEY", "wk-1")
    with_sink = npsbridge("import", str(archive), "--connection", "delighted")
    assert "NPSBRIDGE_SEGMENT__WRITE_KEY" in alone.out
    assert "NPSBRIDGE_SEGMENT__WRITE_KEY" not in with_sink.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("no.csv", "--connection", "delighted"), "there is no file no.csv"),
        (("answers.csv", "--connection", "frob"), "--connection frob"),
        (("answers.csv", "--connection", "segment"), "--connection segment"),
        (("answers.csv", "--connection", "delighted", "--map", "id"), "must be written FIELD=COLUMN"),
        (("answers.csv", "--connection", "delighted", "--map", "id=nr"), "there is no column nr"),
        (("answers.csv", "--connection", "delighted", "--date-format", "%Q"), "--date-format %Q"),
        (("answers.csv", "--connection", "delighted", "--format", "xml"), "--format"),
        (("rows.jsonl", "--connection", "delighted", "--map", "id=nr"), "are for CSV"),
        (("answers.csv",), "--connection"),
    ],
)
@pytest.mark.usefixtures("archive")
def test_what_cannot_be_meant_is_a_usage_error(
    npsbridge: Npsbridge, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    rows(tmp_path / "rows.jsonl", {"id": 1})
    ended = npsbridge("import", *arguments)
    assert ended.code == 64
    assert words in ended.err
    assert not (tmp_path / "npsbridge.db").exists()


@pytest.mark.usefixtures("archive")
def test_answers_of_a_sink_are_refused_with_the_connections_that_have_some(
    npsbridge: Npsbridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPSBRIDGE_SEGMENT__WRITE_KEY", "key-of-the-source")
    monkeypatch.setenv("NPSBRIDGE_CONNECTIONS__EU__PLATFORM", "retently")
    monkeypatch.setenv("NPSBRIDGE_CONNECTIONS__EU__API_KEY", "key-of-eu")
    ended = npsbridge("import", "answers.csv", "--connection", "segment")
    known = "delighted, eu, promoter, retently, satismeter"
    assert (ended.code, ended.err) == (64, f"npsbridge: --connection segment: answers are of one of {known}\n")


def test_real_answers_are_all_taken_but_those_without_a_score(npsbridge: Npsbridge, tmp_path: Path) -> None:
    path = verbatims_path()
    ended = npsbridge(
        "import", str(path), "--connection", "delighted", "--map", "id=row", "--date-format", "%d/%m/%Y %H:%M"
    )
    assert ended.code == 65
    assert "2353 responses: 690 promoters, 392 passives, 1271 detractors (NPS -24.7); 32 refused" in ended.out
    assert len(records(tmp_path)) == 2353

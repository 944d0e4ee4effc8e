"""Archives as tables."""

import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from npsbridge.cli import archive, csv_archive
from npsbridge.cli.archive import Item, Seen
from npsbridge.cli.csv_archive import csv_items
from npsbridge.core.model import ArchiveRow
from npsbridge.errors import BadRecord, UsageError
from unit.cli.test_archive import written

UNQUOTED = "has a quote that is not closed, or one within quotes that is not doubled"


def compose(row: ArchiveRow) -> bytes:
    if row.survey_type == "odd":
        raise BadRecord("/survey_type", "is odd")
    return json.dumps([row.id, row.score, row.comment, row.created_at.isoformat()]).encode()


def items(path: Path, mapping: Mapping[str, str] | None = None, date_format: str | None = None) -> list[Item]:
    with closing(Seen()) as seen:
        return list(
            csv_items(path, compose, mapping or {}, date_format=date_format, seen=seen, understood=lambda _: None)
        )


def outcomes(path: Path, content: str | bytes) -> dict[str, str | None]:
    """By place: why a line was refused, or None."""
    return {item.place: item.refusal for item in items(written(path / "a.csv", content))}


def test_headers_are_guessed_and_lines_keep_their_numbers(tmp_path: Path) -> None:
    header = "\ufeffResponse ID,NPS Score,Comment,Created At (UTC)"
    path = written(tmp_path / "a.csv", f'{header}\n\nr1,9,"two\nlines",2026-01-02\nr2,8,,2026-01-03\n')
    assert [(item.number, item.line, item.record) for item in items(path)] == [
        (1, 3, b'["r1", 9, "two\\nlines", "2026-01-02T00:00:00+00:00"]'),
        (2, 5, b'["r2", 8, null, "2026-01-03T00:00:00+00:00"]'),
    ]


def test_a_mapping_and_a_date_format_say_what_a_guess_cannot(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "row;when;mark\n7;31/12/2025 23:30;0\n")
    found = items(path, {"id": "row", "created_at": "when", "score": "mark"}, "%d/%m/%Y %H:%M")
    assert [item.record for item in found] == [b'["7", 0, null, "2025-12-31T23:30:00+00:00"]']


@pytest.mark.parametrize("separator", [";", "\t", "|", ","])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_first_line_for_excel_says_what_stands_between_cells(tmp_path: Path, mark: str, separator: str) -> None:
    text = f'{mark}sep={separator}\r\nid;score;comment;date\r\n1;9;"a;b, c";2026-01-02\r\n2;11;;2026-01-02\r\n'
    assert outcomes(tmp_path, text.replace(";", separator)) == {
        "line 3": None,
        "line 4": "column score: is not a whole number from 0 to 10",
    }


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_any_machine_ends_them(tmp_path: Path, end: str) -> None:
    text = end.join(["id,score,date", "1,9,2026-01-02", "2,11,2026-01-02", ""])
    assert outcomes(tmp_path, text.encode()) == {
        "line 2": None,
        "line 3": "column score: is not a whole number from 0 to 10",
    }


@pytest.mark.parametrize("score", ["9", "9.0", '"9"', " 9 ", "0", "10"])
def test_a_score_may_be_written_as_any_whole_number(tmp_path: Path, score: str) -> None:
    assert outcomes(tmp_path, f"id,score,comment,date\n1,{score},fine,2026-01-02\n") == {"line 2": None}


@pytest.mark.parametrize(
    ("line", "refusal"),
    [
        ("1,9,fine", "has 3 columns, the header has 4"),
        ("1,9,fine,2026-01-02,", "has 5 columns, the header has 4"),
        ("1,,fine,2026-01-02", "column score: is missing"),
        ("1,11,fine,2026-01-02", "column score: is not a whole number from 0 to 10"),
        ("1,-1,fine,2026-01-02", "column score: is not a whole number from 0 to 10"),
        ("1,9.5,fine,2026-01-02", "column score: is not a whole number from 0 to 10"),
        ("1,nan,fine,2026-01-02", "column score: is not a finite number"),
        ("1,null,fine,2026-01-02", "column score: is text that is not a number"),
        ("1,9,fine,02.01.2026", "column date: is no ISO 8601 time; say how it is written with --date-format"),
        ("1,9,fine,", "column date: is missing"),
        ('1,9,"fine" indeed,2026-01-02', UNQUOTED),
        (b"1,9,caf\xe9,2026-01-02", "is not UTF-8"),
        ("1,9," + "x" * 300 + ",2026-01-02", "is longer than 4 MiB"),
    ],
)
def test_a_line_that_cannot_be_used_is_refused_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str | bytes, refusal: str
) -> None:
    monkeypatch.setattr(csv_archive, "LONGEST", 300)
    monkeypatch.setattr(archive, "LONGEST", 300)
    raw = line if isinstance(line, bytes) else line.encode()
    content = b"id,score,comment,date\n" + raw + b"\n2,8,,2026-01-03\n"
    assert outcomes(tmp_path, content) == {"line 2": refusal, "line 3": None}


def test_a_row_that_the_platform_has_no_word_for_is_refused(tmp_path: Path) -> None:
    content = "id,score,date,metric\n1,9,2026-01-02,odd\n2,9,2026-01-02,nps\n"
    assert outcomes(tmp_path, content) == {"line 2": "column metric: is odd", "line 3": None}


@pytest.mark.parametrize("last", ["4,8,,2026-01-03", '4,8,"fine",2026-01-03', '4,8,"two\nlines",2026-01-03'])
def test_a_quote_that_is_never_closed_costs_its_own_line_only(tmp_path: Path, last: str) -> None:
    content = f'id,score,comment,date\n1,9,"never ends,2026-01-02\n2,8,,2026-01-03\n\n3,8,,2026-01-03\n{last}\n'
    assert outcomes(tmp_path, content) == {"line 2": UNQUOTED, "line 3": None, "line 5": None, "line 6": None}


def test_a_quote_that_is_closed_far_below_costs_its_own_line_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_archive, "LONGEST", 60)
    many = "".join(f"{number},8,,2026-01-03\n" for number in range(2, 12))
    found = outcomes(tmp_path, f'id,score,comment,date\n1,9,"never ends\n{many}",2026-01-02\n')
    assert found.pop("line 2") == "is longer than 4 MiB"
    assert found.pop("line 13") == UNQUOTED
    assert set(found.values()) == {None}
    assert len(found) == 10


def test_a_long_comment_with_nul_and_emoji_is_read_to_the_letter(tmp_path: Path) -> None:
    comment = "\0😀" * 20_000
    [item] = items(written(tmp_path / "a.csv", f"id,score,comment,date\n1,9,{comment},2026-01-02\n"))
    assert json.loads(item.record or b"")[2] == comment


def test_lines_without_ids_get_the_same_ones_at_every_reading(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "score,date\n9,2026-01-02\n9,2026-01-02\n9,2026-01-02\n8,2026-01-02\n")
    first, second = items(path), items(path)
    assert [item.record for item in first] == [item.record for item in second]
    assert len({item.record for item in first}) == 4


@pytest.mark.parametrize(
    ("header", "mapping", "words"),
    [
        ("id,comment,date", {}, "no column for score"),
        ("id,score,comment", {}, "no column for created_at"),
        ("id,score,date", {"comment": "remark"}, "there is no column remark"),
        ("id,score,date", {"colour": "id"}, "there is no field colour"),
    ],
)
def test_a_missing_column_is_named(tmp_path: Path, header: str, mapping: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        items(written(tmp_path / "a.csv", f"{header}\n1,2,3\n"), mapping)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"caf\xe9,id", "is not UTF-8"),
        (b'"id,score', UNQUOTED),
        (b"\0" * 300, "is longer than 4 MiB"),
        (b"\n\n", "is missing"),
    ],
)
def test_a_header_that_cannot_be_read_ends_the_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, header: bytes, reason: str
) -> None:
    monkeypatch.setattr(archive, "LONGEST", 200)
    found = outcomes(tmp_path, header)
    assert found == {"line 1": f"the header {reason}; nothing below it was read"}

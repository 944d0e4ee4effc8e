"""Archives as files."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.cli import archive
from npsbridge.cli.archive import Item, csv_items, json_items, sniff
from npsbridge.core.model import ArchiveRow
from npsbridge.errors import UsageError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read_csv(path: Path, mapping: Mapping[str, str] | None = None, date_format: str | None = None) -> list[Item]:
    def compose(row: ArchiveRow) -> bytes:
        return json.dumps([row.id, row.score, row.comment, row.created_at.isoformat()]).encode()

    return list(csv_items(path, compose, mapping or {}, date_format=date_format))


@pytest.mark.parametrize(
    ("content", "kind"),
    [(" \n[]", "api-json"), ('\ufeff{"id":1}', "api-json"), ("id,score\n1,2", "csv"), ("", "csv")],
)
def test_the_first_character_tells_json_from_csv(tmp_path: Path, content: str, kind: str) -> None:
    assert sniff(written(tmp_path / "archive", content)) == kind


@given(st.lists(st.dictionaries(st.text(), JSON, max_size=3), max_size=5), st.integers(1, 40))
def test_an_array_is_cut_into_its_elements_wherever_the_chunks_end(
    tmp_path_factory: pytest.TempPathFactory, objects: list[dict[str, object]], chunk: int
) -> None:
    path = written(tmp_path_factory.mktemp("array") / "a.json", json.dumps(objects, indent=1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive, "CHUNK", max(chunk, 2))
        found = [json.loads(item.record or b"") for item in json_items(path)]
    assert found == objects


def test_json_lines_are_read_a_line_at_a_time(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", '{"id":1}\n\n{"id":2}\n')
    assert [(item.number, item.record) for item in json_items(path)] == [(1, b'{"id":1}'), (3, b'{"id":2}')]


def test_an_array_that_ends_in_the_middle_says_so(tmp_path: Path) -> None:
    items = list(json_items(written(tmp_path / "a.json", '[{"id":1},{"id":')))
    assert [item.record for item in items] == [b'{"id":1}', None]
    assert items[1].refusal == "the file ends in the middle of it"


def test_headers_are_guessed_and_lines_keep_their_numbers(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", 'Response ID,NPS Score,Comment,Created At (UTC)\nr1,9,"two\nlines",2026-01-02\n')
    assert [(item.number, item.record) for item in read_csv(path)] == [
        (3, b'["r1", 9, "two\\nlines", "2026-01-02T00:00:00+00:00"]')
    ]


def test_a_mapping_and_a_date_format_say_what_a_guess_cannot(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "row;when;mark\n7;31/12/2025 23:30;0\n")
    found = read_csv(path, {"id": "row", "created_at": "when", "score": "mark"}, "%d/%m/%Y %H:%M")
    assert [item.record for item in found] == [b'["7", 0, null, "2025-12-31T23:30:00+00:00"]']


@pytest.mark.parametrize(
    ("line", "refusal"),
    [
        ("1,9,fine", ": has 3 columns, the header has 4"),
        ("1,,fine,2026-01-02", "/score: is missing"),
        ("1,11,fine,2026-01-02", "/score: is not a whole number from 0 to 10"),
        ("1,9,fine,02.01.2026", "/created_at: is no ISO 8601 time; say how it is written with --date-format"),
        ("1,9,fine,", "/created_at: is missing"),
    ],
)
def test_a_line_that_cannot_be_used_is_refused_and_the_rest_goes_on(tmp_path: Path, line: str, refusal: str) -> None:
    found = read_csv(written(tmp_path / "a.csv", f"id,score,comment,date\n{line}\n2,8,,2026-01-03\n"))
    assert [(item.number, item.refusal) for item in found] == [
        (2, refusal.removeprefix(": ") and found[0].refusal),
        (3, None),
    ]
    assert (found[0].refusal or "").endswith(refusal.removeprefix(": "))


def test_a_line_in_another_encoding_is_refused(tmp_path: Path) -> None:
    found = read_csv(written(tmp_path / "a.csv", b"id,score,comment,date\n1,9,caf\xe9,2026-01-02\n2,8,ok,2026-01-03\n"))
    assert [item.refusal for item in found] == ["/: is not UTF-8", None]


def test_an_id_that_stands_twice_is_refused(tmp_path: Path) -> None:
    found = read_csv(written(tmp_path / "a.csv", "id,score,date\n1,9,2026-01-02\n1,8,2026-01-03\n"))
    assert [item.refusal for item in found] == [None, "/id: stands in an earlier line already"]


def test_lines_without_ids_get_the_same_ones_at_every_reading(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "score,date\n9,2026-01-02\n9,2026-01-02\n8,2026-01-02\n")
    first, second = read_csv(path), read_csv(path)
    assert [item.record for item in first] == [item.record for item in second]
    assert len({item.record for item in first}) == 3


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
        read_csv(written(tmp_path / "a.csv", f"{header}\n1,2,3\n"), mapping)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is empty"):
        read_csv(written(tmp_path / "a.csv", ""))

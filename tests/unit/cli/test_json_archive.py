"""Archives of a platform's own objects."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.cli import archive, json_archive
from npsbridge.cli.archive import Item
from npsbridge.cli.json_archive import json_items
from unit.cli.test_archive import written

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records may have 40 bytes, of which 7 are read at once."""
    for module in (archive, json_archive):
        monkeypatch.setattr(module, "LONGEST", 40)
        monkeypatch.setattr(module, "CHUNK", 7)


def read(path: Path, content: str | bytes) -> list[tuple[str, bytes | str | None]]:
    """Place, and record or refusal."""
    return [(item.place, item.record or item.refusal) for item in json_items(written(path / "a.json", content))]


@given(st.lists(JSON, max_size=5), st.integers(1, 40), st.none() | st.integers(0, 2))
def test_an_array_is_cut_into_its_elements_wherever_the_chunks_end(
    tmp_path_factory: pytest.TempPathFactory, elements: list[object], chunk: int, indent: int | None
) -> None:
    path = written(tmp_path_factory.mktemp("array") / "a.json", json.dumps(elements, indent=indent))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_archive, "CHUNK", chunk)
        found = [json.loads(item.record or b"") for item in json_items(_bracketed(path))]
    assert found == elements


def _bracketed(path: Path) -> Path:
    assert path.read_bytes().startswith(b"[")
    return path


def test_json_lines_are_read_a_line_at_a_time(tmp_path: Path) -> None:
    assert read(tmp_path, '\ufeff{"id":1}\n\n{"id":2}\r\n{"id":3}') == [
        ("line 1", b'{"id":1}'),
        ("line 3", b'{"id":2}'),
        ("line 4", b'{"id":3}'),
    ]


@pytest.mark.usefixtures("short")
def test_a_line_that_is_too_long_is_refused_and_the_next_is_read(tmp_path: Path) -> None:
    found = read(tmp_path, '{"id":1}\n{"id":2,"comment":"' + "x" * 90 + '"}\n{"id":3}\n')
    assert found == [("line 1", b'{"id":1}'), ("line 2", "is longer than 4 MiB"), ("line 3", b'{"id":3}')]


def test_an_element_is_found_by_its_line_and_its_number(tmp_path: Path) -> None:
    assert read(tmp_path, '\ufeff[\n  {"id":1}, {\n"id":2},\n\n {"id":3}\n]\n') == [
        ("line 2, element 1", b'{"id":1}'),
        ("line 2, element 2", b'{\n"id":2}'),
        ("line 5, element 3", b'{"id":3}'),
    ]


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("inside", ["x" * 90, '\\"' * 50, ",]}[{\n" * 20, "\\\\" * 41])
def test_an_element_that_is_too_long_is_refused_and_the_next_is_read(tmp_path: Path, inside: str) -> None:
    found = read(tmp_path, f'[{{"id":1}},\n\n{{"id":2,"comment":"{inside}"}},\n{{"id":3}}]')
    after = 4 + inside.count("\n")
    assert found == [
        ("line 1, element 1", b'{"id":1}'),
        ("line 3, element 2", "is longer than 4 MiB"),
        (f"line {after}, element 3", b'{"id":3}'),
    ]


@pytest.mark.parametrize("end", ["", ",", ',{"id":', ',{"id":"', ',{"id":"\\'])
def test_an_array_that_ends_in_the_middle_says_so(tmp_path: Path, end: str) -> None:
    assert read(tmp_path, '[{"id":1}' + end) == [
        *([] if not end else [("line 1, element 1", b'{"id":1}')]),
        (f"line 1, element {2 if end else 1}", "the file ends in the middle of it"),
    ]


def test_arrays_that_follow_each_other_are_read_as_one(tmp_path: Path) -> None:
    found = read(tmp_path, '[{"id":1}]\n[]\n[{"id":2}]')
    assert found == [("line 1, element 1", b'{"id":1}'), ("line 3, element 2", b'{"id":2}')]


def test_what_stands_outside_of_the_array_is_refused(tmp_path: Path) -> None:
    assert read(tmp_path, '[{"id":1}]\n{"id":2}\n') == [
        ("line 1, element 1", b'{"id":1}'),
        ("line 2, element 2", "stands outside of the array"),
    ]


@pytest.mark.parametrize("content", ["[]", " [ ]\n"])
def test_an_empty_array_holds_nothing(tmp_path: Path, content: str) -> None:
    assert read(tmp_path, content) == []


@given(st.binary(max_size=60), st.integers(1, 9))
def test_whatever_comes_reading_ends_and_numbers_rise(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, chunk: int
) -> None:
    path = written(tmp_path_factory.mktemp("any") / "a.json", b"[" + content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_archive, "CHUNK", chunk)
        patch.setattr(json_archive, "LONGEST", 20)
        items: list[Item] = list(json_items(path))
    assert [item.number for item in items] == list(range(1, len(items) + 1))
    assert [item.line for item in items] == sorted(item.line for item in items)

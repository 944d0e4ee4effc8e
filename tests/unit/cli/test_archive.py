"""Archives as files: what kind one is, its lines, and what stood in it before."""

from contextlib import closing
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.cli import archive
from npsbridge.cli.archive import Item, Seen, lines, sniff, unreadable


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("content", "kind"),
    [(" \n[]", "api-json"), ('\ufeff{"id":1}', "api-json"), ("id,score\n1,2", "csv"), ("", "csv")],
)
def test_the_first_character_tells_json_from_csv(tmp_path: Path, content: str, kind: str) -> None:
    assert sniff(written(tmp_path / "archive", content)) == kind


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("text", ["id,score\n1,2\n", '[{"id": 1}]'])
def test_another_unicode_than_utf_8_is_named(tmp_path: Path, encoding: str, text: str) -> None:
    path = written(tmp_path / "a", text.encode(encoding))
    assert unreadable(path) == "the file is UTF-16 or UTF-32; save it as UTF-8"


@pytest.mark.parametrize("content", ["", " \r\n\t", "\ufeff"])
def test_a_file_with_nothing_in_it_is_said_to_be_empty(tmp_path: Path, content: str) -> None:
    assert unreadable(written(tmp_path / "a", content)) == "the file is empty"


@pytest.mark.parametrize("content", ["id,score\n", "\ufeffid,score\n", b"caf\xe9,score\n", b"\0" * 5000, " " * 5000])
def test_a_file_that_may_be_readable_is_tried(tmp_path: Path, content: str | bytes) -> None:
    assert unreadable(written(tmp_path / "a", content)) is None


@given(st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"")), max_size=8), st.booleans())
def test_lines_keep_their_places_and_only_those_too_long_are_lost(texts: list[bytes], is_ended: bool) -> None:  # noqa: FBT001 - hypothesis gives it by position
    content = b"\n".join(texts) + (b"\n" if is_ended else b"")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive, "LONGEST", 8)
        patch.setattr(archive, "CHUNK", 3)
        found = list(lines(BytesIO(content).readline, (b"\n",)))
    assert found == [
        None if len(line) > 8 or (len(line) == 8 and not line.endswith(b"\n")) else line
        for line in BytesIO(content).readlines()
    ]


def test_a_key_is_new_once_and_then_tells_its_number() -> None:
    with closing(Seen()) as seen:
        assert [seen.add("a", 1), seen.add("b", 2), seen.add("a", 3)] == [None, None, 1]
        seen.change("a", 7)
        assert (seen.add("a", 9), seen.add("b", 9)) == (7, 2)


def test_the_place_of_an_array_element_is_its_line_and_its_number() -> None:
    assert Item(number=7, line=3, read=0).place == "line 3"
    assert Item(number=7, line=3, in_array=True, read=0).place == "line 3, element 7"

"""Settings are written into an env file without harm to what is there."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.cli.env_file import change, with_settings
from npsbridge.settings.sources import read_env_file

A, B = "NPSBRIDGE_A", "NPSBRIDGE_B"


def said_in(path: Path) -> dict[str, str]:
    """What our own reader makes of a file, which refuses contradictions and what is no setting."""
    reading = read_env_file(path)
    assert reading.faults == ()
    return {one.spelled: one.text for one in reading.variables}


def test_what_is_new_comes_at_the_end_behind_a_comment() -> None:
    assert with_settings("OTHER=1\n", {A: "x"}, heading="Retently") == "OTHER=1\n\n# Retently\nNPSBRIDGE_A=x\n"
    assert with_settings("", {A: "x"}, heading="Retently") == "# Retently\nNPSBRIDGE_A=x\n"
    assert with_settings("OTHER=1", {A: "x"}, heading="R") == "OTHER=1\n\n# R\nNPSBRIDGE_A=x\n"


def test_what_is_there_is_changed_where_it_stands_and_all_else_stays() -> None:
    before = f"# mine\n\n{B}=1\n{A}=old # why\nexport OTHER='two\nlines'\n#{A}=off\n"
    after = f"# mine\n\n{B}=1\n{A}=new\nexport OTHER='two\nlines'\n#{A}=off\n"
    assert with_settings(before, {A: "new"}, heading="R") == after


def test_a_name_is_never_there_twice_whatever_its_case() -> None:
    before = f"{A}=1\nOTHER=1\n{A.lower()}=2\nexport {A}=3\n"
    assert with_settings(before, {A: "new"}, heading="R") == f"{A}=new\nOTHER=1\n"


@given(
    st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" '\"\\#$`={}"), min_size=1).map(str.strip),
    st.sampled_from(["", "OTHER=1", "# no line break at the end", f"{A}='old'\n{B}=1\n"]),
)
def test_whatever_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, value: str, before: str) -> None:
    path = tmp_path_factory.mktemp("env") / "file"
    path.write_text(with_settings(before, {A: value}, heading="R"), encoding="utf-8")
    assert said_in(path)[A] == value


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "npsbridge.env"
    change(path, {A: "x"}, heading="R")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert said_in(path) == {A: "x"}
    assert [one.name for one in tmp_path.iterdir()] == ["npsbridge.env"]


@pytest.mark.parametrize(("before", "after"), [(0o644, 0o640), (0o640, 0o640), (0o400, 0o600)])
def test_a_group_that_could_read_it_still_can_and_everybody_cannot(tmp_path: Path, before: int, after: int) -> None:
    path = tmp_path / "npsbridge.env"
    path.write_text("OTHER=1\n")
    path.chmod(before)
    change(path, {A: "x"}, heading="R")
    assert stat.S_IMODE(path.stat().st_mode) == after


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("OTHER=1\n")
    (tmp_path / "link").symlink_to("real")
    change(tmp_path / "link", {A: "x"}, heading="R")
    assert (tmp_path / "link").is_symlink()
    assert said_in(tmp_path / "real") == {A: "x"}


def test_when_it_cannot_be_replaced_it_is_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "npsbridge.env"
    path.write_text("OTHER=1\n")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        change(path, {A: "x"}, heading="R")
    assert path.read_text() == "OTHER=1\n"
    assert [one.name for one in tmp_path.iterdir()] == ["npsbridge.env"]

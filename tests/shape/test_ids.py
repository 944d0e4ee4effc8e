"""Every invariant and fault of the reliability list has a test, or a reason why it has none; the table is true."""

import re

from proof.ids import BEGINS, ENDS, MEANINGS, README, REASONS, files_by_id, ids_in, written

FIRST_TO_LAST = [*(f"I{n}" for n in range(1, 22)), *(f"F{n}" for n in range(1, 47))]


def test_every_id_of_the_list_is_in_the_table() -> None:
    assert list(MEANINGS) == FIRST_TO_LAST


def test_every_id_has_a_test_or_a_reason() -> None:
    assert [one for one in FIRST_TO_LAST if one not in files_by_id() and one not in REASONS] == []


def test_no_reason_is_outlived_by_a_test() -> None:
    assert sorted(REASONS.keys() & files_by_id().keys()) == []
    assert REASONS.keys() <= MEANINGS.keys()


def test_no_test_is_about_an_id_that_does_not_exist() -> None:
    assert {one: sorted(map(str, paths)) for one, paths in files_by_id().items() if one not in MEANINGS} == {}


def test_the_table_in_the_readme_is_up_to_date() -> None:
    text = README.read_text(encoding="utf-8")
    assert text.count(BEGINS) == text.count(ENDS) == 1
    assert text == written(text), "run: PYTHONPATH=tests python -m proof.ids"


def test_a_name_says_what_it_is_about_at_its_beginning() -> None:
    assert ids_in("test_i1_f12_a_kill_at_f3") == ["I1", "F12"]
    assert ids_in("test_if_it_is_so") == ids_in("test_a_f1_b") == []


def test_every_file_in_the_table_is_there() -> None:
    text = README.read_text(encoding="utf-8")
    part = text[text.index(BEGINS) : text.index(ENDS)]
    for folder, names in re.findall(r"`([^`]+)`: ([\w, ]+)", part):
        for name in names.strip().split(", "):
            files = {(README.parent / folder / f"{begin}{name}.py") for begin in ("test_", "")}
            assert any(file.is_file() for file in files), f"{folder}/{name}"

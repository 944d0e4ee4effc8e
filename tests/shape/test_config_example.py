"""config.example.env lists every setting, with its default, and nothing else."""

import re
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest

from npsbridge.platforms import settings_classes
from npsbridge.settings import PlatformSettings, SettingDoc, describe, load

EXAMPLE = Path(__file__).parents[2] / "config.example.env"
# A setting stands at the start of a line, with or without one #; what is indented behind a # is prose.
SETTING = re.compile(r"#?(NPSBRIDGE_\w+)=(.*)")
EXAMPLES = re.findall(r"^#     (NPSBRIDGE_\w+)=(.+)$", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)


def example_of(doc: SettingDoc) -> str:
    """What stands for a key; of several keys it is a JSON list."""
    key = doc.example or "some-key"
    return f'["{key}"]' if doc.name.endswith("_KEYS") and not key.startswith("[") else key


def in_force(line: str, filled: Mapping[str, str]) -> str:
    """A setting without its #, and with a value where it had none."""
    match = SETTING.fullmatch(line)
    return f"{match[1]}={match[2] or filled.get(match[1], '')}" if match else line


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return EXAMPLE.read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="module")
def listed(lines: list[str]) -> list[tuple[str, str]]:
    return [(match[1], match[2]) for match in map(SETTING.fullmatch, lines) if match]


@pytest.fixture(scope="module")
def platforms() -> Mapping[str, type[PlatformSettings]]:
    return settings_classes()


@pytest.fixture(scope="module")
def docs(platforms: Mapping[str, type[PlatformSettings]]) -> list[SettingDoc]:
    return describe(platforms)


def test_every_setting_is_listed_once_and_nothing_else(listed: list[tuple[str, str]], docs: list[SettingDoc]) -> None:
    assert Counter(name for name, _ in listed) == Counter(doc.name for doc in docs)


def test_every_setting_is_listed_with_its_default(listed: list[tuple[str, str]], docs: list[SettingDoc]) -> None:
    assert {name: text for name, text in listed if text} == {doc.name: doc.default for doc in docs if doc.default}


def test_every_setting_has_a_comment_of_its_own(lines: list[str]) -> None:
    uncommented = [line for above, line in pairwise(lines) if SETTING.match(line) and not above.startswith("# ")]
    assert uncommented == []


def test_every_setting_has_a_meaning_for_the_other_lists(docs: list[SettingDoc]) -> None:
    assert [doc.name for doc in docs if not doc.meaning.strip()] == []


def test_the_file_as_it_is_changes_nothing(platforms: Mapping[str, type[PlatformSettings]]) -> None:
    assert load(platforms, env_file=EXAMPLE, environ={}) == load(platforms, environ={})


def test_the_file_with_every_line_in_force_and_keys_filled_in_loads(
    platforms: Mapping[str, type[PlatformSettings]], docs: list[SettingDoc], lines: list[str], tmp_path: Path
) -> None:
    keys = {f"NPSBRIDGE_{name}__{field}".upper() for name, group in platforms.items() for field in group.key_fields}
    filled = {doc.name: example_of(doc) for doc in docs if doc.secret or doc.name in keys}
    copy = tmp_path / "npsbridge.env"
    copy.write_text("\n".join(in_force(line, filled) for line in lines), encoding="utf-8")
    copy.chmod(0o640)
    settings = load(platforms, env_file=copy, environ={})
    assert set(settings.connections) == set(platforms)
    assert settings.warnings == ()


@pytest.mark.parametrize(("name", "text"), EXAMPLES)
def test_every_example_in_a_comment_can_be_used(
    platforms: Mapping[str, type[PlatformSettings]], docs: list[SettingDoc], name: str, text: str
) -> None:
    keys = {doc.name: example_of(doc) for doc in docs if doc.secret}
    beside = {
        "NPSBRIDGE_SATISMETER__PROJECT_ID": "5f0000000000000000000001",
        "NPSBRIDGE_PROMOTER__CAMPAIGN_ID": "78",
        "NPSBRIDGE_CONNECTIONS__EU__PLATFORM": "retently",
        "NPSBRIDGE_CONNECTIONS__EU__API_KEY": "some-key",
    }
    assert load(platforms, environ={**keys, **beside, name: text}) != load(platforms, environ={})


def test_every_setting_that_says_which_events_ask_for_a_survey_has_an_example(docs: list[SettingDoc]) -> None:
    triggers = {doc.name for doc in docs if doc.name.endswith(("__SURVEYS", "__CAMPAIGNS", "SATISMETER__EVENTS"))}
    assert len(triggers) == 4
    assert triggers <= {name for name, _ in EXAMPLES}


def test_every_line_has_a_comment_that_is_short(lines: list[str]) -> None:
    assert [line for line in lines if len(line) > 120 and not SETTING.match(line)] == []


def test_every_platform_has_a_section_of_its_own(
    lines: list[str], docs: list[SettingDoc], platforms: Mapping[str, type[PlatformSettings]]
) -> None:
    owner = {doc.name: doc.platform for doc in docs}
    sections: list[set[str | None]] = [set()]
    for line in lines:
        if line.startswith("# --- "):
            sections.append(set())
        if match := SETTING.fullmatch(line):
            sections[-1].add(owner[match[1]])
    of_platforms = [sorted(map(str, section)) for section in sections if section - {None}]
    assert sorted(of_platforms) == [[name] for name in sorted(platforms)]

"""What the README says about settings, promises and commands is what the program has."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from npsbridge.cli.verbs import app
from npsbridge.platforms import available, settings_classes
from npsbridge.platforms.retently.receiver import TEMPLATE
from npsbridge.settings import describe

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")

NONE = "none"

PROMISES = """\
1. 200 means on disk: a call answered 200 survives SIGKILL at any instant, and power loss as far as the disk keeps its word.
2. Data is delivered at least once, under one deterministic messageId; a survey is requested at most once per trigger; what cannot be known is held and listed.
3. Per person and destination, effects happen in the order accepted. One poison message or one dead vendor never slows another.
4. A checkpoint never passes a response that is not in the outbox. Every revision older than the overlap is emitted exactly once by us.
5. An outage of 72 hours loses nothing and drains within the vendor's rate limit.
6. accepted = delivered + waiting + dead + held + filtered + duplicate + expired + erased, at all times, shown as a metric.
7. No secret in any output; no email or comment at INFO.
"""  # noqa: E501 - word for word


def test_the_promises_stand_word_for_word() -> None:
    assert PROMISES in README


def test_the_settings_table_lists_every_setting_with_its_default() -> None:
    table = README.partition("<!-- settings -->")[2].partition("<!-- /settings -->")[0]
    shown = [line.split(" | ")[:2] for line in table.splitlines() if line.startswith("| `")]
    expected = [
        [f"| `{doc.name.removeprefix('NPSBRIDGE_')}`", NONE if doc.default is None else f"`{doc.default}`"]
        for doc in describe(settings_classes())
    ]
    assert shown == expected


def test_every_setting_named_in_the_text_exists() -> None:
    known = {doc.name for doc in describe(settings_classes())}
    named = set(re.findall(r"NPSBRIDGE_[A-Z_]+[A-Z]", README))
    assert {name for name in named if not name.startswith("NPSBRIDGE_CONNECTIONS__")} <= known


def test_every_platforms_setting_named_in_the_text_exists() -> None:
    known = {doc.name.removeprefix("NPSBRIDGE_") for doc in describe(settings_classes())}
    of_platforms = "|".join(settings_classes()).upper()
    named = set(re.findall(rf"`((?:{of_platforms})__[A-Z_]+)", README))
    assert named
    assert named <= known


def test_the_accounts_of_the_example_have_fields_of_their_platform() -> None:
    fields = dict(re.findall(r"^NPSBRIDGE_CONNECTIONS__EU__(\w+)=(\w*)", README, re.MULTILINE))
    platform = settings_classes()[fields.pop("PLATFORM")]
    assert fields
    assert {field.lower() for field in fields} <= platform.model_fields.keys()


def test_every_platform_with_webhooks_has_the_url_to_paste() -> None:
    urls = {f"PUBLIC_URL/hooks/{name}" for name, platform in available().items() if platform.receiver}
    urls |= {f"PUBLIC_URL/hooks/{name}/TOKEN" for name, platform in available().items() if platform.hook}
    assert urls == set(re.findall(r"\| `(PUBLIC_URL/hooks/[^`]+)` \|", README))


def test_the_body_for_retentlys_webhook_is_the_one_that_check_suggests() -> None:
    assert f"```json\n{TEMPLATE}\n```" in README


def test_every_link_within_the_text_leads_to_a_heading() -> None:
    headings = re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= anchors


def test_the_two_commands_stand_in_the_first_part() -> None:
    first_part = README.partition("## Set up")[0]
    assert "npsbridge demo" in first_part
    assert "-m pytest" in first_part


def test_every_link_to_a_file_leads_to_one() -> None:
    files = set(re.findall(r"\]\((?!#|https?:)([^)]+)\)", README))
    assert files
    assert {file for file in files if not (ROOT / file).is_file()} == set()


def test_no_direction_is_put_off_to_a_later_release() -> None:
    texts = [README, (ROOT / "config.example.env").read_text(encoding="utf-8")]
    assert [text for text in texts if "later release" in text or "no effect" in text] == []


# --- commands ---------------------------------------------------------------------------------------------------


def commands() -> Iterator[list[str]]:
    """The words behind `npsbridge` of every command in the text, without comments."""
    blocks = "\n".join(re.findall(r"^ *```sh\n(.*?)^ *```", README, re.DOTALL | re.MULTILINE))
    in_blocks = re.findall(r"(?:^ *|/bin/)npsbridge ([a-z].*)$", blocks, re.MULTILINE)
    for line in [*re.findall(r"`npsbridge ([^`]+)`", README), *in_blocks]:
        yield shlex.split(line, comments=True)


def known_options(words: list[str]) -> set[str]:
    """The options of the verb that a command begins with; fails when there is no such verb."""
    found = typer.main.get_command(app)
    for word in words:
        subcommands = getattr(found, "commands", {})
        if not subcommands or word.startswith("-"):
            break
        assert word in subcommands, f"npsbridge {' '.join(words)}"
        found = subcommands[word]
    return {"--help"} | {option for parameter in found.params for option in parameter.opts}


def test_every_command_in_the_text_exists_with_its_options() -> None:
    shown = list(commands())
    assert len(shown) > 10
    for words in shown:
        used = {word for word in words if word.startswith("--")}
        assert used <= known_options(words), f"npsbridge {' '.join(words)}"


@pytest.mark.parametrize("verb", sorted(typer.main.get_command(app).commands))  # type: ignore[attr-defined]
def test_every_verb_stands_in_the_text(verb: str) -> None:
    assert f"npsbridge {verb}" in README or f"`{verb} " in README


def verbs(found: Any, *path: str) -> Iterator[tuple[str, str]]:
    """Every verb, such as `outbox list`, and what its help begins with."""
    if not hasattr(found, "commands"):
        yield " ".join(path), " ".join((found.help or "").partition("\n\n")[0].split())
        return
    for name, inner in found.commands.items():
        yield from verbs(inner, *path, name)


def test_the_table_of_all_commands_has_each_verb_in_the_words_of_its_help() -> None:
    table = README.partition("<!-- commands -->")[2].partition("<!-- /commands -->")[0]
    rows = re.findall(r"^\| `([a-z ]+)` \| (.+) \|$", table, re.MULTILINE)
    assert rows == list(verbs(typer.main.get_command(app)))


# --- what a call does -------------------------------------------------------------------------------------------


def test_every_platform_that_is_told_of_people_has_its_row_of_what_a_call_does() -> None:
    section = README.partition("## What a call does")[2].partition("## Platforms")[0]
    forwarders = {name for name, platform in available().items() if platform.forwarder}
    first_cells = re.findall(r"^\| ([A-Z][\w.]+) \|", section, re.MULTILINE)
    rows = {cell.lower().removesuffix(".io") for cell in first_cells}
    assert rows == forwarders
    assert len(first_cells) == 2 * len(forwarders), "what a call does, and how a doubt is settled"

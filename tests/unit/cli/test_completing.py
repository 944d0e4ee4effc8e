"""What a shell is offered when somebody presses Tab."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from unit.cli.commands import command, own_environment

RETENTLY = {"NPSBRIDGE_RETENTLY__API_KEY": "key-of-the-test"}


async def offered(*words: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """What bash is offered behind some words of which the last is being typed."""
    asked = {
        "_NPSBRIDGE_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(["npsbridge", *words]),
        "COMP_CWORD": str(len(words)),
    }
    ended = await command(environ={**asked, **(environ or {})})
    assert (ended.code, ended.err) == (0, "")
    return ended.out.split()


async def test_verbs_are_offered() -> None:
    assert {"status", "outbox", "check"} <= {*await offered("")}
    assert await offered("outbox", "re") == ["retry"]


async def test_states_are_those_that_the_verb_takes() -> None:
    assert await offered("outbox", "list", "--state", "de") == ["dead", "delivered"]
    assert await offered("outbox", "retry", "--state", "") == ["dead", "held"]


async def test_connections_are_the_configured_ones() -> None:
    assert await offered("pause", "", environ=RETENTLY) == ["retently"]
    assert await offered("outbox", "list", "--connection", "x", environ=RETENTLY) == []


async def test_connections_are_those_of_the_env_file_that_was_named(tmp_path: Path) -> None:
    file = tmp_path / "npsbridge.env"
    file.write_text("NPSBRIDGE_CONNECTIONS__EU__PLATFORM=retently\nNPSBRIDGE_CONNECTIONS__EU__API_KEY=k\n")
    assert await offered("backfill", "--env-file", str(file), "") == ["eu"]


async def test_an_archive_may_be_of_a_platform_that_is_not_configured() -> None:
    assert await offered("import", "a.csv", "--connection", "d") == ["delighted"]


async def test_settings_that_cannot_be_used_offer_nothing_and_say_nothing() -> None:
    assert await offered("pause", "", environ={"NPSBRIDGE_LISTEM": "x"}) == []


@pytest.mark.parametrize("shell", ["bash"])
def test_completion_installs_itself_for_the_shell_it_is_called_from(shell: str, tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 - fixed words
        [f"/bin/{shell}", "-c", f"{sys.executable} -m npsbridge --install-completion; true"],
        env=own_environment() | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert f"{shell} completion installed" in done.stdout
    written = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert any("_NPSBRIDGE_COMPLETE=complete_bash" in text for text in written)

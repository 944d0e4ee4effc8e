"""Every way a command can end has its message and its exit code (contract §7)."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import typer

from npsbridge.cli.ending import run_to_exit
from npsbridge.cli.grouping import Verbs
from npsbridge.cli.verbs import app
from npsbridge.errors import ListenError, StoreLocked
from npsbridge.telemetry import register_secrets
from unit.cli.commands import Ended, command, own_environment

Command = Callable[..., Ended]

MISTAKES = [
    ["bogus"],
    ["--bogus"],
    ["run", "--bogus"],
    ["run", "extra"],
    ["run", "--env-file"],
    ["outbox", "bogus"],
    ["outbox", "list", "--limit", "0"],
    ["outbox", "list", "--state", "lost"],
    ["outbox", "show", "one"],
    ["backfill"],
    ["backfill", "delighted", "--since", "yesterday"],
    ["backfill", "delighted", "--until", "2024-13-01"],
    ["trace"],
    ["sandbox", "--delighted-port", "65536"],
]


def ended(error: BaseException, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ended:
    """How a command ends whose verb raises an error."""
    app = typer.Typer(cls=Verbs, pretty_exceptions_enable=False)

    @app.callback()
    def no_options() -> None: ...

    @app.command()
    def fail() -> None:
        raise error

    monkeypatch.setattr("sys.argv", ["npsbridge", "fail"])
    with pytest.raises(SystemExit) as left:
        run_to_exit(app)
    said = capsys.readouterr()
    return Ended(code=int(left.value.code or 0), out=said.out, err=said.err)


# --- usage ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"], ["outbox"], ["run", "--help"], ["demo", "-h"]])
def test_whoever_asks_for_help_gets_it(npsbridge: Command, arguments: list[str]) -> None:
    shown = npsbridge(*arguments)
    assert (shown.code, shown.err) == (0, "")
    assert "Usage: npsbridge" in shown.out


def test_the_version_is_told(npsbridge: Command) -> None:
    assert npsbridge("--version") == Ended(code=0, out="npsbridge 0.1.0\n", err="")


@pytest.mark.parametrize("arguments", MISTAKES, ids=" ".join)
def test_a_mistake_in_the_command_line_is_64(npsbridge: Command, arguments: list[str]) -> None:
    refused = npsbridge(*arguments)
    assert (refused.code, refused.out) == (64, "")
    assert refused.err
    assert "Traceback" not in refused.err


async def test_the_module_is_the_command() -> None:
    shown = await command("--version")
    assert (shown.code, shown.out.split()[0]) == (0, "npsbridge")


def verbs(found: Any = None, *path: str) -> Iterator[tuple[str, ...]]:
    """Every verb there is, such as `outbox list`."""
    found = found or typer.main.get_command(app)
    if not hasattr(found, "commands"):
        yield path
        return
    for name, inner in found.commands.items():
        yield from verbs(inner, *path, name)


STAYS_UP = {("run",), ("demo",), ("sandbox",)}


@pytest.mark.parametrize("verb", list(verbs()), ids=" ".join)
def test_every_verb_takes_an_env_file(npsbridge: Command, verb: tuple[str, ...]) -> None:
    assert "--env-file FILE" in npsbridge(*verb, "--help").out


@pytest.mark.parametrize("verb", sorted({*verbs()} - STAYS_UP - {("schema",)}), ids=" ".join)
def test_every_verb_that_tells_something_tells_it_as_json(npsbridge: Command, verb: tuple[str, ...]) -> None:
    """`schema` is JSON anyway; what stays up has a log."""
    assert "--json" in npsbridge(*verb, "--help").out


# --- errors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["run"], ["status"], ["outbox", "list"], ["trace", "x"], ["backfill", "x"]])
def test_f42_wrong_settings_are_78_with_every_fault(
    npsbridge: Command, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setenv("NPSBRIDGE_LISTEM", "x")
    monkeypatch.setenv("NPSBRIDGE_LOG_LEVEL", "LOUD")
    refused = npsbridge(*arguments)
    assert refused.code == 78
    assert [line.split(":")[1].strip() for line in refused.err.splitlines()] == [
        "NPSBRIDGE_LISTEM",
        "NPSBRIDGE_LOG_LEVEL",
    ]


def test_an_error_of_ours_is_one_line_and_its_own_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = ended(StoreLocked("another daemon holds it"), capsys, monkeypatch)
    assert shown == Ended(code=75, out="", err="npsbridge: another daemon holds it\n")


def test_errors_in_groups_of_groups_are_told_one_by_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = ExceptionGroup("tasks", [StoreLocked("locked"), ListenError("NPSBRIDGE_LISTEN", "x:1", "taken")])
    shown = ended(ExceptionGroup("tasks", [inner]), capsys, monkeypatch)
    assert (shown.code, len(shown.err.splitlines())) == (75, 2)


def test_i19_an_unexpected_error_is_70_with_a_traceback_that_holds_no_secret(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    register_secrets(["canary-5f2e"])
    shown = ended(ZeroDivisionError("by canary-5f2e"), capsys, monkeypatch)
    assert shown.code == 70
    assert "ZeroDivisionError: by ***" in shown.err
    assert "canary-5f2e" not in shown.err


def test_trouble_with_a_file_names_the_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = ended(PermissionError(13, "Permission denied", "/etc/shadow"), capsys, monkeypatch)
    assert shown == Ended(code=74, out="", err="npsbridge: /etc/shadow: Permission denied\n")


def test_an_interrupt_is_silent(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert ended(KeyboardInterrupt(), capsys, monkeypatch) == Ended(code=130, out="", err="")


# --- output -----------------------------------------------------------------------------------------------------


def schema_into(output: int) -> tuple[int, str]:
    """Exit code and complaints of a command whose output goes to a file descriptor."""
    shown = subprocess.run(
        [sys.executable, "-m", "npsbridge", "schema"],
        stdout=output,
        stderr=subprocess.PIPE,
        env=own_environment(),
        check=False,
        timeout=30,
    )
    return shown.returncode, shown.stderr.decode()


def test_a_reader_who_has_seen_enough_is_no_trouble() -> None:
    reader, output = os.pipe()
    os.close(reader)
    try:
        assert schema_into(output) == (74, "")
    finally:
        os.close(output)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a disk that is always full")  # noqa: PTH110
def test_output_that_cannot_be_written_is_told() -> None:
    output = os.open("/dev/full", os.O_WRONLY)
    try:
        assert schema_into(output) == (74, "npsbridge: No space left on device\n")
    finally:
        os.close(output)


def test_what_the_terminal_cannot_show_is_spelled_out(store: str) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "npsbridge", "trace", "ü"],
        capture_output=True,
        env=own_environment() | {"PYTHONIOENCODING": "ascii"},
        check=False,
        timeout=30,
    )
    assert store
    assert shown.returncode == 64
    assert shown.stderr.startswith(rb"npsbridge: nothing is known of \xfc; ")

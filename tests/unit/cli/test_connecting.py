"""An account is set up by hand and by script, and nothing secret is shown."""

import json
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from npsbridge.cli import rehearsal
from npsbridge.cli.rehearsal import rehearse
from npsbridge.platforms import available
from npsbridge.sandbox import Sandbox, open_sandbox
from npsbridge.settings.sources import read_env_file
from unit.cli.commands import Ended, command
from unit.cli.terminal import Terminal, on_terminal

Beside = Callable[..., Awaitable[Ended]]

FILE = "npsbridge.env"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with open_sandbox(first_port=0, people=80, years=0.1) as opened:
        yield opened


@pytest.fixture
def key(tmp_path: Path, sandbox: Sandbox) -> str:
    """The option by which Retently's key is read from a file."""
    (tmp_path / "key").write_text(f"{sandbox.retently.api_key}\n")
    return f"api_key={tmp_path / 'key'}"


def at(sandbox: Sandbox) -> str:
    """The option that leads to Retently's look-alike."""
    return f"base_url={sandbox.retently.base_url}"


def put(name: str, text: str) -> None:
    Path(name).write_text(text)


def text_of(name: str) -> str | None:
    """What a file of the working folder holds; None when it is not there."""
    return Path(name).read_text() if Path(name).exists() else None


def written() -> dict[str, str]:
    reading = read_env_file(Path(FILE))
    assert reading.faults == ()
    return {one.spelled.removeprefix("NPSBRIDGE_"): one.text for one in reading.variables}


async def connect(beside: Beside, *arguments: str, **environ: str) -> Ended:
    return await beside("connect", *arguments, environ={f"NPSBRIDGE_{name}": text for name, text in environ.items()})


# --- by script --------------------------------------------------------------------------------------------------


async def test_a_good_key_is_kept_with_a_token_of_its_own_and_what_to_click_is_said(
    beside: Beside, sandbox: Sandbox, key: str
) -> None:
    url = "https://nps.example.com"
    done = await connect(
        beside, "retently", "--read", key, "--set", at(sandbox), "--env-file", FILE, "--public-url", url
    )
    assert (done.code, done.err) == (0, "")
    kept = written()
    assert kept.keys() == {
        "RETENTLY__API_KEY",
        "RETENTLY__BASE_URL",
        "RETENTLY__WEBHOOK_TOKEN",
        "PUBLIC_URL",
    }
    assert kept["RETENTLY__API_KEY"] == sandbox.retently.api_key
    assert len(kept["RETENTLY__WEBHOOK_TOKEN"]) >= 40
    assert f"{url}/hooks/retently/<NPSBRIDGE_RETENTLY__WEBHOOK_TOKEN>\n" in done.out
    assert "In each campaign, section Export" in done.out
    assert re.search(r"seen +retently: \d+ answers of the last 30 days can be read, the newest of 20", done.out)
    assert "npsbridge connect segment" in done.out


async def test_i19_neither_key_nor_token_is_shown(beside: Beside, sandbox: Sandbox, key: str) -> None:
    said = ""
    for more in ([], ["--json"], ["--env-file", FILE], ["--env-file", FILE, "--json"]):
        done = await connect(beside, "retently", "--read", key, "--set", at(sandbox), *more)
        assert done.code == 0
        said += done.out + done.err
    assert sandbox.retently.api_key not in said
    assert written()["RETENTLY__WEBHOOK_TOKEN"] not in said


async def test_a_refused_key_is_69_with_its_setting_and_nothing_is_written(beside: Beside, sandbox: Sandbox) -> None:
    put("key", "wrong-key-of-nobody")
    done = await connect(
        beside, "retently", "--read", "api_key=key", "--set", at(sandbox), "--env-file", FILE, "--json"
    )
    assert done.code == 69
    (finding,) = json.loads(done.out)["findings"]
    assert finding == {"good": False, "text": "HTTP 401: the key is refused; check NPSBRIDGE_RETENTLY__API_KEY"}
    assert text_of(FILE) is None


async def test_without_a_terminal_it_says_which_flags_are_missing() -> None:
    done = await command("connect", "satismeter")
    assert (done.code, done.out) == (64, "")
    assert "--read api_key=FILE (- for standard input), or NPSBRIDGE_SATISMETER__API_KEY" in done.err
    assert "--set project_id=VALUE" in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["typeform"], "there is no platform typeform; there are delighted, retently"),
        (["retently", "--set", "api_key=hunter2"], "would stay in the shell's history; use --read api_key=FILE"),
        (["retently", "--set", "colour=red"], "--set colour: must be written FIELD=..."),
        (["retently", "--read", "api_key=nowhere"], "--read api_key=nowhere: No such file or directory"),
        (["retently", "--name", "no name"], "a connection's name is made of letters"),
    ],
    ids=["platform", "secret", "field", "file", "name"],
)
async def test_what_cannot_be_meant_is_said(beside: Beside, arguments: list[str], said: str) -> None:
    done = await connect(
        beside, *arguments, RETENTLY__API_KEY="k", CONNECTIONS__EU__PLATFORM="retently", CONNECTIONS__EU__API_KEY="k"
    )
    assert done.code in {64, 78}
    assert said in done.err
    assert "hunter2" not in done.err


async def test_a_key_of_the_environment_is_kept_as_well(beside: Beside, sandbox: Sandbox) -> None:
    environ = {"RETENTLY__API_KEY": sandbox.retently.api_key}
    done = await connect(beside, "retently", "--set", at(sandbox), "--env-file", FILE, **environ)
    assert done.code == 0
    assert written()["RETENTLY__API_KEY"] == sandbox.retently.api_key


async def test_what_stands_in_the_file_is_used_and_left_as_it_is(beside: Beside, sandbox: Sandbox, key: str) -> None:
    first = ["retently", "--read", key, "--set", at(sandbox), "--env-file", FILE]
    await connect(beside, *first)
    before = text_of(FILE)
    done = await connect(beside, "retently", "--env-file", FILE)
    assert done.code == 0
    assert "everything was there already" in done.out
    assert text_of(FILE) == before


async def test_a_further_account_has_its_name_in_settings_and_url(beside: Beside, sandbox: Sandbox, key: str) -> None:
    done = await connect(beside, "retently", "--name", "EU", "--read", key, "--set", at(sandbox), "--env-file", FILE)
    assert done.code == 0
    assert {"CONNECTIONS__EU__PLATFORM", "CONNECTIONS__EU__API_KEY"} <= written().keys()
    assert "/hooks/eu/<NPSBRIDGE_CONNECTIONS__EU__WEBHOOK_TOKEN>" in done.out


async def test_without_a_file_the_lines_are_shown_and_secrets_are_left_to_the_operator(
    beside: Beside, sandbox: Sandbox, key: str
) -> None:
    done = await connect(beside, "retently", "--read", key, "--set", at(sandbox))
    assert f"  NPSBRIDGE_RETENTLY__BASE_URL={sandbox.retently.base_url}\n" in done.out
    assert "  NPSBRIDGE_RETENTLY__API_KEY=<keep it secret>\n" in done.out
    assert text_of(FILE) is None


# --- test events ------------------------------------------------------------------------------------------------


async def test_a_sink_takes_a_test_event_only_when_that_is_wanted(beside: Beside, sandbox: Sandbox) -> None:
    environ = {name.removeprefix("NPSBRIDGE_"): text for name, text in sandbox.segment.environment().items()}
    await connect(beside, "segment", **environ)
    assert sandbox.segment.tracks("npsbridge Connected") == []
    done = await connect(beside, "segment", "--test", "--json", **environ)
    assert done.code == 0
    (event,) = sandbox.segment.tracks("npsbridge Connected")
    assert event["integrations"] == {"All": False}, "it goes no further than the source"
    (test,) = json.loads(done.out)["tests"]
    assert (test["connection"], test["seen"]) == ("segment", True)


async def test_heap_takes_a_test_event_of_nobody(beside: Beside, sandbox: Sandbox) -> None:
    environ = {name.removeprefix("NPSBRIDGE_"): text for name, text in sandbox.heap.environment().items()}
    done = await connect(beside, "heap", "--test", **environ)
    assert done.code == 0
    assert [(one.event, one.identity) for one in sandbox.heap.events] == [("npsbridge Connected", "npsbridge-connect")]


async def test_both_ends_are_tried_when_the_sink_is_there(beside: Beside, sandbox: Sandbox, key: str) -> None:
    environ = {name.removeprefix("NPSBRIDGE_"): text for name, text in sandbox.segment.environment().items()}
    done = await connect(beside, "retently", "--read", key, "--set", at(sandbox), "--test", "--json", **environ)
    assert [(one["connection"], one["seen"]) for one in json.loads(done.out)["tests"]] == [
        ("retently", True),
        ("segment", True),
    ]


async def test_a_sink_that_does_not_take_it_is_not_seen(beside: Beside, sandbox: Sandbox) -> None:
    environ = {name.removeprefix("NPSBRIDGE_"): text for name, text in sandbox.segment.environment().items()}
    done = await connect(beside, "segment", "--test", "--json", **environ | {"SEGMENT__BASE_URL": "http://127.0.0.1:9"})
    assert done.code == 69


# --- by hand ----------------------------------------------------------------------------------------------------


async def walked(terminal: Terminal, *answers: tuple[str, str]) -> int:
    """Answer each question when it is there; returns the exit code."""
    place = 0
    for question, answer in answers:
        place = await terminal.shows(question, after=place)
        terminal.press(f"{answer}\r")
    return await terminal.ended()


async def test_i19_by_hand_a_key_is_asked_for_unseen_until_it_is_good_and_the_whole_url_is_shown(
    sandbox: Sandbox,
) -> None:
    secret = sandbox.retently.api_key
    async with on_terminal(
        "connect", "retently", "--set", at(sandbox), "--env-file", FILE, columns=200, lines=60
    ) as terminal:
        code = await walked(
            terminal,
            ("  api_key: ", "wrong-key-of-nobody"),
            ("Address by which vendors reach this machine", "https://nps.example.com"),
            ("check NPSBRIDGE_RETENTLY__API_KEY", ""),
            ("  api_key: ", secret),
        )
        assert code == 0
        assert secret not in terminal.text
        assert "wrong-key-of-nobody" not in terminal.text
        token = written()["RETENTLY__WEBHOOK_TOKEN"]
        assert f"https://nps.example.com/hooks/retently/{token}" in terminal.text
    assert written()["RETENTLY__API_KEY"] == secret


async def test_by_hand_an_interrupt_writes_nothing(sandbox: Sandbox) -> None:
    async with on_terminal("connect", "retently", "--set", at(sandbox), "--env-file", FILE) as terminal:
        await terminal.shows("  api_key: ")
        terminal.process.send_signal(signal.SIGINT)
        assert await terminal.ended() != 0
    assert text_of(FILE) is None


# --- rehearsed --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("platform", ["delighted", "retently", "satismeter", "promoter", "segment", "heap"])
async def test_every_platform_can_be_rehearsed(platform: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert await rehearse(available()[platform], as_json=True) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert (told["connection"], told["seen"], said.err) == (platform, True, "")
    assert [line for line in told["steps"] if line.startswith("wrong")] == []
    sink = "heap" if platform == "heap" else "segment"
    assert any(re.fullmatch(rf"seen +{sink}: Submit Survey about it, as nps-\w+", line) for line in told["steps"])


async def test_a_rehearsal_whose_answer_does_not_arrive_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rehearsal, "PATIENCE", 0.0)
    assert await rehearse(available()["delighted"], as_json=True) == 69
    assert json.loads(capsys.readouterr().out)["seen"] is False

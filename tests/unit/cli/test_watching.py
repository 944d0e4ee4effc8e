"""A watched status on a real terminal, and through a pipe."""

import re
import signal
from pathlib import Path

import pytest

from unit.cli.commands import started
from unit.cli.conftest import fill
from unit.cli.terminal import on_terminal

ALTERNATE_SCREEN, BACK = "\x1b[?1049h", "\x1b[?1049l"


@pytest.fixture
async def _filled(tmp_path: Path) -> None:
    await fill(f"sqlite:///{tmp_path}/npsbridge.db")


pytestmark = pytest.mark.usefixtures("_filled")


@pytest.mark.parametrize("key", ["q", "Q", "\x04"])
async def test_a_key_ends_it_and_leaves_the_terminal_as_it_was(key: str) -> None:
    async with on_terminal("status", "--watch") as terminal:
        before = terminal.modes()
        await terminal.shows("q quits")
        assert terminal.modes() != before, "keys must be taken one by one"
        terminal.press(key)
        assert await terminal.ended() == 0
        assert terminal.modes() == before
        assert terminal.raw.count(ALTERNATE_SCREEN) == terminal.raw.count(BACK) == 1


async def test_an_interrupt_ends_it_quietly_and_leaves_the_terminal_as_it_was() -> None:
    async with on_terminal("status", "--watch") as terminal:
        before = terminal.modes()
        await terminal.shows("q quits")
        terminal.process.send_signal(signal.SIGINT)
        assert await terminal.ended() == 0
        assert terminal.modes() == before
        assert "Traceback" not in terminal.text


async def test_any_other_key_and_another_size_draw_it_again() -> None:
    async with on_terminal("status", "--watch", columns=100) as terminal:
        at = await terminal.shows("1 owed, 1 dead")
        terminal.resize(40, 20)
        at = await terminal.shows("q quits", after=at)
        at = await terminal.shows("npsbridge is not running; as it was lef…", after=at)
        end = await terminal.shows("q quits", after=at)
        assert "owed" not in terminal.text[at:end], "there is no room for it"
        terminal.press("xq")
        assert await terminal.ended() == 0


async def test_through_a_pipe_it_is_a_line_now_and_then() -> None:
    async with started("status", "--watch") as watching:
        first = await watching.line_with("imbalance=0")
        await watching.line_with("imbalance=0")
        ended = await watching.end(signal.SIGINT)
    assert "segment:forward=retrying" in first
    assert "\x1b" not in first
    assert (ended.code, ended.err) == (0, "")


COLOUR = re.compile(r"\x1b\[(?:\d+;)*3[0-7]m")


@pytest.mark.parametrize(("environ", "is_coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
async def test_colours_are_there_unless_somebody_wants_none(environ: dict[str, str], *, is_coloured: bool) -> None:
    async with on_terminal("status", "--watch", environ=environ) as terminal:
        await terminal.shows("q quits")
        assert bool(COLOUR.search(terminal.raw)) is is_coloured

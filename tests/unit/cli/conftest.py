"""An empty folder to work in, no settings of the machine's own, and the command in this process."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path

import pytest
from loguru import logger

from contract.store.examples import owe, planned, remembered, route, settle, shelved, sqlite_url
from npsbridge import telemetry
from npsbridge.cli import main
from npsbridge.clock import Clock
from npsbridge.core.model import Kind, State
from npsbridge.core.records import Health
from npsbridge.store import open_store
from npsbridge.telemetry import Redactor
from proof.outputs import OUTPUTS, hear_process
from unit.cli.commands import Ended

FOREIGN = ("STATE_DIRECTORY", "CREDENTIALS_DIRECTORY", "COLUMNS", "FORCE_COLOR")


@pytest.fixture(autouse=True)
def _own_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [*FOREIGN, *(name for name in os.environ if name.startswith("NPSBRIDGE_"))]:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _own_logging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Verbs start logging; it is left as it was, and secrets are forgotten."""
    monkeypatch.setattr(telemetry, "redact", Redactor())
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logger.remove()
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def npsbridge(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """The command with arguments, in this process."""

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr("sys.argv", ["npsbridge", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        OUTPUTS.know_environment(os.environ)
        hear_process(["npsbridge", *arguments], f"{said.out}\n{said.err}")
        return Ended(code=int(left.value.code or 0), out=said.out, err=said.err)

    return run


@pytest.fixture
def beside(npsbridge: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Awaitable[Ended]]:
    """The same in a thread, beside look-alikes in the loop of the test; settings go in as `environ`."""

    async def run(*arguments: str, environ: Mapping[str, str]) -> Ended:
        for name, text in environ.items():
            monkeypatch.setenv(name, text)
        return await asyncio.to_thread(npsbridge, *arguments)

    return run


@pytest.fixture
def store(tmp_path: Path) -> str:
    """The URL of a store in the working folder, where commands look for it; see `fill`."""
    url = sqlite_url(tmp_path)
    asyncio.run(fill(url))
    return url


async def fill(url: str) -> None:
    """Make a store with a queued, a delivered and a dead delivery, a shelved record and a response."""
    async with open_store(url, clock=Clock()) as opened:
        await route(opened, shelved=(shelved(),))
        known = remembered("430001", email="ann@example.com", comment="Great [/bold] \x1b[31mstuff")
        about = [planned(f"nps-{kind}", kind=kind, subject="delighted/430001") for kind in (Kind.IDENTIFY, Kind.SUBMIT)]
        await route(opened, responses=(known,), deliveries=tuple(about), fanned_out=1)
        numbers = [delivery.id for delivery in reversed(await opened.deliveries(limit=2))]
        await settle(opened, numbers[:1])
        await settle(opened, await owe(opened, planned("nps-dead")), State.DEAD, reason="HTTP 400 invalid")
        await opened.note_health(Health(connection="segment", direction="forward", state="retrying", since=0))

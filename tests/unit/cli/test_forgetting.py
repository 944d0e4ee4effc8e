"""`forget`: one person, by an email or a userId."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from contract.store.people import ANN, identify, tell
from npsbridge.clock import Clock
from npsbridge.store import open_store
from unit.cli.commands import Ended

Command = Callable[..., Ended]


@pytest.fixture
def known(store: str) -> str:
    """The store with Ann in it, of whom Delighted was told as well as of her answer."""

    async def main() -> None:
        async with open_store(store, clock=Clock()) as opened:
            await tell(opened, identify("ann", email=ANN), message="m1")

    asyncio.run(main())
    return store


def kept(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("npsbridge.db*"))


@pytest.mark.parametrize("key", [ANN, "ann"])
def test_i20_a_person_is_erased_by_email_and_by_user_id(
    npsbridge: Command, known: str, tmp_path: Path, key: str
) -> None:
    assert known
    assert ANN.encode() in kept(tmp_path)
    ended = npsbridge("forget", key, "--json")
    document = json.loads(ended.out)
    assert (ended.code, document["erased"]["persons"], document["may_still_hold_data"]) == (
        0,
        1,
        ["delighted", "segment"],
    )
    assert ANN.encode() not in kept(tmp_path)


def test_it_says_what_was_erased_and_who_may_still_hold_data(
    npsbridge: Command, known: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert known
    monkeypatch.setenv("NPSBRIDGE_SEGMENT__WRITE_KEY", "key-of-the-test")
    said = npsbridge("forget", ANN).out
    assert said.startswith("Erased here: persons 1, responses 1, ")
    assert "May still hold data of them, and must be told separately: delighted, segment.\n" in said


def test_i19_the_email_is_in_nothing_it_prints(npsbridge: Command, known: str) -> None:
    assert known
    ended = npsbridge("forget", ANN)
    assert ANN not in ended.out + ended.err


def test_it_is_no_mistake_when_nothing_is_known(npsbridge: Command, store: str) -> None:
    assert store
    ended = npsbridge("forget", "nobody@example.com")
    assert (ended.code, ended.out.splitlines()[0]) == (0, "Nothing was held here of this person.")


def test_what_is_no_id_is_a_mistake(npsbridge: Command, store: str) -> None:
    assert store
    refused = npsbridge("forget", "null")
    assert (refused.code, refused.err) == (64, "npsbridge: this is neither an email nor a userId\n")


def test_it_asks_on_a_terminal_and_obeys(
    npsbridge: Command, known: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert known
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(typer, "confirm", lambda *_, **__: False)
    assert npsbridge("forget", ANN).code == 130
    assert ANN.encode() in kept(tmp_path)
    assert npsbridge("forget", ANN, "--yes").code == 0
    assert ANN.encode() not in kept(tmp_path)

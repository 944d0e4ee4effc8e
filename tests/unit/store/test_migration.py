"""A SQLite store moves into a database: nothing is lost on the way, nothing is sent twice, also when it is killed."""

import asyncio
import random
from pathlib import Path

import pytest

import databases
from contract.store.examples import START, Wall, arrival, held_back, owe, planned, ready, remembered, route, settle
from contract.store.people import ANN, BOB, email, find, identify, tell, user
from contract.store.test_runs import decided, everything, request
from npsbridge.app.frozen import keep_frozen
from npsbridge.clock import Clock
from npsbridge.core.model import State
from npsbridge.core.records import Intent
from npsbridge.core.storage import Store
from npsbridge.errors import ConfigurationError, StoreLocked, StoreUnusable, UsageError
from npsbridge.platforms import settings_classes
from npsbridge.settings import load
from npsbridge.store import migration, open_store
from npsbridge.store.migration import move

SETTINGS = load(settings_classes(), environ={})


async def fill(store: Store) -> None:
    """Something in every table."""
    chance = random.Random(7)  # noqa: S311 - the same calls every time
    for run in range(4):
        await store.append([request(chance, 2 * (run * 8 + place)) for place in range(8)])
        routings, _ = await decided(store, await store.unrouted(100))
        await store.commit_routing(routings)
    await tell(store, identify("u8\0x", email=ANN))
    await tell(store, identify("u9", email=BOB))
    await store.forget(email(BOB))
    await store.suppress([user("u1")], because="unsubscribed")
    await route(store, responses=(held_back("1"), remembered("2", email=ANN)), settling=1, newest={"ann": 5})
    await settle(store, await owe(store, planned("d1"), planned("d2")), State.DELIVERED)
    await settle(store, await owe(store, planned("w1")), State.WAITING, next_attempt_at=START + 5)
    surveys = await owe(store, planned("i1", kind="survey"), planned("i2", "cid", kind="survey"))
    await settle(store, surveys, State.INFLIGHT, intent=Intent(recipient=ANN, set_out_at=START + 7))
    await store.append([arrival(count=3)], checkpoint=("delighted", b"\0place"))
    await store.note_hints("retently", ["a", "b"], heard_at=START)
    await store.note_fact("paused:segment", "yes")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "npsbridge.db"


@pytest.fixture
async def filled(file: Path) -> Path:
    async with open_store(f"sqlite:///{file}", clock=Clock(Wall())) as store:
        await fill(store)
    return file


async def moved(file: Path, url: str) -> list[tuple[int, int]]:
    told: list[tuple[int, int]] = []
    await move(file, url, progress=lambda done, total: told.append((done, total)))
    return told


async def test_everything_arrives_as_it_was(filled: Path) -> None:
    url = databases.postgres_url()
    told = await moved(filled, url)
    assert told[-1][0] == told[-1][1]
    async with (
        open_store(f"sqlite:///{filled}", clock=Clock(Wall()), exclusive=False) as old,
        open_store(url, clock=Clock(Wall())) as new,
    ):
        assert await everything(new) == await everything(old)
        assert [one.id for one in await new.deliveries()] == [one.id for one in await old.deliveries()]
        assert await new.unrouted(100) == await old.unrouted(100)
        assert await new.checkpoint("delighted") == b"\0place"
        assert await new.hints("retently", 9) == await old.hints("retently", 9)
        under_way = await new.inflight("segment")
        assert under_way == await old.inflight("segment")
        assert await new.beside(under_way[0].id, limit=9) == under_way[1:]
        assert {"paused:segment": "yes"}.items() <= (await new.facts()).items()
        assert (await find(new, user("u8\0x"))) == (await find(old, user("u8\0x")))
        assert await tell(new, identify("u9", email=BOB)) is None  # known as erased by the old key
        (number,) = await owe(new, planned("later", "bob"))
        assert number > max(one.id for one in await old.deliveries())
        assert "later" in await ready(new)


async def test_i8_the_old_store_refuses_to_run_afterwards(filled: Path) -> None:
    await moved(filled, databases.postgres_url())
    async with open_store(f"sqlite:///{filled}", clock=Clock()) as old:
        with pytest.raises(ConfigurationError, match="sent twice"):
            await keep_frozen(old, SETTINGS)


async def test_a_move_that_is_killed_goes_on_and_until_then_nothing_can_be_run(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration, "CHUNK", 3)
    monkeypatch.setattr(migration, "CHUNK_OF_BODIES", 3)
    url = databases.postgres_url()
    killed = 0
    for chunks in (2, 9, 17):

        def die(_done: int, _total: int, left: list[int] = [chunks]) -> None:  # noqa: B006 - counts down
            left[0] -= 1
            if left[0] == 0:
                raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            await move(filled, url, progress=die)
        killed += 1
        async with open_store(url, clock=Clock()) as new:
            with pytest.raises(ConfigurationError, match="to its end first"):
                await keep_frozen(new, SETTINGS)
    told = await moved(filled, url)
    assert killed == 3
    assert told[0][0] > 2 * 3
    async with (
        open_store(f"sqlite:///{filled}", clock=Clock(Wall()), exclusive=False) as old,
        open_store(url, clock=Clock(Wall())) as new,
    ):
        await keep_frozen(new, SETTINGS)
        assert await everything(new) == await everything(old)


async def test_a_target_that_holds_something_is_left_alone(filled: Path) -> None:
    url = databases.postgres_url()
    async with open_store(url, clock=Clock()) as other:
        await other.append([arrival()])
    with pytest.raises(UsageError, match="holds something already") as refusal:
        await moved(filled, url)
    assert refusal.value.exit_code == 64
    async with open_store(url, clock=Clock()) as other:
        assert (await other.ledger()).accepted == 1


async def test_a_source_in_use_or_missing_is_refused(filled: Path, tmp_path: Path) -> None:
    url = databases.postgres_url()
    async with open_store(f"sqlite:///{filled}", clock=Clock()):
        with pytest.raises(StoreLocked):
            await moved(filled, url)
    with pytest.raises(StoreUnusable, match="there is no store"):
        await moved(tmp_path / "none.db", url)


async def test_rows_that_do_not_arrive_are_noticed(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = migration._Move._copy

    async def lossy(self: migration._Move, table: str, chunk: list[tuple[object, ...]]) -> None:
        await whole(self, table, chunk[1:] if table == "outbox" else chunk)

    monkeypatch.setattr(migration._Move, "_copy", lossy)
    with pytest.raises(StoreUnusable, match="rows in outbox"):
        await moved(filled, databases.postgres_url())
    async with open_store(f"sqlite:///{filled}", clock=Clock()) as old:
        await keep_frozen(old, SETTINGS)

"""What a database must be like before anything is written to it."""

import asyncio

import asyncpg
import pytest

import databases
from contract.store.examples import arrival
from npsbridge.clock import Clock
from npsbridge.errors import NoStoreYet, StorePermission, StoreUnavailable, StoreUnusable
from npsbridge.store import open_store
from npsbridge.store.postgres import hosts
from npsbridge.store.postgres.hosts import Hosts
from npsbridge.store.postgres.inspection import inspect
from npsbridge.store.postgres.place import place_of
from npsbridge.store.postgres.upgrades import UPGRADES, upgrade, version_of


async def fresh() -> str:
    """A store of its own, which no other test uses afterwards."""
    schema = "opening"
    connection = await asyncpg.connect(databases.the_server().url("public"))
    await connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
    await connection.close()
    return databases.the_server().url(schema)


async def test_i1_a_database_that_commits_before_the_disk_is_told_to_wait() -> None:
    url = databases.postgres_url() + "&synchronous_commit=off"
    connection = await Hosts(place_of(url)).connect()
    assert await connection.fetchval("SHOW synchronous_commit") == "on"
    await connection.close()


async def test_i1_a_database_that_never_waits_for_the_disk_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "_SETTINGS", "SELECT 'on', 'off'")
    with pytest.raises(StoreUnusable, match="fsync at off"):
        async with open_store(databases.postgres_url(), clock=Clock()):
            pytest.fail("it must not open")


async def test_i5_a_database_that_hands_out_numbers_in_blocks_is_refused_before_calls_can_overtake() -> None:
    url = await fresh()
    async with open_store(url, clock=Clock()):
        pass
    connection = await asyncpg.connect(url)
    # As YugabyteDB does unless it is told otherwise.
    await connection.execute("ALTER SEQUENCE outbox_id_seq CACHE 100")
    with pytest.raises(StoreUnusable, match="outbox_id_seq CACHE 1") as refusal:
        async with open_store(url, clock=Clock()):
            pytest.fail("it must not open")
    assert refusal.value.exit_code == 65
    await connection.execute("ALTER SEQUENCE outbox_id_seq CACHE 1")
    async with open_store(url, clock=Clock()) as store:
        await store.append([arrival()])
    await connection.close()


async def test_i1_aurora_which_has_no_disk_of_its_own_to_sync_is_taken_by_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without_sync = hosts._SETTINGS.replace("current_setting('fsync', true)", "'off'")
    monkeypatch.setattr(hosts, "_SETTINGS", without_sync)
    url = await fresh()
    connection = await asyncpg.connect(url)
    with pytest.raises(StoreUnusable, match="fsync at off"):
        async with open_store(url, clock=Clock()):
            pytest.fail("it must not open")
    await connection.execute("CREATE SCHEMA opening")
    await connection.execute("CREATE FUNCTION aurora_version() RETURNS TEXT LANGUAGE sql AS $$SELECT '16.1'$$")
    async with open_store(url, clock=Clock()) as store:
        await store.append([arrival()])
    await connection.execute("DROP SCHEMA opening CASCADE")
    await connection.close()


async def test_a_store_of_a_newer_release_is_refused_and_left_as_it_is() -> None:
    url = await fresh()
    async with open_store(url, clock=Clock()):
        pass
    connection = await asyncpg.connect(url)
    await connection.execute("INSERT INTO upgrades (number) VALUES (99)")
    with pytest.raises(StoreUnusable, match=r"newer release \(version 99"):
        async with open_store(url, clock=Clock()):
            pytest.fail("it must not open")
    await connection.close()


async def test_replicas_that_start_at_once_make_one_schema() -> None:
    url = await fresh()

    async def start() -> None:
        async with open_store(url, clock=Clock()) as store:
            await store.append([arrival()])

    await asyncio.gather(*(start() for _ in range(4)))
    async with open_store(url, clock=Clock()) as store:
        assert (await store.ledger()).accepted == 4


async def test_an_upgrade_that_fails_leaves_the_old_shape() -> None:
    url = await fresh()
    async with open_store(url, clock=Clock()):
        pass
    connection = await asyncpg.connect(url)
    with pytest.raises(asyncpg.PostgresSyntaxError):
        await upgrade(connection, (*UPGRADES, ("CREATE TABLE more (one INT)", "CREATE TABEL wrong")))
    assert await version_of(connection) == len(UPGRADES)
    assert await connection.fetchval("SELECT to_regclass('more')") is None
    await connection.close()


async def test_who_only_looks_makes_no_schema_and_upgrades_none() -> None:
    url = await fresh()
    with pytest.raises(NoStoreYet, match="there is no store at"):
        async with open_store(url, clock=Clock(), exclusive=False, must_exist=True):
            pytest.fail("it must not open")
    with pytest.raises(NoStoreYet):
        await inspect(url)
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SELECT current_schema()") is None
    await connection.execute(f"CREATE SCHEMA {databases.schema_of(url)}")
    await upgrade(connection, UPGRADES[:1])
    [found] = await inspect(url)
    assert (found.is_good, found.text.endswith("; the next start brings it there")) == (None, True)
    assert await version_of(connection) == 1
    await connection.close()


async def test_a_database_that_is_not_there_is_named_with_what_to_do() -> None:
    url = databases.the_server().url("any").replace("@/postgres", "@/elsewhere")
    with pytest.raises(StoreUnusable, match="make the database"):
        async with open_store(url, clock=Clock()):
            pytest.fail("it must not open")


async def test_f12_a_server_that_is_down_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable) as refusal:
        async with open_store("postgresql://nps:secret-word@127.0.0.1:1/nps", clock=Clock()):
            pytest.fail("it must not open")
    assert refusal.value.exit_code == 69
    assert "secret-word" not in str(refusal.value)


async def test_a_user_without_rights_is_told_to_get_them() -> None:
    connection = await asyncpg.connect(databases.the_server().url("public"))
    await connection.execute("DROP ROLE IF EXISTS guest")
    await connection.execute("CREATE ROLE guest LOGIN")
    await connection.close()
    url = databases.the_server().url("guests").replace("postgres@", "guest@")
    with pytest.raises(StorePermission, match="NPSBRIDGE_STORE_URL") as refusal:
        async with open_store(url, clock=Clock()):
            pytest.fail("it must not open")
    assert refusal.value.exit_code == 77

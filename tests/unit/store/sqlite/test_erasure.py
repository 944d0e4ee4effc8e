from pathlib import Path

import orjson
import pytest

from contract.store.examples import Wall, arrival, planned, remembered, route
from contract.store.people import ANN, BOB, email, identify, tell, user
from npsbridge.clock import Clock
from npsbridge.core.people import PersonId
from npsbridge.core.records import Remains
from npsbridge.core.storage import Store
from npsbridge.store.sqlite import erasure
from npsbridge.store.sqlite.store import open_sqlite

SECRETS = (b"ann@example.com", b"u-4711", b"Annabel")


def bytes_below(folder: Path) -> bytes:
    return b"".join(path.read_bytes().lower() for path in folder.iterdir())


async def fill(store: Store) -> None:
    """Everything that can be held of somebody, often enough to reach many pages."""
    for number in range(30):
        await tell(
            store, identify("u-4711", f"a{number}", email=ANN, name="Annabel", note="x" * 3_000), message=f"m{number}"
        )
        record = {"person": {"email": "Ann@Example.com", "name": "Annabel"}, "text": "y" * 5_000}
        await store.append([arrival(body=orjson.dumps([record, {"email": BOB}]), count=2)])
    answers = tuple(remembered(str(number), email=ANN, comment="Annabel") for number in range(30))
    await route(store, count=30, responses=answers, filtered=30, deliveries=())
    owed = planned("p", "user:u-4711", body=b'{"email":"ann@example.com","name":"Annabel"}', subject="delighted/1")
    await route(store, deliveries=(owed,), fanned_out=1, newest={f"email:{ANN}": 1, "user:u-4711": 1})
    await store.note_hints("retently", [ANN], heard_at=1)


@pytest.mark.parametrize("asked", [user("u-4711"), email(ANN)])
async def test_i20_no_byte_of_an_erased_person_is_left_in_the_files(tmp_path: Path, asked: PersonId) -> None:
    async with open_sqlite(tmp_path / "npsbridge.db", clock=Clock(Wall()), exclusive=True) as store:
        await fill(store)
        assert all(secret.lower() in bytes_below(tmp_path) for secret in SECRETS)
        forgotten = await store.forget(asked)
        assert forgotten.remains is Remains.NOTHING
        assert [secret for secret in SECRETS if secret.lower() in bytes_below(tmp_path)] == []
        assert b"bob@example.com" in bytes_below(tmp_path)
        assert (await store.ledger()).imbalance == 0


async def test_digests_of_one_store_say_nothing_in_another(tmp_path: Path) -> None:
    found = set()
    for name in ("one.db", "two.db"):
        async with open_sqlite(tmp_path / name, clock=Clock(Wall()), exclusive=True) as store:
            await store.forget(email(ANN))
            found |= set(await store._view.rows("SELECT digest FROM suppressions"))
    assert len(found) == 2


async def test_i20_what_came_while_the_journal_was_looked_through_goes_as_well(tmp_path: Path) -> None:
    path = tmp_path / "npsbridge.db"
    async with open_sqlite(path, clock=Clock(Wall()), exclusive=True) as store:
        await tell(store, identify("u1", email=ANN))
        found = erasure.look_for(path, user("u1"))
        await store.append([arrival(body=b'[{"userId":"u1"}]')])
        forgotten = await store._writer.run(lambda database: erasure.erase_all(database, user("u1"), found))
    assert forgotten.records == 1


async def test_i20_an_id_that_joined_them_while_the_journal_was_looked_through_is_looked_for_again(
    tmp_path: Path,
) -> None:
    path = tmp_path / "npsbridge.db"
    async with open_sqlite(path, clock=Clock(Wall()), exclusive=True) as store:
        await tell(store, identify("u1"))
        await store.append([arrival(body=b'[{"anonymousId":"a1"}]')])
        found = erasure.look_for(path, user("u1"))
        await tell(store, identify("u1", "a1"))
        forgotten = await store._writer.run(lambda database: erasure.erase_all(database, user("u1"), found))
    assert forgotten.records == 1

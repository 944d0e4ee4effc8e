"""The guards over every integration test can fail: I2 (proof/stores.py) and I19 (proof/outputs.py)."""

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from loguru import logger

import databases
from contract.store.examples import arrival
from end_to_end.harness import until, world
from npsbridge.clock import Clock
from npsbridge.store import open_store
from npsbridge.store.sqlite.opening import make_current
from npsbridge.web.listener import bind, serving
from proof.outputs import OUTPUTS, forms_of
from proof.stores import Used
from unit.web.serving import ANYWHERE

SECRET = "sesame-of-the-guards"
EMAIL, COMMENT = "somebody@shop.example.org", "too slow for words"


def lose_one(path: Path) -> None:
    """One more was accepted than the store can account for."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("UPDATE ledger SET amount = amount + 1 WHERE name = 'accepted'")


# --- the ledger -------------------------------------------------------------------------------------------------


async def test_i2_a_store_of_this_process_that_does_not_balance_is_told(tmp_path: Path) -> None:
    used = Used(None)
    path = tmp_path / "any name.sqlite"
    async with open_store(f"sqlite:///{path}", clock=Clock()):
        pass
    used.note(path)
    assert used.unbalanced == []
    lose_one(path)
    used.look_at_all()
    assert [line.partition(": ")[0] for line in used.unbalanced] == [f"{path} does not balance by 1"]
    path.unlink()


def test_i2_a_store_of_another_process_is_found_by_its_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / "left.behind"
    path.parent.mkdir(parents=True)
    make_current(path)
    (tmp_path / "letter.db").write_text("Dear Sir")
    lose_one(path)
    used = Used(tmp_path)
    used.look_at_all()
    assert len(used.unbalanced) == 1
    path.unlink()


async def test_i2_a_schema_that_the_test_was_given_is_told() -> None:
    url, unused = databases.postgres_url(), databases.postgres_url()
    async with open_store(url, clock=Clock()) as store:
        await store.append([arrival()])
    assert unused
    schema, looking, used = databases.schema_of(url), databases.inspector(), Used(None)
    used.look_at_all()
    assert used.unbalanced == []
    looking.execute(schema, "UPDATE ledger SET amount = amount + 1 WHERE name = 'accepted'")
    used.look_at_all()
    assert [line.partition(": ")[0] for line in used.unbalanced] == [f"schema {schema} does not balance by 1"]
    looking.execute(schema, "UPDATE ledger SET amount = amount - 1 WHERE name = 'accepted'")


# --- outputs ----------------------------------------------------------------------------------------------------


@pytest.fixture
def _knows_the_secret() -> None:
    OUTPUTS.know([SECRET])


def leaking(text: str) -> list[str]:
    """A command that might be ours and writes a text to standard error."""
    return [sys.executable, "-c", f"import sys; sys.stderr.write({text!r})", "npsbridge", "run"]


ENVIRONMENT = {"NPSBRIDGE_CONNECTIONS__SHOP__API_KEY": SECRET, "NPSBRIDGE_INGEST__WRITE_KEYS": '["another-secret"]'}


@pytest.mark.parametrize("form", sorted(forms_of(SECRET)))
async def test_i19_a_process_that_tells_a_secret_of_its_settings_is_heard(form: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *leaking(f"ready\nkey={form}."), env=ENVIRONMENT, stderr=asyncio.subprocess.PIPE
    )
    await process.communicate()
    assert OUTPUTS.leaks() == [f"npsbridge run told the secret {SECRET!r}"]


def test_i19_so_is_one_that_was_only_run(tmp_path: Path) -> None:
    command = leaking("Basic another-secret")
    subprocess.run(command, env=ENVIRONMENT, cwd=tmp_path, capture_output=True, check=True)  # noqa: S603 - our own text
    assert OUTPUTS.leaks() == ["npsbridge run told the secret 'another-secret'"]


@pytest.mark.usefixtures("_knows_the_secret")
def test_i19_a_secret_in_the_log_is_heard_at_any_level_and_an_email_from_info_upwards() -> None:
    logger.bind(key=SECRET).debug("Something was tried")
    logger.debug(f"of {EMAIL}")
    assert OUTPUTS.leaks() == [f"the log of {__name__} told the secret {SECRET!r}"]
    logger.info(f"of {EMAIL}")
    assert OUTPUTS.leaks() == [f"the log of {__name__} told of {EMAIL!r}"]


@pytest.mark.usefixtures("_knows_the_secret")
async def test_i19_a_secret_in_an_answer_is_heard_and_a_person_where_nobody_is_shown() -> None:
    async def tell(request: web.Request) -> web.Response:
        return web.Response(text=f"{SECRET if request.path == '/api/x' else ''} {EMAIL}")

    app = web.Application()
    app.router.add_get("/{any:.*}", tell)
    with bind(ANYWHERE, "NPSBRIDGE_LISTEN") as opened:
        async with serving(app, opened, grace=1) as at, aiohttp.ClientSession(f"http://{at}") as session:
            for path in ("/api/x", "/metrics"):
                async with session.get(path) as answer:
                    assert answer.status == 200
    told = [f"the answer to GET /api/x told the secret {SECRET!r}", f"the answer to GET /metrics told of {EMAIL!r}"]
    assert OUTPUTS.leaks() == told


async def test_i19_the_secrets_of_every_daemon_and_the_comments_that_went_through_it_are_known(tmp_path: Path) -> None:
    async with world(tmp_path) as both, both.daemon():
        both.delighted.answer(both.delighted.add_person(EMAIL), 3, comment=COMMENT)
        await until(lambda: len(both.segment.events) == 4)
        assert {both.delighted.api_key, *both.segment.write_keys} <= OUTPUTS.secrets
    assert OUTPUTS.leaks() == []
    logger.warning(f"he said: {COMMENT}")
    assert OUTPUTS.leaks() == [f"the log of {__name__} told of {COMMENT!r}"]

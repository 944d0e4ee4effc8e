"""An older state of the store comes back: from a backup, or copied by hand without its WAL (F11).

Nothing is lost that a vendor still has, nothing is said under another messageId, nobody is surveyed again.
"""

import shutil
from pathlib import Path

import pytest

from end_to_end.harness import World, until, world
from end_to_end.outbound import HOUR, PURCHASE, outbound, surveys
from npsbridge.core.model import State
from npsbridge.sandbox import PastAnswer
from npsbridge.sandbox.faults import status
from npsbridge.store.sqlite.backup import back_up
from npsbridge.store.sqlite.erasure import fold_in
from npsbridge.store.sqlite.inspection import inspect

pytestmark = pytest.mark.looptime

ANSWERS = [PastAnswer(email=f"p{n}@example.org", score=n % 11, created_at=1_772_323_200 + n) for n in range(20)]
SAID = 3 * len(ANSWERS)


def store_in(folder: Path) -> Path:
    return folder / "npsbridge.db"


def copy_by_backup(folder: Path) -> None:
    back_up(store_in(folder), folder / "copy.db", force=True, progress=lambda _, __: None)


def copy_without_wal(folder: Path) -> None:
    """What `cp npsbridge.db copy.db` makes of a store in use."""
    shutil.copy(store_in(folder), folder / "copy.db")


def restore(folder: Path) -> None:
    """As the help of `db backup` says."""
    shutil.copy(folder / "copy.db", store_in(folder))
    for end in ("-wal", "-shm"):
        store_in(folder).with_name(f"npsbridge.db{end}").unlink(missing_ok=True)


def answer(both: World, *emails: str) -> None:
    for email in emails:
        both.delighted.answer(both.delighted.add_person(email), 9)


def check_said_again_under_the_same_ids(both: World, events: int) -> None:
    """At the other end, where messageIds are recognised, everything is there once."""
    assert len(both.segment.events) == len(both.segment.message_ids) == events
    assert len(both.said()) > events


async def test_i12_a_restored_backup_says_what_followed_again_under_the_same_message_ids(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.load(ANSWERS)
        async with both.daemon():
            await until(lambda: len(both.segment.events) == SAID)
            copy_by_backup(tmp_path)
            answer(both, "ana@example.org", "ben@example.org")
            await until(lambda: len(both.segment.events) == SAID + 6, within=200)
        restore(tmp_path)
        async with both.daemon() as app:
            await both.another_round(app)
        check_said_again_under_the_same_ids(both, SAID + 6)


async def test_what_was_settled_when_the_backup_was_made_is_not_said_again(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.load(ANSWERS)
        async with both.daemon() as app:
            await until(lambda: len(both.segment.events) == SAID)
            await both.another_round(app)
            copy_by_backup(tmp_path)
        restore(tmp_path)
        async with both.daemon() as app:
            await both.another_round(app)
        both.check_each_said_once()


async def test_f11_a_store_without_its_wal_starts_as_an_older_one_and_catches_up(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.load(ANSWERS)
        async with both.daemon():
            await until(lambda: len(both.segment.events) == SAID)
            copy_without_wal(tmp_path)
        restore(tmp_path)
        assert [found.subject for found in inspect(store_in(tmp_path)) if not found.is_good] == ["age"]
        async with both.daemon() as app:
            await both.another_round(app)
        check_said_again_under_the_same_ids(both, SAID)
        (warning,) = [line for line in both.told if "is older than when npsbridge last used it" in line.message]
        assert warning.level == "WARNING"


async def test_i8_f11_a_survey_that_was_made_after_the_copy_is_not_made_again_without_the_wal(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line:
        async with line.daemon() as app:
            await line.tell(app, line.identify("u1", email="ana@example.org"))
            line.delighted.faults.add(status(429))
            await line.send(app, line.track("u1", PURCHASE))
            await until(lambda: len(line.delighted.requests) >= 2, within=HOUR)
            fold_in(store_in(tmp_path))
            copy_without_wal(tmp_path)
            line.delighted.faults.clear()
            await line.rests(app)
        restore(tmp_path)
        async with line.daemon() as app:
            await line.rests(app)
        assert len(line.delighted.survey_requests) == 1


@pytest.mark.parametrize("was_sent", [True, False], ids=["sent after the backup", "never sent"])
async def test_i8_a_survey_that_was_owed_in_a_backup_is_asked_for_once(tmp_path: Path, *, was_sent: bool) -> None:
    async with outbound(tmp_path) as line:
        async with line.daemon() as app:
            await line.tell(app, line.identify("u1", email="ana@example.org"))
            line.delighted.faults.add(status(429))
            await line.send(app, line.track("u1", PURCHASE))
            await until(lambda: len(line.delighted.requests) >= 2, within=HOUR)
            copy_by_backup(tmp_path)
            if was_sent:
                line.delighted.faults.clear()
                await line.rests(app)
        line.delighted.faults.clear()
        restore(tmp_path)
        before = len(surveys(line.delighted))
        async with line.daemon() as app:
            await line.rests(app)
            assert await line.listed(app, State.HELD) == []
        assert len(surveys(line.delighted)) - before == (0 if was_sent else 1)
        assert len(line.delighted.survey_requests) == 1

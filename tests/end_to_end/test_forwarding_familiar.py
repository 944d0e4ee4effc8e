"""Calls that nobody wants of people who are known: they cost no row, and hide nothing that matters."""

from pathlib import Path

import pytest

from end_to_end.outbound import ACTIVATION, INVITATION, PURCHASE, REPORT, Message, Outbound, asked, outbound
from npsbridge.app import App
from npsbridge.core.people import IdKind, PersonId

pytestmark = pytest.mark.looptime(noop_cycles=8)

ORDER = "Order Completed"
DEVICE = "device-of-u1"


async def familiar(line: Outbound, app: App) -> None:
    """Somebody who is described, and of whom a call came that nobody wants."""
    await line.tell(app, line.identify("u1", anonymous_id=DEVICE, email="u1@example.org"))
    await line.tell(app, seen(line))


def seen(line: Outbound, **properties: str) -> Message:
    return line.track("u1", "Page Seen", anonymous_id=DEVICE, **properties)


async def test_they_are_filtered_and_leave_no_row(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await familiar(line, app)
        before = await app.store.ledger()
        calls = [seen(line) for _ in range(5)]
        await line.tell(app, *calls)
        assert (await app.store.ledger()).filtered == before.filtered + 5
        assert await app.store.seen({call["messageId"] for call in calls}) == set()


async def test_one_that_comes_again_is_counted_as_a_duplicate(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await familiar(line, app)
        call, before = seen(line), await app.store.ledger()
        for _ in range(3):
            await line.tell(app, call)
        after = await app.store.ledger()
        assert (after.filtered - before.filtered, after.duplicate - before.duplicate) == (1, 2)


@pytest.mark.parametrize(
    ("event", "vendor"),
    [
        (PURCHASE, "delighted"),
        (ACTIVATION, "retently"),
        (REPORT, "satismeter"),
        (INVITATION, "promoter"),
        (ORDER, "promoter"),
    ],
)
async def test_what_a_platform_wants_is_acted_on_amid_them(tmp_path: Path, event: str, vendor: str) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await familiar(line, app)
        before = len(asked(line.vendors[vendor]))
        wanted = line.track("u1", event, anonymous_id=DEVICE)
        await line.tell(app, seen(line), wanted, seen(line))
        await line.tell(app, line.track("u1", event, anonymous_id=DEVICE, number=2), seen(line))
        assert len(asked(line.vendors[vendor])) >= before + 1
        assert await app.store.seen({wanted["messageId"]}) == {wanted["messageId"]}


async def test_i20_who_is_deleted_by_segment_is_erased_also_where_nobody_wants_the_call(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await familiar(line, app)
        assert (await line.webhook(app, line.call("delete", userId="u1"))).status == 200
        await line.rests(app)
        await erased_from_now_on(line, app, tmp_path)


async def test_i20_who_is_forgotten_by_hand_is_erased_also_where_nobody_wants_the_call(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await familiar(line, app)
        await app.store.forget(PersonId(IdKind.EMAIL, "u1@example.org"))
        await erased_from_now_on(line, app, tmp_path)


async def test_i20_a_deletion_in_the_same_batch_as_such_calls_wins(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await familiar(line, app)
        batch = [seen(line, note="before it"), line.call("delete", userId="u1"), seen(line, note="behind it")]
        assert (await line.webhook(app, batch)).status == 200
        await line.rests(app)
        stored = on_disk(tmp_path)
        assert (b"before it" in stored, b"behind it" in stored) == (False, False)


async def erased_from_now_on(line: Outbound, app: App, folder: Path) -> None:
    before = await app.store.ledger()
    await line.tell(app, seen(line, note="after it"), seen(line, note="after it"))
    after = await app.store.ledger()
    assert (after.erased - before.erased, after.filtered - before.filtered) == (2, 0)
    assert b"after it" not in on_disk(folder)


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("npsbridge.db*"))

"""What is remembered of deliveries that were just written, and when it is not relied on."""

from typing import Any

from contract.store.examples import START, planned
from npsbridge.core.model import Delivery, State
from npsbridge.store.sqlite.fresh import MOST_BYTES, Fresh


def kept(*numbers: int, connection: str = "segment", **fields: Any) -> Fresh:
    fresh = Fresh()
    fresh.keep([(number, planned(f"m{number}", connection=connection, **fields)) for number in numbers], START)
    return fresh


def test_what_was_written_is_handed_out_as_it_stands_in_the_outbox() -> None:
    (found,) = kept(7, subject="delighted/1").take("segment", [7]) or []
    assert found == Delivery(
        id=7,
        connection="segment",
        person="ann",
        kind="submit",
        message_id="m7",
        body=b"{}",
        state=State.QUEUED,
        created_at=START,
        subject="delighted/1",
    )


def test_it_is_handed_out_in_the_order_asked_for_and_once() -> None:
    fresh = kept(1, 2, 3)
    assert [one.id for one in fresh.take("segment", [1, 2]) or []] == [1, 2]
    assert fresh.take("segment", [2]) is None
    assert [one.id for one in fresh.take("segment", [3]) or []] == [3]
    assert not fresh.has_any_for("segment")


def test_where_one_is_not_known_all_are_to_be_read_and_no_older_one_is_known() -> None:
    fresh = kept(2, 3, 4, 5)
    assert fresh.take("segment", [1, 3, 4]) is None
    assert fresh.take("segment", [2]) is None
    assert [one.id for one in fresh.take("segment", [5]) or []] == [5]


def test_connections_are_apart() -> None:
    fresh = kept(1, connection="heap")
    assert (fresh.has_any_for("heap"), fresh.has_any_for("segment")) == (True, False)
    assert fresh.take("segment", [1]) is None
    assert [one.id for one in fresh.take("heap", [1]) or []] == [1]


def test_what_was_attempted_without_having_been_claimed_is_not_known() -> None:
    fresh = kept(1, 2)
    fresh.attempted({1, 9})
    assert fresh.take("segment", [1, 2]) is None


def test_what_may_come_to_be_owed_to_another_person_is_not_known() -> None:
    assert not kept(1, person="person:1").has_any_for("segment")


def test_only_so_much_is_kept_and_there_is_room_again_for_what_was_handed_out() -> None:
    half = bytes(MOST_BYTES // 2)
    fresh = kept(1, 2, 3, body=half)
    assert fresh.take("segment", [3]) is None
    fresh.keep([(4, planned("m4", body=half)), (5, planned("m5", body=half))], START)
    assert [one.id for one in fresh.take("segment", [4, 5]) or []] == [4, 5]


def test_it_can_be_made_to_know_nothing() -> None:
    fresh = kept(1)
    fresh.forget()
    assert not fresh.has_any_for("segment")
    fresh.keep([(2, planned("m2", body=bytes(MOST_BYTES)))], START)
    assert fresh.has_any_for("segment")

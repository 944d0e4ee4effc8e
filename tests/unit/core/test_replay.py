"""What is told again, and what a sink is told that has never heard of a response."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from contract.store.examples import NOON, START, planned, remembered
from npsbridge.core.model import Emission, Identity, Kind, PlannedDelivery, State
from npsbridge.core.records import Recall, Sent
from npsbridge.core.replay import Fate, Untold, count_untold, fate_of, tell
from npsbridge.core.route import Rules
from npsbridge.core.times import milliseconds
from npsbridge.store import ledger

ANN = "ann@example.com"
LATER = milliseconds(NOON + timedelta(days=1))


def sent(kind: str, *, is_latest: bool = True) -> Sent:
    return Sent(id=1, kind=kind, subject="delighted/1", settled_at=START, is_latest=is_latest)


@pytest.mark.parametrize(
    ("one", "outdated", "fate"),
    [
        (sent("submit"), {"delighted/1"}, Fate.AGAIN),
        (sent("submit", is_latest=False), set[str](), Fate.AGAIN),
        (sent("identify"), set[str](), Fate.AGAIN),
        (sent("identify"), {"delighted/1"}, Fate.OUTDATED),
        (sent("identify", is_latest=False), set[str](), Fate.OUTDATED),
    ],
)
def test_i14_only_traits_that_still_hold_are_sent_again(one: Sent, outdated: set[str], fate: Fate) -> None:
    assert fate_of(one, surveys=False, outdated=outdated) is fate


@pytest.mark.parametrize(("surveys", "fate"), [(False, Fate.SURVEY), (True, Fate.AGAIN)])
def test_i8_nobody_is_surveyed_again_unless_that_is_wished_for(*, surveys: bool, fate: Fate) -> None:
    assert fate_of(sent("survey"), surveys=surveys, outdated=()) is fate


def plan(emission: Emission) -> list[PlannedDelivery]:
    """A sink that takes everything, and notes for whom."""
    person = emission.identity.user_id or "nobody"
    return [planned(f"{kind}-{emission.revision}", person, kind=kind) for kind in emission.kinds]


def told(recall: Recall | None = None, **fields: Any) -> Sequence[PlannedDelivery]:
    known = remembered("1", revision=3, email=ANN, comment="Good", **fields)
    return tell(known, recall or Recall(), rules=Rules(), plan=plan).deliveries


def test_a_sink_hears_all_of_a_response_as_it_is_now() -> None:
    expected = [f"{kind}-3" for kind in (Kind.IDENTIFY, Kind.SUBMIT, Kind.ANSWERED, Kind.COMPLETED)]
    assert [one.message_id for one in told()] == expected


def test_it_is_reported_under_the_identity_that_is_known_today() -> None:
    recall = Recall(identities={ANN: Identity(user_id="u1", email=ANN)})
    assert {one.person for one in told(recall)} == {"u1"}


def test_i14_an_answer_that_is_not_the_newest_of_its_person_sets_no_traits() -> None:
    recall = Recall(newest={f"email:{ANN}": LATER})
    assert Kind.IDENTIFY not in {one.kind for one in told(recall)}


def test_what_a_sink_cannot_be_told_goes_to_the_shelf_with_the_reason() -> None:
    def refuse(_: Emission) -> list[PlannedDelivery]:
        raise ValueError("too large")

    told = tell(remembered("1"), Recall(), rules=Rules(), plan=refuse)
    assert [(one.connection, one.kind, one.reason) for one in told.shelved] == [("delighted", "record", "too large")]


def test_i2_what_a_sink_is_told_for_the_first_time_is_accepted_anew() -> None:
    told = Untold(deliveries=(planned("m1"), planned("m2", filtered_because="no id")))
    added = ledger.routed(told.routing, stored={State.QUEUED: 1, State.FILTERED: 1})
    assert {name: amount for name, amount in added.items() if amount} == {"accepted": 2, "filtered": 1}


def test_each_part_is_counted_by_what_becomes_of_it() -> None:
    counted = []
    told = Untold(deliveries=(planned("m1"), planned("m2", filtered_because="no id")))
    count_untold(told, lambda *one: counted.append(one))
    assert counted == [("submit", Fate.FIRST, 1), ("submit", Fate.FILTERED, 1)]

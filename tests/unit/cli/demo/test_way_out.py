"""Each kind of difference between what the shop sent and what the vendors recorded is seen."""

from collections.abc import Mapping
from typing import Any

import pytest

from npsbridge.cli.demo.asked import AskedOf
from npsbridge.cli.demo.figure import disagreements
from npsbridge.cli.demo.heard import Heard
from npsbridge.cli.demo.shop import Shop
from npsbridge.cli.demo.way_out import DESCRIBED, Depths, is_told_all, sent_figures, way
from npsbridge.core.model import State
from npsbridge.sandbox.account_state import Asked
from unit.cli.demo.asking import ACCOUNTS, described, recorded, surveyed
from unit.cli.demo.examples import submitted

ONE = Asked(people=1, surveys=2, throttled=1)
Bodies = list[dict[str, Any]]


def shop() -> Shop:
    """One person, who buys before they are known, and once more after their next visit."""
    made = Shop(lambda: 0.0)
    made.order("u-1")
    made.identify("u-1")
    made.identify("u-1", is_changed=True)
    made.order("u-1")
    return made


def asked_at(platform: str) -> Bodies:
    """What a platform has to be asked because of that."""
    orders = [surveyed(platform, "u-1", number) for number in ("S-0001", "S-0002")]
    if platform not in DESCRIBED:
        return orders
    traits = [described(platform, "u-1"), described(platform, "u-1", plan="team", visits=1)]
    return [body for pair in zip(traits, orders, strict=True) for body in pair]


def all_asked(changed: Mapping[str, Bodies]) -> list[AskedOf]:
    return [recorded(name, *changed.get(name, asked_at(name))) for name in ACCOUNTS]


def differences(
    changed: Mapping[str, Bodies] | None = None,
    *,
    on_disk: int = 4,
    heard: Heard | None = None,
    made: Shop | None = None,
) -> set[str]:
    """The names of the figures that do not agree."""
    found = sent_figures(made or shop(), all_asked(changed or {}), heard or Heard([]), on_disk=on_disk)
    return {text.partition(":")[0] for text in disagreements(found)}


def of_way(asked: Asked = ONE, depths: Depths | None = None, state: str = "connected") -> list[str]:
    line = way(shop(), recorded("promoter", *asked_at("promoter")), asked, depths or {}, state=state)
    return disagreements(line.figures)


def test_both_ends_agree_when_everything_was_asked_once() -> None:
    assert differences() == set()
    assert of_way() == []


def test_a_call_that_is_not_on_disk_is_seen() -> None:
    assert differences(on_disk=3) == {"calls by SDK and webhook, on disk"}


@pytest.mark.parametrize("platform", ACCOUNTS)
def test_a_survey_that_is_missing_is_seen(platform: str) -> None:
    assert "surveys" in differences({platform: asked_at(platform)[:-1]})


@pytest.mark.parametrize("platform", ACCOUNTS)
def test_i8_a_survey_that_was_asked_for_twice_is_seen(platform: str) -> None:
    bodies = asked_at(platform)
    found = differences({platform: [*bodies, bodies[-1]]})
    assert found == {"surveys asked for twice", "buyers with their orders in order"}


def test_a_survey_for_nobody_s_order_is_seen() -> None:
    stray = surveyed("retently", "u-9", "S-0009")
    assert differences({"retently": [*asked_at("retently"), stray]}) == {"surveys asked for twice"}


@pytest.mark.parametrize("platform", ["delighted", "retently", "promoter"])
def test_i5_orders_that_changed_places_are_seen(platform: str) -> None:
    bodies = asked_at(platform)
    bodies[-1], bodies[-1 - len(bodies) // 2] = bodies[-1 - len(bodies) // 2], bodies[-1]
    assert differences({platform: bodies}) == {"buyers with their orders in order"}


def test_i5_a_survey_that_overtook_the_traits_before_it_is_seen() -> None:
    first, order, second, next_order = asked_at("satismeter")
    assert differences({"satismeter": [first, order, next_order, second]}) == {"buyers with their orders in order"}


def test_an_order_that_did_not_wait_for_who_its_buyer_is_is_seen() -> None:
    first, order, *rest = asked_at("delighted")
    found = differences({"delighted": [order, first, *rest]})
    assert "right behind the identify they waited for" in found


def test_older_traits_at_a_vendor_are_seen() -> None:
    bodies = asked_at("promoter")
    assert "people with their newest traits" in differences({"promoter": [*bodies, bodies[0]]})


def test_who_was_described_again_with_nothing_new_is_seen() -> None:
    first, *rest = asked_at("delighted")
    assert differences({"delighted": [first, first, *rest]}) == {"described again with nothing new"}


def answered(*answers: dict[str, Any]) -> set[str]:
    """What is seen when the one person who was surveyed has answered, and Segment was told this of it."""
    made = shop()
    made.answers["delighted", "7"] = "u-1"
    return differences(heard=Heard(list(answers)).catch_up(), made=made)


def test_an_answer_came_home_under_the_user_id_that_was_surveyed() -> None:
    assert answered(submitted("7", 9) | {"userId": "u-1"}) == set()


@pytest.mark.parametrize("user_id", ["u-2", None])
def test_an_answer_that_came_home_to_somebody_else_is_seen(user_id: str | None) -> None:
    assert answered(submitted("7", 9) | {"userId": user_id}) == {"answers under the userId that was surveyed"}


def test_an_answer_that_did_not_come_home_is_seen() -> None:
    assert answered() == {"answers under the userId that was surveyed"}


def test_a_platform_is_told_all_when_nothing_that_is_due_is_missing() -> None:
    for name in ACCOUNTS:
        bodies = asked_at(name)
        assert is_told_all(shop(), recorded(name, *bodies))
        assert not is_told_all(shop(), recorded(name, *bodies[:-1]))


# --- one platform -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        ({"people": 2}, "people at Promoter.io: 1 is true, 2 was told"),
        ({"surveys": 3}, "surveys asked for at Promoter.io: 2 is true, 3 was told"),
        ({"throttled": 0}, "surveys throttled at Promoter.io: 1 is true, 0 was told"),
    ],
)
def test_what_the_vendor_s_own_account_says_otherwise_is_seen(changes: Mapping[str, int], seen: str) -> None:
    usual = {"people": 1, "surveys": 2, "throttled": 1}
    assert of_way(Asked(**{**usual, **changes})) == [seen]


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (State.QUEUED, "waiting"),
        (State.WAITING, "waiting"),
        (State.INFLIGHT, "waiting"),
        (State.EXPIRED, "expired"),
        (State.HELD, "held"),
        (State.DEAD, "dead"),
    ],
)
def test_what_has_not_gone_out_is_seen(state: State, word: str) -> None:
    depths = {("promoter", state): 1, ("delighted", state): 5}
    assert of_way(depths=depths) == [f"{word} for Promoter.io: 0 is true, 1 was told"]


def test_a_way_that_is_not_connected_is_seen() -> None:
    assert of_way(state="retrying") == ["the state of the way to Promoter.io: connected is true, retrying was told"]


def test_retently_hears_of_buyers_only() -> None:
    made = shop()
    made.identify("u-2")
    expected = {
        name: way(made, recorded(name), ONE, {}, state="connected").expected for name in ("retently", "satismeter")
    }
    assert expected["retently"] == Asked(people=1, surveys=2, throttled=0)
    assert expected["satismeter"] == Asked(people=2, surveys=2, throttled=0)

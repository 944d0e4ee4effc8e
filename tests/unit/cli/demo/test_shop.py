"""What the shop of the demo says is what an SDK would say, and it remembers all of it."""

from npsbridge.cli.demo.shop import ORDERED, Shop

NOW = 1_775_001_600.25


def shop() -> Shop:
    return Shop(lambda: NOW)


def test_a_call_has_all_that_an_sdk_s_call_has() -> None:
    made = shop().identify("u-1001")
    assert (made["type"], made["userId"], made["timestamp"]) == ("identify", "u-1001", "2026-04-01T00:00:00.250Z")
    assert made["context"]["library"]["name"] == "analytics-python"
    assert made["traits"]["email"] == "noor.haddad.1001@shop.example"


def test_every_call_has_a_message_id_of_its_own_and_the_same_in_every_run() -> None:
    one, other = shop(), shop()
    ids = [shop_.identify("u-1001")["messageId"] for shop_ in (one, one, other)]
    assert ids[0] == ids[2] != ids[1]
    assert one.message_ids == ids[:2]


def test_newcomers_are_those_of_whom_nothing_was_told() -> None:
    made = shop()
    assert made.newcomers(2) == made.newcomers(2) == ["u-1001", "u-1002"]
    made.identify("u-1001")
    assert made.newcomers(1) == ["u-1002"]


def test_somebody_is_told_again_as_before_unless_there_is_news() -> None:
    made = shop()
    told = [made.identify("u-1001", is_changed=is_changed)["traits"] for is_changed in (True, False, True)]
    assert told[0] == told[1]
    assert [(traits["visits"], traits["plan"]) for traits in told] == [(0, "free"), (0, "free"), (1, "team")]
    assert made.traits["u-1001"] == told[2]


def test_an_order_is_told_with_what_the_e_commerce_spec_asks_for() -> None:
    made = shop()
    call = made.order("u-1001")
    assert (call["type"], call["event"]) == ("track", ORDERED)
    assert call["properties"].keys() == {"order_id", "total", "currency", "products"}
    assert [order.number for order in made.orders] == [call["properties"]["order_id"]]


def test_an_order_is_due_once_its_buyer_is_known() -> None:
    made = shop()
    made.order("u-1001")
    assert (made.due, made.early) == ([], ["u-1001"])
    made.identify("u-1001")
    assert [(order.user_id, order.visits) for order in made.due] == [("u-1001", "0")]


def test_an_order_keeps_the_traits_of_its_time() -> None:
    made = shop()
    for _ in range(2):
        made.identify("u-1001", is_changed=True)
        made.order("u-1001")
    assert [order.visits for order in made.due] == ["0", "1"]
    assert made.early == []


def test_who_buys_again_is_a_buyer_once_and_throttled() -> None:
    made = shop()
    for user_id in ("u-1001", "u-1002", "u-1001"):
        made.identify(user_id)
        made.order(user_id)
    assert (made.buyers, made.throttled) == (["u-1001", "u-1002"], 1)

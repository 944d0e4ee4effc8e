"""What `trace` tells of a message, a response or a person."""

import json
from collections.abc import Callable

import pytest

from unit.cli.commands import Ended

Command = Callable[..., Ended]

pytestmark = pytest.mark.usefixtures("store")


@pytest.mark.parametrize("key", ["nps-submit", "430001", "Ann@Example.com"])
def test_a_message_a_response_and_an_email_lead_to_the_response(npsbridge: Command, key: str) -> None:
    found = json.loads(npsbridge("trace", key, "--json").out)
    assert [one["id"] for one in found["responses"]] == ["430001"]
    assert [one["origin"] for one in found["arrivals"]] == ["poll"]


def test_the_deliveries_of_a_response_are_told_in_order(npsbridge: Command) -> None:
    found = json.loads(npsbridge("trace", "430001", "--json").out)
    assert [(one["kind"], one["state"]) for one in found["deliveries"]] == [
        ("identify", "delivered"),
        ("submit", "queued"),
    ]


def test_a_comment_can_neither_style_the_table_nor_steer_the_terminal(npsbridge: Command) -> None:
    shown = npsbridge("trace", "430001")
    assert shown.code == 0
    assert r"Great [/bold] \x1b[31mstuff" in shown.out


def test_what_nobody_knows_is_a_mistake_and_an_empty_document(npsbridge: Command) -> None:
    refused = npsbridge("trace", "nps-none", "--json")
    assert (refused.code, refused.err) == (
        64,
        "npsbridge: nothing is known of nps-none; a call that no platform wants leaves nothing to be shown\n",
    )
    assert json.loads(refused.out) == {"arrivals": [], "responses": [], "deliveries": [], "waiting": []}


def test_what_is_missing_is_not_said_to_have_been_there(npsbridge: Command) -> None:
    assert "Responses: none is known" in npsbridge("trace", "nps-dead").out

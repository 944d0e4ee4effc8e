"""Asking the look-alike for surveys: the exact request, and what each answer, or none, means for each person."""

from typing import Any

import pytest

from npsbridge.core.forward import SURVEY
from npsbridge.core.model import Delivery
from npsbridge.core.outcome import (
    Blame,
    Declined,
    Delivered,
    Outcome,
    Paused,
    Rejected,
    Retired,
    RetryLater,
    Unknown,
)
from npsbridge.platforms.retently import platform
from npsbridge.platforms.retently.destination import BEHIND, RetentlyDestination
from npsbridge.sandbox.faults import (
    CutConnection,
    Fault,
    GzipBomb,
    ResetAfterReading,
    ResetBeforeReading,
    Truncated,
    empty,
    error_object,
    html,
    null,
    redirect,
    status,
)
from npsbridge.sandbox.retently import RetentlyServer
from unit.platforms.retently.bench import Bench
from unit.platforms.retently.forwarding import survey

KEY, URL, CAMPAIGNS = (f"NPSBRIDGE_RETENTLY__{name}" for name in ("API_KEY", "BASE_URL", "CAMPAIGNS"))


def sender(bench: Bench) -> RetentlyDestination:
    return RetentlyDestination(bench.wiring())


def to(bench: Bench, number: int, email: str = "", **fields: Any) -> Delivery:
    """A request for the account's first campaign, if no other is named."""
    return survey(number, email, **{"campaign": bench.server.account.default_campaign, **fields})


async def deliver(bench: Bench, *batch: Delivery) -> list[Outcome]:
    return await sender(bench).deliver(batch)


def surveyed(bench: Bench) -> list[str]:
    """Whom the account was really asked to survey."""
    return [request.email for request in bench.server.survey_requests]


def requests_for_surveys(bench: Bench) -> list[list[str]]:
    """The emails in each request, in the order the requests came."""
    bodies = [request.body for request in bench.server.requests if request.path == "/api/v2/survey"]
    return [[row["email"] for row in body["subscribers"]] for body in bodies]


# --- the request ------------------------------------------------------------------------------------------------


async def test_a_survey_is_asked_for_exactly_as_planned(bench: Bench) -> None:
    properties = [{"label": "segment_user_id", "type": "string", "value": "u1"}]
    delivery = to(bench, 1, "ana@example.org", first_name="Ana", tags=["vip"], properties=properties)
    assert await deliver(bench, delivery) == [Delivered()]
    [request] = bench.server.requests
    assert (request.method, request.target) == ("POST", "/api/v2/survey")
    assert request.raw == delivery.body
    assert request.headers["Authorization"] == f"api_key={bench.server.api_key}"
    assert request.headers["Content-Type"] == "application/json"


async def test_the_account_has_the_customer_and_the_survey(bench: Bench) -> None:
    properties = [{"label": "segment_user_id", "type": "string", "value": "u1"}]
    await deliver(bench, to(bench, 1, "ana@example.org", company="Acme", properties=properties))
    [customer] = bench.server.people.values()
    assert (customer.email, customer.company) == ("ana@example.org", "Acme")
    assert bench.server.properties_of("ana@example.org") == {"segment_user_id": "u1"}
    assert [row.email for row in bench.server.account.outbox.values()] == ["ana@example.org"]


async def test_people_of_one_campaign_go_together_and_others_by_themselves(bench: Bench) -> None:
    other = bench.server.account.add_campaign("Other").id
    batch = [to(bench, 1), to(bench, 2, campaign=other), to(bench, 3)]
    assert await deliver(bench, *batch) == [Delivered()] * 3
    assert requests_for_surveys(bench) == [["p1@example.org", "p3@example.org"], ["p2@example.org"]]


async def test_the_same_person_twice_is_two_requests(bench: Bench) -> None:
    batch = [to(bench, 1, "ana@example.org"), to(bench, 2, "ana@example.org", person=1)]
    assert await deliver(bench, *batch) == [Delivered()] * 2
    assert requests_for_surveys(bench) == [["ana@example.org"]] * 2


async def test_nothing_to_send_sends_nothing(bench: Bench) -> None:
    assert await deliver(bench) == []
    assert not bench.asked


async def test_what_is_no_survey_request_is_refused_without_disturbing_others(bench: Bench) -> None:
    stranger = to(bench, 1, kind="identify")
    found = await deliver(bench, stranger, to(bench, 2))
    assert found == [Rejected(reason="is nothing that Retently takes"), Delivered()]


def test_the_platform_has_the_destination(bench: Bench) -> None:
    assert platform.forwarder is not None
    found = platform.forwarder(bench.wiring())
    assert (found.connection, found.label, found.once) == ("retently", "Retently", frozenset({SURVEY}))


# --- answers to the whole request -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (status(401, message="Bad key."), Paused(reason=f"HTTP 401 Bad key.; check {KEY}")),
        (status(402, message="Upgrade."), Paused(reason=f"HTTP 402 Upgrade.; check {KEY}")),
        (status(403, message="No."), Paused(reason=f"HTTP 403 No.; check {KEY}")),
        (status(404, message="No."), Paused(reason=f"HTTP 404 No.; check {URL}")),
        (redirect("https://elsewhere.example/"), Paused(reason=f"HTTP 302: redirects are not followed; check {URL}")),
        (status(410, message="Over."), Retired(reason="HTTP 410 Over.: the service has ended")),
        (status(429, retry_after=7), RetryLater(reason="HTTP 429", after=7)),
        (status(500, message="Oops."), Unknown(reason="HTTP 500 Oops.")),
        (status(503, retry_after=7, message="Soon."), Unknown(reason="HTTP 503 Soon.")),
        (status(408, message="Slow."), Unknown(reason="HTTP 408 Slow.")),
        (html(502), Unknown(reason="HTTP 502")),
        (html(), Unknown(reason="what answered is not Retently's API")),
        (empty(), Unknown(reason="what answered is not Retently's API")),
        (null(), Unknown(reason="what answered is not Retently's API")),
        (Truncated(), Unknown(reason="what answered is not Retently's API")),
        (error_object(), Unknown(reason="a good status with error 500 inside")),
    ],
    ids=str,
)
async def test_an_answer_means_what_has_to_happen_next(bench: Bench, fault: Fault, outcome: Outcome) -> None:
    bench.server.faults.add(fault, path="/survey")
    assert await deliver(bench, to(bench, 1), to(bench, 2)) == [outcome] * 2
    assert len(requests_for_surveys(bench)) == 1


async def test_f22_a_429_that_says_nothing_is_waited_out_for_a_minute_and_then_longer(bench: Bench) -> None:
    bench.server.faults.add(status(429), times=5)
    retently = sender(bench)
    waits = [(await retently.deliver([to(bench, 1)]))[0] for _ in range(5)]
    assert waits == [RetryLater(reason="HTTP 429", after=after) for after in (60, 120, 240, 300, 300)]
    assert await retently.deliver([to(bench, 1)]) == [Delivered()]
    bench.server.faults.add(status(429))
    assert await retently.deliver([to(bench, 2)]) == [RetryLater(reason="HTTP 429", after=60)]


async def test_f17_a_server_that_is_not_there_was_not_asked(bench: Bench) -> None:
    await bench.server.stop()
    [found] = await deliver(bench, to(bench, 1))
    assert isinstance(found, RetryLater)
    assert found.blame is Blame.CONNECTION


@pytest.mark.parametrize(
    ("fault", "is_asked"),
    [
        (ResetBeforeReading(), False),
        (ResetAfterReading(effect=False), False),
        (ResetAfterReading(), True),
        (CutConnection(), True),
        (GzipBomb(), False),
    ],
    ids=str,
)
async def test_i8_a_lost_answer_leaves_every_person_of_the_request_in_doubt(
    bench: Bench, fault: Fault, *, is_asked: bool
) -> None:
    bench.server.faults.add(fault)
    found = await deliver(bench, to(bench, 1), to(bench, 2))
    assert all(isinstance(one, Unknown) for one in found)
    assert surveyed(bench) == (["p1@example.org", "p2@example.org"] if is_asked else [])


async def test_i8_after_a_lost_answer_nothing_more_is_sent(bench: Bench) -> None:
    other = bench.server.account.add_campaign("Other").id
    bench.server.faults.add(ResetAfterReading())
    lost, behind = await deliver(bench, to(bench, 1), to(bench, 2, campaign=other))
    assert isinstance(lost, Unknown)
    assert behind == RetryLater(reason="the request before it had no clear answer", blame=Blame.UNCLEAR)
    assert surveyed(bench) == ["p1@example.org"]


async def test_f27_no_key_goes_to_another_host(bench: Bench) -> None:
    async with RetentlyServer() as elsewhere:
        bench.server.faults.add(redirect(elsewhere.base_url + "/survey"))
        await deliver(bench, to(bench, 1))
        assert len(elsewhere.requests) == 0


async def test_i19_the_key_is_in_no_reason(bench: Bench) -> None:
    bench.server.faults.add(status(500, message=f"{bench.server.api_key} of ana@example.org is odd"))
    assert await deliver(bench, to(bench, 1)) == [Unknown(reason="HTTP 500 *** of *** is odd")]


@pytest.mark.parametrize("fault", [status(401), status(410), status(429)], ids=["401", "410", "429"])
async def test_trouble_that_is_everybody_s_stops_the_batch(bench: Bench, fault: Fault) -> None:
    other = bench.server.account.add_campaign("Other").id
    bench.server.faults.add(fault)
    first, second = await deliver(bench, to(bench, 1), to(bench, 2, campaign=other))
    assert first == second
    assert len(bench.asked) == 1


# --- a refused request ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["is switched off", "is none of the account's"])
async def test_a_campaign_that_cannot_send_kills_only_its_own_requests(bench: Bench, fault: str) -> None:
    off = bench.server.account.add_campaign("Off", is_active=False).id if "off" in fault else "c" * 24
    found = await deliver(bench, to(bench, 1, campaign=off), to(bench, 2, campaign=off), to(bench, 3))
    words = "HTTP 400 The campaign is missing or inactive."
    dead = Rejected(reason=f"the campaign {off} {fault} ({words}); check {CAMPAIGNS}")
    assert found == [dead, dead, Delivered()]
    assert len(bench.asked) == 3


@pytest.mark.parametrize("words", ["Customer is unsubscribed.", "Not eligible", "Throttled until May"])
async def test_an_error_that_says_the_vendor_decided_against_it_is_final_and_none_of_ours(
    bench: Bench, words: str
) -> None:
    bench.server.faults.add(status(400, message=words), path="/survey")
    assert await deliver(bench, to(bench, 1)) == [Declined(reason=f"Retently decided against it: HTTP 400 {words}")]


async def test_f24_a_person_whom_the_vendor_refuses_is_found_and_the_others_are_asked_once(bench: Bench) -> None:
    bench.server.change_switches({"bad_row": "refused"})
    found = await deliver(bench, *(to(bench, number, "broken" if number == 5 else "") for number in range(1, 9)))
    refused = Rejected(reason="HTTP 400 Some of the emails are invalid.")
    assert found == [refused if number == 5 else Delivered() for number in range(1, 9)]
    assert surveyed(bench) == [f"p{number}@example.org" for number in range(1, 9) if number != 5]


async def test_trouble_while_the_culprit_is_sought_stops_the_search(bench: Bench) -> None:
    bench.server.change_switches({"bad_row": "refused"})
    bench.server.faults.add(status(429, retry_after=3), path="/survey", every=3)
    found = await deliver(bench, to(bench, 1), to(bench, 2, "broken"))
    assert found == [Delivered(), RetryLater(reason="HTTP 429", after=3)]
    assert surveyed(bench) == ["p1@example.org"]


async def test_i8_an_answer_lost_while_the_culprit_is_sought_leaves_the_rest_unsent(bench: Bench) -> None:
    bench.server.change_switches({"bad_row": "refused"})
    bench.server.faults.add(ResetAfterReading(), path="/survey", every=2)
    first, second = await deliver(bench, to(bench, 1), to(bench, 2, "broken"))
    assert isinstance(first, Unknown)
    assert isinstance(second, RetryLater)
    assert surveyed(bench) == ["p1@example.org"]


async def test_a_vendor_that_refuses_everybody_pauses_and_kills_nobody(bench: Bench) -> None:
    bench.server.faults.add(status(422, message="New rules."), times=None, path="/survey")
    found = await deliver(bench, *(to(bench, number) for number in range(1, 6)))
    assert found == [Paused(reason=f"everything is refused (HTTP 422 New rules.); check {CAMPAIGNS}")] * 5


async def test_when_the_campaigns_cannot_be_asked_a_refusal_counts_as_the_person_s(bench: Bench) -> None:
    bench.server.faults.add(status(400, message="No."), path="/survey")
    bench.server.faults.add(status(500), path="/campaigns")
    assert await deliver(bench, to(bench, 1)) == [Rejected(reason="HTTP 400 No.")]


# --- results by row ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", ["map", "list"])
async def test_each_person_has_their_own_outcome_where_the_vendor_tells(bench: Bench, rows: str) -> None:
    account = bench.server.account
    account.upsert("out@example.org")
    account.opt_out("out@example.org")
    account.suppressed.add("sup@example.org")
    account.mark(account.send("gone@example.org").id, is_bounced=True)
    bench.server.change_switches({"survey_rows": rows})
    emails = ("ana@example.org", "out@example.org", "sup@example.org", "gone@example.org", "broken")
    found = await deliver(bench, *(to(bench, number, email) for number, email in enumerate(emails, start=1)))
    assert found == [
        Delivered(),
        *(
            Declined(reason=f"Retently decided against it: failed {why}")
            for why in ("opted out", "suppressed", "bounced")
        ),
        Rejected(reason="Retently said: failed invalid email"),
    ]
    assert len(requests_for_surveys(bench)) == 1


async def test_who_is_throttled_or_not_in_the_sample_is_declined_for_good(bench: Bench) -> None:
    bench.server.change_switches({"survey_rows": "map"})
    throttled = bench.server.account.add_campaign("T", throttle_days=30).id
    sampled = bench.server.account.add_campaign("S", sample=0.0).id
    batch = [to(bench, number, "ana@example.org", campaign=throttled, person=1) for number in (1, 2)]
    found = await deliver(bench, *batch, to(bench, 3, campaign=sampled))
    assert found == [
        Delivered(),
        Declined(reason="Retently decided against it: failed throttled"),
        Declined(reason="Retently decided against it: failed not in the sample"),
    ]


async def test_where_the_vendor_does_not_tell_by_row_a_yes_is_everybody_s(bench: Bench) -> None:
    bench.server.account.suppressed.add("p2@example.org")
    assert await deliver(bench, to(bench, 1), to(bench, 2)) == [Delivered()] * 2


# --- order ------------------------------------------------------------------------------------------------------


async def test_i5_behind_a_doubt_the_person_waits_and_others_go_on(bench: Bench) -> None:
    bench.server.change_switches({"survey_rows": "map", "known_customer": "exists"})
    bench.server.account.upsert("p1@example.org")
    other = bench.server.account.add_campaign("Other").id
    batch = [to(bench, 1), to(bench, 2), to(bench, 3, "p1@example.org", person=1), to(bench, 4, campaign=other)]
    doubt, yes, behind, also = await deliver(bench, *batch)
    assert isinstance(doubt, Unknown)
    assert (yes, behind, also) == (Delivered(), BEHIND, Delivered())
    assert "p1@example.org" not in surveyed(bench)[1:]


async def test_i5_behind_a_refusal_the_person_goes_on(bench: Bench) -> None:
    off = bench.server.account.add_campaign("Off", is_active=False).id
    first, second = await deliver(bench, to(bench, 1, campaign=off), to(bench, 2, "p1@example.org", person=1))
    assert isinstance(first, Rejected)
    assert second == Delivered()

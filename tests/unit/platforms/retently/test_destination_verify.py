"""What became of a survey request whose answer was lost: the outbox is believed only when it has the survey."""

from typing import Any

import msgspec
import pytest

from npsbridge.core.model import Delivery, State
from npsbridge.core.outcome import Blame, Delivered, Outcome, RetryLater, Unknown
from npsbridge.platforms.retently.destination import PATIENCE, RetentlyDestination
from npsbridge.sandbox.faults import Answer, CutConnection, Fault, ResetAfterReading, html, status
from unit.platforms.asking import asker_of
from unit.platforms.retently.bench import NOW_MS, Bench
from unit.platforms.retently.forwarding import survey
from unit.sandbox.calling import Caller

EMAIL = "ana+nps@example.org"
SECOND = 1000
NOT_YET = RetryLater(reason="is not in the outbox yet", blame=Blame.DELIVERY)


def sender(bench: Bench) -> RetentlyDestination:
    return RetentlyDestination(bench.wiring())


def asked(bench: Bench, **fields: Any) -> Delivery:
    given: dict[str, Any] = {"campaign": bench.server.account.default_campaign, "created_at": NOW_MS}
    return survey(1, EMAIL, **(given | fields))


async def verified(bench: Bench, delivery: Delivery) -> Outcome:
    return await asker_of(sender(bench)).verify(delivery)


async def test_i8_a_request_that_was_processed_is_found_and_never_made_again(bench: Bench) -> None:
    delivery = asked(bench)
    bench.server.faults.add(ResetAfterReading(), path="/survey")
    [lost] = await sender(bench).deliver([delivery])
    assert isinstance(lost, Unknown)
    assert await verified(bench, delivery) == Delivered()
    assert len(bench.server.survey_requests) == 1


async def test_the_outbox_is_asked_for_this_person_and_campaign_newest_first(bench: Bench) -> None:
    await verified(bench, asked(bench))
    campaign = bench.server.account.default_campaign
    query = f"email=ana%2Bnps@example.org&campaignId={campaign}&sort=-surveyCreatedDate&limit=100"
    assert bench.asked == [f"/outbox?{query}"]


async def test_i8_a_request_that_was_not_processed_is_looked_for_a_while_and_then_held(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    retently, delivery = sender(bench), asked(bench)
    now = [100.0]
    monkeypatch.setattr(retently._clock, "monotonic", lambda: now[0])
    assert await asker_of(retently).verify(delivery) == NOT_YET
    now[0] += PATIENCE - 1
    assert await asker_of(retently).verify(delivery) == NOT_YET
    now[0] += 1
    found = await asker_of(retently).verify(delivery)
    assert isinstance(found, Unknown)
    assert found.reason.startswith("not in the outbox after 900 s")
    assert await asker_of(retently).verify(delivery) == NOT_YET


async def test_a_survey_that_turns_up_late_is_found(bench: Bench) -> None:
    bench.server.change_switches({"outbox_lag": 60})
    retently, delivery = sender(bench), asked(bench)
    await retently.deliver([delivery])
    assert await asker_of(retently).verify(delivery) == NOT_YET
    bench.hands.forward(61)
    assert await asker_of(retently).verify(delivery) == Delivered()


async def test_that_nothing_is_there_is_never_taken_for_not_done(bench: Bench) -> None:
    """Accepted, and left out by the campaign: to ask again would be to ask twice."""
    bench.server.account.suppressed.add(EMAIL)
    await sender(bench).deliver([asked(bench)])
    assert await verified(bench, asked(bench)) == NOT_YET


@pytest.mark.parametrize(
    ("sent_ms", "outcome"),
    [
        (NOW_MS - 3600 * SECOND, NOT_YET),
        (NOW_MS - 61 * SECOND, NOT_YET),
        (NOW_MS - 60 * SECOND, Delivered()),
        (NOW_MS + 3600 * SECOND, Delivered()),
    ],
    ids=str,
)
async def test_a_survey_from_before_the_trigger_is_another_one(bench: Bench, sent_ms: int, outcome: Outcome) -> None:
    bench.server.send(EMAIL, at_ms=sent_ms)
    assert await verified(bench, asked(bench)) == outcome


@pytest.mark.parametrize(("campaign", "email"), [("other", EMAIL), ("own", "ben@example.org")])
async def test_a_survey_of_another_campaign_or_person_is_another_one(bench: Bench, campaign: str, email: str) -> None:
    other = bench.server.account.add_campaign("Other").id
    bench.server.send(email, campaign_id=other if campaign == "other" else bench.server.account.default_campaign)
    assert await verified(bench, asked(bench)) == NOT_YET


def taken(delivery: Delivery, *, at_ms: int = NOW_MS) -> Delivery:
    """A request that was answered, as the store has it."""
    return msgspec.structs.replace(delivery, state=State.DELIVERED, set_out_at=at_ms, settled_at=at_ms)


@pytest.mark.parametrize(("is_processed", "outcome"), [(True, Delivered()), (False, NOT_YET)])
@pytest.mark.parametrize("restarts", [True, False], ids=["restart", "one life"])
async def test_i8_an_earlier_survey_that_we_asked_for_is_not_taken_for_the_one_in_doubt(
    bench: Bench, outcome: Outcome, *, is_processed: bool, restarts: bool
) -> None:
    retently, earlier = sender(bench), asked(bench)
    later = survey(2, EMAIL, campaign=bench.server.account.default_campaign, person=1, created_at=NOW_MS)
    bench.server.faults.add(ResetAfterReading(effect=is_processed), path="/survey", every=2)
    found = await retently.deliver([earlier, later])
    assert [type(one) for one in found] == [Delivered, Unknown]
    asker = sender(bench) if restarts else retently
    assert await asker_of(asker).verify(later, [taken(earlier)]) == outcome


async def test_a_request_that_waited_long_is_looked_for_from_when_it_was_made(bench: Bench) -> None:
    delivery = asked(bench, created_at=NOW_MS - 3600 * SECOND)
    bench.server.send(EMAIL, at_ms=NOW_MS - 1800 * SECOND)
    assert await verified(bench, msgspec.structs.replace(delivery, set_out_at=NOW_MS)) == NOT_YET


async def test_the_recipient_is_the_email_of_the_event(bench: Bench) -> None:
    retently = sender(bench)
    assert retently.recipient(survey(1, "Ana@Example.org")) == "ana@example.org"
    assert retently.recipient(survey(1, EMAIL, kind="identify")) == "person:1"


async def test_a_server_that_filters_nothing_is_not_believed_about_others(bench: Bench) -> None:
    other = bench.server.account.add_campaign("Other").id
    bench.server.send("ben@example.org", at_ms=NOW_MS)
    bench.server.send(EMAIL, campaign_id=other, at_ms=NOW_MS)
    async with Caller(bench.server.base_url, {"X-Api-Key": bench.server.api_key}) as caller:
        everything = (await caller.get("/outbox")).raw.decode()
    bench.server.faults.add(Answer(headers={"Content-Type": "application/json"}, body=everything))
    assert await verified(bench, asked(bench)) == NOT_YET


async def test_f15_the_vendor_s_clock_counts_and_not_the_difference_to_ours(bench: Bench) -> None:
    """Our clock is two days behind: the trigger came then, and a survey of yesterday is older than it."""
    retently, delivery = sender(bench), asked(bench, created_at=NOW_MS - 2 * 86_400 * SECOND)
    bench.clock.error = -2 * 86_400
    bench.server.send(EMAIL, at_ms=NOW_MS - 86_400 * SECOND)
    assert await asker_of(retently).verify(delivery) == NOT_YET
    bench.server.send(EMAIL)
    assert await asker_of(retently).verify(delivery) == Delivered()


@pytest.mark.parametrize("envelope", ["data", "top", "bare"])
async def test_the_outbox_is_understood_in_every_shape(bench: Bench, envelope: str) -> None:
    bench.server.change_switches({"rows_at": envelope, "message_ids": False})
    bench.server.send(EMAIL.upper())
    assert await verified(bench, asked(bench)) == Delivered()


@pytest.mark.parametrize(
    "fault",
    [status(401), status(429), status(500), html(), CutConnection()],
    ids=["401", "429", "500", "html", "cut"],
)
async def test_while_the_outbox_cannot_be_read_it_is_asked_again(bench: Bench, fault: Fault) -> None:
    bench.server.faults.add(fault)
    found = await verified(bench, asked(bench))
    assert isinstance(found, RetryLater)
    assert found.reason.startswith("the outbox cannot be read now: ")
    assert EMAIL not in found.reason


async def test_a_server_that_is_gone_is_asked_again(bench: Bench) -> None:
    await bench.server.stop()
    assert isinstance(await verified(bench, asked(bench)), RetryLater)


async def test_an_account_without_an_outbox_cannot_tell(bench: Bench) -> None:
    bench.server.change_switches({"has_outbox": False})
    assert await verified(bench, asked(bench)) == Unknown(reason="the outbox cannot be read: HTTP 403")


async def test_what_cannot_be_read_any_more_is_for_a_person_to_decide(bench: Bench) -> None:
    found = await verified(bench, asked(bench, kind="identify"))
    assert found == Unknown(reason="what was asked for cannot be read any more")
    assert not bench.asked

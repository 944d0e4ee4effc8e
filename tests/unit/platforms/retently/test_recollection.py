"""What is remembered of requests, and that it does not grow for ever."""

from npsbridge.core.outcome import Delivered, Rejected, Unknown
from npsbridge.platforms.retently.recollection import MOST, SKEW, Recollection, Search
from npsbridge.platforms.retently.trigger import Trigger, understood
from unit.platforms.retently.forwarding import VISIT, survey

LOST = Unknown(reason="no answer came")
NOW = 1_000_000.0


def trigger(number: int, email: str = "ana@example.org", campaign: str = VISIT) -> Trigger:
    found = understood(survey(number, email, campaign=campaign, created_at=int(NOW * 1000)))
    assert found is not None
    return found


def test_a_request_in_doubt_is_looked_for_from_when_it_was_made() -> None:
    recollection = Recollection()
    recollection.note([trigger(1)], [LOST], at=NOW + 5)
    assert recollection.search(trigger(1).delivery, accepted=NOW) == Search(since=NOW + 5 - SKEW)


def test_a_request_of_another_process_is_looked_for_from_when_its_trigger_came() -> None:
    assert Recollection().search(trigger(1).delivery, accepted=NOW) == Search(since=NOW - SKEW)


def test_only_what_was_taken_lately_for_the_same_email_and_campaign_counts_as_another() -> None:
    recollection = Recollection()
    recollection.note([trigger(1)], [Delivered()], at=NOW - 2 * SKEW - 0.1)
    recollection.note([trigger(2)], [Delivered()], at=NOW - 2 * SKEW)
    others = [trigger(3, "ben@example.org"), trigger(4, campaign="c"), trigger(5)]
    recollection.note(others, [Delivered(), Delivered(), Rejected(reason="no")], at=NOW)
    recollection.note([trigger(6)], [LOST], at=NOW)
    assert recollection.search(trigger(6).delivery, accepted=NOW).others == 1


def test_what_is_settled_is_forgotten() -> None:
    recollection = Recollection()
    for number in (1, 2):
        recollection.note([trigger(number)], [LOST], at=NOW + 5)
    recollection.found(trigger(1))
    recollection.forget(trigger(2).delivery)
    assert [recollection.search(trigger(n).delivery, accepted=NOW).since for n in (1, 2)] == [NOW - SKEW] * 2


def test_i17_doubts_that_nobody_verifies_do_not_pile_up() -> None:
    recollection = Recollection()
    for number in range(MOST + 2):
        recollection.note([trigger(number)], [LOST], at=NOW + 5)
    assert len(recollection._searches) == MOST
    assert recollection.search(trigger(1).delivery, accepted=NOW).since == NOW - SKEW

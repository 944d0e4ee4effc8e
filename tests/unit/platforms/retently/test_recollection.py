"""What is remembered of requests, and that it does not grow for ever."""

from npsbridge.core.outcome import Delivered, Rejected, Unknown
from npsbridge.platforms.retently.recollection import MOST, SKEW_MS, Recollection, Search
from npsbridge.platforms.retently.trigger import Trigger, understood
from unit.platforms.retently.forwarding import VISIT, survey

LOST = Unknown(reason="no answer came")
NOW_MS = 1_000_000_000


def trigger(number: int, email: str = "ana@example.org", campaign: str = VISIT) -> Trigger:
    found = understood(survey(number, email, campaign=campaign, created_at=NOW_MS))
    assert found is not None
    return found


def test_a_request_in_doubt_is_looked_for_from_when_it_was_made() -> None:
    recollection = Recollection()
    recollection.note([trigger(1)], [LOST], at_ms=NOW_MS + 5000)
    assert recollection.search(trigger(1).delivery) == Search(since_ms=NOW_MS + 5000 - SKEW_MS)


def test_a_request_of_another_process_is_looked_for_from_when_its_trigger_came() -> None:
    assert Recollection().search(trigger(1).delivery) == Search(since_ms=NOW_MS - SKEW_MS)


def test_only_what_was_taken_lately_for_the_same_email_and_campaign_counts_as_another() -> None:
    recollection = Recollection()
    recollection.note([trigger(1)], [Delivered()], at_ms=NOW_MS - 2 * SKEW_MS - 1)
    recollection.note([trigger(2)], [Delivered()], at_ms=NOW_MS - 2 * SKEW_MS)
    others = [trigger(3, "ben@example.org"), trigger(4, campaign="c"), trigger(5)]
    recollection.note(others, [Delivered(), Delivered(), Rejected(reason="no")], at_ms=NOW_MS)
    recollection.note([trigger(6)], [LOST], at_ms=NOW_MS)
    assert recollection.search(trigger(6).delivery).others == 1


def test_what_is_settled_is_forgotten() -> None:
    recollection = Recollection()
    for number in (1, 2):
        recollection.note([trigger(number)], [LOST], at_ms=NOW_MS + 5000)
    recollection.found(trigger(1))
    recollection.forget(trigger(2).delivery)
    assert [recollection.search(trigger(n).delivery).since_ms for n in (1, 2)] == [NOW_MS - SKEW_MS] * 2


def test_i17_doubts_that_nobody_verifies_do_not_pile_up() -> None:
    recollection = Recollection()
    for number in range(MOST + 2):
        recollection.note([trigger(number)], [LOST], at_ms=NOW_MS + 5000)
    assert len(recollection._searches) == MOST
    assert recollection.search(trigger(1).delivery).since_ms == NOW_MS - SKEW_MS

"""What callers wanted of the vendors, what the vendors did, and what the store says: the outbound promises."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, Final, NamedTuple

from end_to_end.outbound import PURCHASE
from fault.simulation.callers import Sent
from fault.simulation.promises import promise
from fault.simulation.world import World, step_of
from fault.survey_truth import READ
from npsbridge.core.callreading import LATE
from npsbridge.core.forward import SURVEY, is_sampled
from npsbridge.core.model import Delivery, State

AFTER_ALL: Final = 120.0
"""Seconds for which a request that had set out may still arrive after its person was forgotten."""
TOLD_OF_PEOPLE: Final = ("delighted", "satismeter", "promoter")
GOOD_ENDS: Final = frozenset({State.DELIVERED, State.FILTERED, State.HELD, State.ERASED})


class Effect(NamedTuple):
    """A survey that a vendor was made to send, or an event that it took."""

    step: int
    person: str
    at: float
    is_sent: bool = True
    """The vendor has not declined it."""


def effects(world: World, vendor: str) -> list[Effect]:
    """All of them, by what the vendor itself knows."""
    return list(_EFFECTS[vendor](world.places.servers[vendor]))


def _at_delighted(server: Any) -> Iterator[Effect]:
    for request in server.survey_requests:
        person = server.people.get(request.person_id)
        name = person.email.partition("@")[0] if person and person.email else ""
        yield Effect(int(request.properties["step"]), name, request.asked_at)


def _at_satismeter(server: Any) -> Iterator[Effect]:
    for body in server.project.tracks:
        yield Effect(int(body["event"].removeprefix("Report ")), body["userId"], 0.0)


def _at_promoter(server: Any) -> Iterator[Effect]:
    for request in server.survey_requests:
        name = request.email.partition("@")[0]
        yield Effect(int(request.attributes["step"]), name, request.asked_at, is_sent=request.is_sent)


def _at_retently(server: Any) -> Iterator[Effect]:
    for step, request in server.asked_with:
        yield Effect(step, request.email.partition("@")[0], request.asked_ms / 1000)


_EFFECTS: Final[dict[str, Callable[[Any], Iterator[Effect]]]] = {
    "delighted": _at_delighted,
    "retently": _at_retently,
    "satismeter": _at_satismeter,
    "promoter": _at_promoter,
}


async def check_surveys(world: World) -> None:
    """All that concerns calls."""
    async with world.daemon.store() as store:
        rows = await store.deliveries(limit=1_000_000)
    for vendor in world.kind.vendors:
        found = effects(world, vendor)
        own = {
            step_of(row.message_id): row for row in rows if row.connection == vendor and row.kind in {SURVEY, "event"}
        }
        check_at_most_once(vendor, found)
        check_nobody_is_asked_who_must_not(world, vendor, found)
        check_fates(world, vendor, found, own)
        check_order(world, vendor)
        if vendor in TOLD_OF_PEOPLE:
            check_newest_description(world, vendor)


def check_at_most_once(vendor: str, found: list[Effect]) -> None:
    """I8: no trigger has surveyed anybody twice."""
    twice = [step for step, count in Counter(effect.step for effect in found if effect.is_sent).items() if count > 1]
    promise(not twice, f"I8: {vendor} was asked more than once for {twice}")


def check_nobody_is_asked_who_must_not(world: World, vendor: str, found: list[Effect]) -> None:
    """I9, I10, I20: nobody for an old trigger, outside of the sample, or after having been forgotten."""
    for effect in found:
        sent = world.callers.sent[effect.step]
        promise(sent.vendor == vendor, f"I8: {vendor} was asked for what concerns {sent.vendor}: {sent}")
        promise(not sent.is_old, f"I9: {vendor} was asked for a trigger of long ago: {sent}")
        promise(sent.is_vague or is_in_sample(world, sent), f"I10: {vendor} was asked outside of the sample: {sent}")
        erased_at = world.erased.get(f"{effect.person}@example.org")
        is_late = erased_at is not None and effect.at > erased_at + AFTER_ALL
        promise(not is_late, f"I20: {vendor} was asked for somebody who was forgotten: {sent}")


def is_in_sample(world: World, sent: Sent) -> bool:
    """What the sample must be, now as at any other time."""
    if sent.vendor != "delighted":
        return True
    return is_sampled(PURCHASE, sent.person, f"step-{sent.step}", world.kind.sample_rate)


def check_fates(world: World, vendor: str, found: list[Effect], rows: dict[int, Delivery]) -> None:
    """I1, I4: every trigger that was taken has an end, and the end is true."""
    asked = Counter(effect.step for effect in found)
    for sent in world.callers.sent.values():
        if sent.vendor != vendor or sent.is_vague or sent.taken_at is None or _was_erased(world, sent):
            continue
        row = rows.get(sent.step)
        if row is None:
            promise(world.clock.furthest or sent.is_old, f"I1: nothing is known of {sent} at {vendor}")
            continue
        # Who is asked after a request in doubt may find another survey of that person and take it for this one: one of
        # the same minute, or of before a restart. That errs on the side of surveying nobody twice.
        has_another = any(one.person == sent.person and one.step != sent.step for one in found)
        is_misdated = has_another and world.kind.on_unknown == "verify"
        if row.state is State.DELIVERED:
            promise(asked[sent.step] or is_misdated, f"I1: {vendor} is said to have taken {sent}, and has not: {row}")
        # Under a clock that is a week ahead, what comes now looks like an old request that is played again.
        seems_old = world.clock.furthest > LATE.total_seconds()
        wanted = {State.EXPIRED} if sent.is_old else GOOD_ENDS | ({State.EXPIRED} if seems_old else set())
        is_unsampled = not is_in_sample(world, sent)
        promise(row.state in wanted or is_unsampled, f"I1: {sent} ended {row.state} at {vendor}: {row.reason}")
        is_wanted = row.state in {State.DELIVERED, State.FILTERED} and not (sent.is_old or is_unsampled or is_misdated)
        promise(not is_wanted or asked[sent.step], f"I1: {vendor} was never asked for {sent}: {row}")


def check_order(world: World, vendor: str) -> None:
    """I5: what people do reaches a vendor in the order in which it was accepted.

    What was given up, and was tried again by hand, comes later.
    """
    by_person: dict[str, list[int]] = defaultdict(list)
    for request in world.places.servers[vendor].requests:
        if request.method == "POST" and isinstance(request.body, dict):
            for item in READ[vendor](request):
                by_person[item.person].append(item.step)
    for person, steps in by_person.items():
        certain = [step for step in steps if not world.callers.sent[step].is_vague and step not in world.retried]
        in_order = list(dict.fromkeys(certain))
        is_right = all(before < after for before, after in pairwise(in_order))
        promise(is_right, f"I5: {vendor} heard of {person} in the order {in_order}")


def check_newest_description(world: World, vendor: str) -> None:
    """I1: everybody is known to a vendor as they were described last, as far as its log reaches back."""
    if world.places.servers[vendor].requests.forgotten:
        return
    last: dict[str, int] = {}
    for sent in world.callers.sent.values():
        if sent.vendor is None and not sent.is_vague and sent.taken_at is not None:
            last[sent.person] = max(sent.step, last.get(sent.person, 0))
    heard = defaultdict(list)
    for request in world.places.servers[vendor].requests:
        if request.method == "POST" and isinstance(request.body, dict):
            for item in READ[vendor](request):
                heard[item.person].append(item)
    for person, step in last.items():
        if f"{person}@example.org" not in world.erased:
            described = [item.step for item in heard[person] if not item.is_survey]
            promise(described and described[-1] == step, f"I1: {vendor} knows {person} by {described}, not by {step}")


def _was_erased(world: World, sent: Sent) -> bool:
    return f"{sent.person}@example.org" in world.erased

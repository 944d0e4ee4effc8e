"""The promises, each as a question to a world that has come to rest; I1, I2, … are those of the reliability list."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from end_to_end.harness import Call
from fault.simulation.answers import Truth, Version
from fault.simulation.heard import Told, batches, meaning, subject, told
from fault.simulation.promises import promise
from fault.simulation.surveys import check_surveys
from fault.simulation.world import World

IN_FLIGHT: Final = 120.0
"""Seconds for which what had set out before somebody was forgotten may still arrive."""
ONCE: Final = frozenset({"Answered NPS Survey", "Completed NPS Survey"})
LARGEST_CALL, LARGEST_BATCH = 32 * 1024, 500 * 1024


async def check_everything(world: World) -> None:
    """All of it."""
    heard = told(world.places.segment.events)
    await world.check_ledger()
    check_one_id_each(world)
    check_sizes(world)
    check_answers(world, heard)
    check_revisions(world, heard)
    check_milestones(world, heard)
    check_newest(world, heard)
    check_erased(world, heard)
    check_rates(world)
    await check_surveys(world)


def check_one_id_each(world: World) -> None:
    """I12: one messageId for each response, revision and kind, and the same words under it every time."""
    words: dict[str, str] = {}
    ids: dict[tuple[Any, ...], str] = {}
    for _, calls in batches(world.places.segment):
        for call in calls:
            number = call["messageId"]
            promise(words.setdefault(number, meaning(call)) == meaning(call), f"I12: {number} says two things: {call}")
            key = subject(call)
            promise(key is None or ids.setdefault(key, number) == number, f"I12: {key} has two messageIds")


def check_sizes(world: World) -> None:
    """I15: no call and no batch is larger than Segment takes."""
    for request, calls in batches(world.places.segment):
        promise(len(request.raw) <= LARGEST_BATCH, f"I15: a batch of {len(request.raw)} bytes")
        promise(all(len(meaning(call).encode()) <= LARGEST_CALL for call in calls), "I15: a call is too large")


def check_answers(world: World, heard: Told) -> None:
    """I1, I13: every answer that is still there was told, last as it stands; and none that nobody gave."""
    for key, truth in world.people.truths.items():
        if truth.removed_at is None and truth.email not in world.erased:
            said = [_content(call) for call in heard.submissions(*key)]
            wanted = (truth.now.score, truth.now.comment)
            promise(said and said[-1] == wanted, f"I13: {key} is {wanted}, and told was {said}")
    strangers = set(heard.tracks) - set(world.people.truths)
    promise(not strangers, f"I13: told of answers that nobody gave: {strangers}")


def check_revisions(world: World, heard: Told) -> None:
    """I13, I5: revisions are told in order, from 1 on, each says something new, and something that was true."""
    for key in heard.tracks:
        submissions = heard.submissions(*key)
        numbers = [call["properties"]["revision"] for call in submissions]
        promise(numbers == list(range(1, len(numbers) + 1)), f"I5: {key} was told in the order {numbers}")
        said = [_content(call) for call in submissions]
        versions = world.people.truths[key].versions
        truths = [(version.score, version.comment) for version in versions]
        is_true = set(said) <= set(truths) if _share_a_second(versions) else _is_within(said, truths)
        promise(is_true, f"I13: {key} was {truths}, and told was {said}")


def _share_a_second(versions: Sequence[Version]) -> bool:
    """Whether two have the same time by the vendor's clock: then a late webhook of the older one looks like an edit."""
    return len({int(version.at) for version in versions}) < len(versions)


def _is_within(some: Sequence[Any], all_of_them: Iterable[Any]) -> bool:
    """Whether the first is in the second, in the same order, perhaps with gaps."""
    remaining = iter(all_of_them)
    return all(any(one == other for other in remaining) for one in some)


def check_milestones(world: World, heard: Told) -> None:
    """I13: what is said once in the life of an answer is said once; of who was forgotten perhaps never."""
    for key, calls in heard.tracks.items():
        once = Counter(
            call["event"] for call in calls if call["event"] in {"Answered NPS Survey", "Completed NPS Survey"}
        )
        promise(all(count == 1 for count in once.values()), f"I13: {key} has {dict(once)}")
        was_forgotten = world.people.truths[key].email in world.erased
        promise(once["Answered NPS Survey"] == 1 or was_forgotten, f"I13: {key} was never answered")


def check_newest(world: World, heard: Told) -> None:
    """I14: the traits of a person are those of their newest answer."""
    newest: dict[str, list[Truth]] = defaultdict(list)
    for key, truth in world.people.truths.items():
        if truth.email is not None and key in heard.tracks:
            newest[truth.email].append(truth)
    for email, truths in newest.items():
        last = max(truth.answered_at for truth in truths)
        ones = [truth for truth in truths if truth.answered_at == last]
        if len(ones) == 1 and email not in world.erased:
            check_traits(ones[0], heard)


def check_traits(truth: Truth, heard: Told) -> None:
    """The last identify says what was told last of an answer."""
    (*_, final) = heard.submissions(truth.vendor, truth.number)
    identifies = heard.identifies.get(truth.email or "", [])
    promise(identifies, f"I14: nothing was told of {truth.email}")
    traits = identifies[-1]["traits"]
    said = (traits["NPS_rating"], traits["NPS_comment"])
    promise(said == _content(final), f"I14: {truth.email} answered {_content(final)} last, and the traits are {said}")


def check_erased(world: World, heard: Told) -> None:
    """I20: nothing is told of who was forgotten."""
    for key, truth in world.people.truths.items():
        if truth.email in world.erased:
            until = world.erased[truth.email] + IN_FLIGHT
            late = [call for call in heard.tracks.get(key, []) if _seconds(call["receivedAt"]) > until]
            promise(not late, f"I20: {truth.email} was forgotten, and still told was {late}")


def check_rates(world: World) -> None:
    """I7: in no window more than the limits allow."""
    kind, slack = world.kind, 2 * world.kind.latency + 0.001
    if kind.segment_limit:
        arrivals = [(request.at, len(calls)) for request, calls in batches(world.places.segment)]
        _check_window("segment", arrivals, seconds=1.0 - slack, most=kind.segment_limit)
    if kind.rate_limit:
        for name in kind.vendors:
            requests = world.places.servers[name].requests
            _check_window(name, [(one.at, 1) for one in requests], seconds=60.0 - slack, most=kind.rate_limit)


def _check_window(name: str, arrivals: Sequence[tuple[float, int]], *, seconds: float, most: int) -> None:
    first, total = 0, 0
    for at, count in arrivals:
        total += count
        while arrivals[first][0] <= at - seconds:
            total -= arrivals[first][1]
            first += 1
        promise(total <= max(most, count), f"I7: {name} was asked {total} times in {seconds:.3f} s, limit {most}")


def _content(call: Call) -> tuple[Any, Any]:
    return call["properties"]["score"], call["properties"]["comment"]


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()

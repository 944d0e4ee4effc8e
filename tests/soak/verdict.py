"""What must be true when all is over: one line for each promise, with its figure."""

import json
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from end_to_end.outbound import WRITE_KEY, Outbound
from fault.survey_truth import ALL_OF_THEM, Fates, Heard, heard, held, npsbridge, surveys
from npsbridge.core.forward import SURVEY
from npsbridge.core.model import State
from npsbridge.core.storage import Store
from soak.lives import Lived, growth
from soak.load import Told

SLOWEST_RESTART: Final = 2.0
"""Seconds, of half of all restarts; a machine that does other things besides lets single ones take longer."""
MOST_GROWTH: Final = 1.05
MEMORY_TO_SPARE: Final = 2.0
"""MiB beside that."""
FILES_TO_SPARE: Final = 4
LONGEST_WAL: Final = 64.0
"""MiB; what `npsbridge db check` warns of."""
ENDED: Final = frozenset({State.DELIVERED, State.HELD, State.FILTERED})
"""Filtered is what a vendor declines, such as one more survey of a person within a day."""
_AT_ONCE: Final = 500


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One promise, and whether it was kept."""

    promise: str
    is_kept: bool
    figure: str


async def findings(line: Outbound, store: Store, told: Told, lived: Lived) -> list[Finding]:
    """All of them."""
    known = Fates(rows=[row for row in await store.deliveries(limit=ALL_OF_THEM) if row.kind == SURVEY])
    return [
        await _stored(store, told),
        await _ledger(line, store),
        *(_surveyed(line, told, known, vendor) for vendor in line.vendors),
        *(_described(line, told, vendor) for vendor in line.vendors if vendor != "retently"),
        _answers(line, told),
        *_process(lived),
        _silent(line, lived),
        _whole(line),
    ]


async def _stored(store: Store, told: Told) -> Finding:
    lost = []
    for start in range(0, len(told.thanked), _AT_ONCE):
        some = told.thanked[start : start + _AT_ONCE]
        lost += sorted(set(some) - await store.seen(some))
    figure = f"{len(told.thanked)} calls, {len(lost)} lost {lost[:3] or ''}, {told.refused} batches came again"
    return Finding(promise="what was thanked for is stored", is_kept=not lost, figure=figure)


async def _ledger(line: Outbound, store: Store) -> Finding:
    ledger = await store.ledger()
    all_of_them = await store.deliveries(limit=ALL_OF_THEM)
    rows = Counter(row.state for row in all_of_them)
    # A page of HTML where answers were promised is shelved, and was read again.
    dead = sum(row.state is State.DEAD and row.kind != "page" for row in all_of_them)
    shown = json.loads(npsbridge(line, "status", "--json"))["ledger"]
    is_kept = (
        (ledger.imbalance, ledger.waiting, dead) == (0, 0, 0)
        and (ledger.delivered, ledger.held, ledger.dead) == (rows[State.DELIVERED], rows[State.HELD], rows[State.DEAD])
        and (shown["imbalance"], shown["accepted"]) == (0, ledger.accepted)
    )
    return Finding(promise="the ledger balances, row for row", is_kept=is_kept, figure=str(ledger))


def _surveyed(line: Outbound, told: Told, known: Fates, vendor: str) -> Finding:
    asked, ends = surveys(line.vendors[vendor]), known.of(vendor)
    twice = [step for step, times in asked.items() if times > 1]
    unsaid = told.wanted[vendor] ^ set(ends)
    claimed = {step for step, row in ends.items() if row.state is State.DELIVERED} - set(asked)
    unknown = set(asked) - {step for step, row in ends.items() if row.state in ENDED}
    listed = sum(row["connection"] == vendor for row in held(line))
    wrong = [twice, unsaid, claimed, unknown]
    is_kept = not any(wrong) and listed == sum(row.state is State.HELD for row in ends.values())
    named = ", ".join(
        f"{len(some)} {name}"
        for name, some in zip(("twice", "without an end", "only claimed", "done and unknown"), wrong, strict=True)
    )
    figure = f"{len(ends)} triggers, {len(asked)} asked for, {listed} held; {named}"
    return Finding(promise=f"{vendor} surveys at most once a trigger", is_kept=is_kept, figure=figure)


def _described(line: Outbound, told: Told, vendor: str) -> Finding:
    by_person: dict[str, list[Heard]] = defaultdict(list)
    for one in heard(line.vendors[vendor]):
        by_person[one.person].append(one)
    late = [
        person
        for person, all_of_them in by_person.items()
        if any(before.step >= after.step for before, after in pairwise(dict.fromkeys(all_of_them)))
        and vendor != "satismeter"  # its reports are numbered on their own
    ]
    newest = {person: max(one.step for one in some if not one.is_survey) for person, some in by_person.items()}
    stale = [person for person, step in told.newest.items() if newest.get(person) != step]
    figure = f"{len(newest)} people, {len(stale)} stale, {len(late)} out of order"
    return Finding(promise=f"{vendor} knows everybody's newest state", is_kept=not stale + late, figure=figure)


def _answers(line: Outbound, told: Told) -> Finding:
    said = Counter(
        (event["properties"]["platform"], event["properties"]["response_id"])
        for event in line.segment.tracks("Submit Survey")
    )
    given = {(vendor, key) for vendor, keys in told.answers.items() for key in keys}
    wrong = set(said) ^ given
    repeated = sum(times > 1 for times in said.values())
    figure = f"{len(given)} answers, {len(wrong)} lost or made up, {repeated} repeated beyond the messageId"
    return Finding(promise="every answer is emitted once", is_kept=not wrong and not repeated, figure=figure)


def _process(lived: Lived) -> Iterator[Finding]:
    middle, worst = statistics.median(lived.restarts), max(lived.restarts)
    figure = f"{lived.kills} kills; ready after {middle:.2f} s (median), {worst:.2f} s (worst)"
    yield Finding(promise="restarts by itself", is_kept=middle < SLOWEST_RESTART, figure=figure)
    yield Finding(promise="ends in peace", is_kept=lived.exit_code == 0, figure=f"exit code {lived.exit_code}")
    memory = growth(lived.last, [sample.memory for sample in lived.last])
    figure = f"{memory.before:.1f} -> {memory.after:.1f} MiB, slope {memory.an_hour:+.1f} MiB an hour"
    is_flat = memory.after <= memory.before * MOST_GROWTH + MEMORY_TO_SPARE
    yield Finding(promise="memory is flat", is_kept=is_flat, figure=figure)
    files = growth(lived.last, [float(sample.files) for sample in lived.last])
    figure = f"{files.before:.0f} -> {files.after:.0f}, slope {files.an_hour:+.1f} an hour"
    yield Finding(promise="descriptors are flat", is_kept=files.after <= files.before + FILES_TO_SPARE, figure=figure)
    figure = f"{lived.longest_wal:.1f} MiB at most"
    yield Finding(promise="the WAL is bounded", is_kept=lived.longest_wal < LONGEST_WAL, figure=figure)


def _silent(line: Outbound, lived: Lived) -> Finding:
    secrets = {WRITE_KEY, *line.segment.write_keys, *(server.api_key for server in line.vendors.values())}
    written = "\n".join(lived.output)
    leaks = [secret for secret in sorted(secrets) if secret in written]
    figure = f"{len(lived.output)} lines searched for {len(secrets)} secrets and every address, {len(leaks)} found"
    is_kept = not leaks and "@example.org" not in written
    return Finding(promise="nothing secret or personal in the log", is_kept=is_kept, figure=figure)


def _whole(line: Outbound) -> Finding:
    """`npsbridge db check` ends with another code than 0, which raises, when anything is wrong."""
    found = json.loads(npsbridge(line, "db", "check", "--json"))
    wrong = [one["text"] for one in found if one["good"] is False]
    return Finding(promise="the store is whole", is_kept=not wrong, figure=f"{len(found)} looks {wrong or ''}")

"""Many worlds at once, and a failing one made small.

    python tests/fault/simulation/search.py 0:1000          a range of seeds, on all cores
    python tests/fault/simulation/search.py 17              one seed again, with its story
    python tests/fault/simulation/search.py 17 --shrink     without the deeds that do not matter

The order of sets of texts differs from process to process unless PYTHONHASHSEED says otherwise; it is 0 here, so that
a seed does the same everywhere.
"""

import argparse
import logging
import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from loguru import logger

sys.path.insert(0, str(Path(__file__).parents[2]))  # as a command it is not found by pytest

from fault.simulation.checks import check_everything
from fault.simulation.world import Plan, live, plan_of

WORLDS_PER_PROCESS: Final = 50
"""What is left of killed daemons is not all given back by one process."""


class Verdict(NamedTuple):
    """What became of one world."""

    seed: int
    seconds: float
    broken: str | None
    """What did not hold, in a line."""
    story: str = ""


def judge(seed: int) -> Verdict:
    """Let the world of a seed live, and check it."""
    return judge_plan(plan_of(seed))


def judge_plan(plan: Plan) -> Verdict:
    """The same for a plan that may be shorter than that of its seed."""
    begun = time.perf_counter()
    try:
        live(plan, check_everything)
    except Exception as error:  # noqa: BLE001 - whatever goes wrong in a world is its verdict
        line = " from ".join(f"{type(one).__name__}: {one}".partition("\n")[0][:600] for one in _causes(error))
        return Verdict(plan.seed, time.perf_counter() - begun, line, traceback.format_exc())
    return Verdict(plan.seed, time.perf_counter() - begun, None)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def search(seeds: Iterable[int], *, workers: int) -> Iterator[Verdict]:
    """Judge many seeds; the verdicts come as they are found."""
    processes = multiprocessing.get_context("fork")
    with processes.Pool(workers, initializer=_silence, maxtasksperchild=WORLDS_PER_PROCESS) as pool:
        yield from pool.imap_unordered(judge, seeds)


def shrink(plan: Plan, promise: str) -> Plan:
    """The plan without every deed that it breaks the same promise without."""
    size = max(1, len(plan.deeds) // 2)
    while size:
        begin = 0
        while begin < len(plan.deeds):
            shorter = plan._replace(deeds=plan.deeds[:begin] + plan.deeds[begin + size :])
            if _promise_of(judge_plan(shorter)) == promise:
                plan = shorter
            else:
                begin += size
        size //= 2
    return plan


def _promise_of(verdict: Verdict) -> str:
    """What kind of failure it is: the ids of the promise, or the error's name."""
    kind, _, text = (verdict.broken or "").partition(": ")
    return text.partition(":")[0] if kind == "BrokenPromise" else kind


def _silence() -> None:
    logger.remove()
    logging.disable(logging.CRITICAL)


@contextmanager
def quiet() -> Iterator[None]:
    """What goes wrong in a world is no news for the log of whoever looks for it."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _range(text: str) -> Sequence[int]:
    first, is_range, end = text.partition(":")
    return range(int(first), int(end)) if is_range else [int(first)]


def main(arguments: Sequence[str]) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seeds", type=_range, help="one seed, or FIRST:END")
    parser.add_argument("--shrink", action="store_true", help="make each failing plan small")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args(arguments)
    return report(given.seeds, workers=given.workers, is_shrunk=given.shrink)


def report(seeds: Sequence[int], *, workers: int, is_shrunk: bool) -> int:
    """Print what fails, and how to see it again; 1 when anything does."""
    begun, failures = time.perf_counter(), 0
    for verdict in search(seeds, workers=min(workers, len(seeds))):
        if verdict.broken is None:
            continue
        failures += 1
        print(f"seed {verdict.seed} fails: {verdict.broken}")  # noqa: T201 - a command
        print(f"    again: python tests/fault/simulation/search.py {verdict.seed}", flush=True)  # noqa: T201
        if len(seeds) == 1:
            print(verdict.story)  # noqa: T201
        if is_shrunk:
            _print_small(verdict)
    seconds = time.perf_counter() - begun
    print(f"{len(seeds)} worlds in {seconds:.0f} s, {failures} failed")  # noqa: T201
    return int(failures > 0)


def _print_small(verdict: Verdict) -> None:
    _silence()
    small = shrink(plan_of(verdict.seed), _promise_of(verdict))
    print(f"    small: {[deed.name for deed in small.deeds]}")  # noqa: T201
    print(judge_plan(small).story)  # noqa: T201


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "PYTHONHASHSEED": "0"})  # noqa: S606
    raise SystemExit(main(sys.argv[1:]))

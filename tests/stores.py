"""Which engine the stores of a test are of: tests of whole daemons run once on each, SQLite and PostgreSQL.

A test asks for a store by `store_url`, and gets one of the engine that its id names. What can be said of one engine
only is named here, with the reason, and runs on that one.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import databases

HERE: Final = Path(__file__).parent
SQLITE, POSTGRES = "sqlite", "postgres"
ON_BOTH: Final = tuple(HERE / name for name in ("contract/platforms", "end_to_end", "fault"))
"""Where tests run on each."""

_OF_FILES: Final = "is about files: what befalls them, or what they are copied to"
_OF_REPLICAS: Final = "is about replicas, and brings the databases that it needs"
_NO_STORE: Final = "is about connections or listeners, with no store that could make a difference"
_LIKE_RETENTLY: Final = "uses no part of a store that Retently does not: pages, checkpoints, hints"
_LIKE_DELIGHTED: Final = "differs from test_forwarding_delighted.py in what is told, not in what is stored"
_VENDORS_WORD: Final = "is about what a vendor shows of a request in doubt; the tests beside it settle doubts on both"
_MEMORY: Final = "is about the memory that reading an archive takes"
NOT_ON_BOTH: Final[Mapping[str, str]] = {
    "contract/platforms/test_doubts.py": "differs from test_vendors.py in what a vendor shows",
    "contract/platforms/test_vendors.py::TestPromoter": _LIKE_RETENTLY,
    "contract/platforms/test_vendors.py::TestSatisMeter": _LIKE_RETENTLY,
    "end_to_end/test_forwarding_outages.py::test_i7_an_outage_of_72_hours_loses_nothing_and_drains_within_the_limit": (
        "three days of attempts are many round trips; the outages beside it are tried on both"
    ),
    "end_to_end/test_forwarding_bad_input.py": "is about calls that are refused or shelved alike on both",
    "end_to_end/test_forwarding_promoter.py": _LIKE_DELIGHTED,
    "end_to_end/test_forwarding_satismeter.py": _LIKE_DELIGHTED,
    "end_to_end/test_forwarding_once.py::test_what_was_not_done_is_done_once_or_held": _VENDORS_WORD,
    "end_to_end/test_forwarding_once.py::test_whatever_the_vendor_is_like_a_lost_answer_surveys_nobody_twice": (
        _VENDORS_WORD
    ),
    "end_to_end/test_import.py::test_a_gigabyte_without_an_end_takes_no_memory_and_is_refused_by_its_line": _MEMORY,
    "end_to_end/test_import.py::test_ten_times_the_lines_take_no_more_memory": _MEMORY,
    "end_to_end/test_logs.py::test_an_outage_of_a_sink_is_two_lines_however_long_it_lasts": (
        "a day of attempts is many round trips; test_forwarding_outages.py has its outages on both"
    ),
    "end_to_end/test_guards.py": "is about the guards over other tests",
    "end_to_end/test_replicas.py": _OF_REPLICAS,
    "end_to_end/test_replicas_steered.py": _OF_REPLICAS,
    "end_to_end/test_process.py::test_i16_a_second_daemon_exits_75_and_changes_nothing": (
        "a second daemon on a database is a replica, see test_replicas.py"
    ),
    "end_to_end/test_process.py::test_i16_even_on_the_same_addresses_it_is_the_store_that_refuses": (
        "a second daemon on a database is a replica, see test_replicas.py"
    ),
    "fault/simulation": "its disks and threads are models of SQLite's",
    "fault/crash/test_failing_tasks.py::test_f4_a_writer_that_hangs_feeds_no_watchdog": (
        "on a database nothing writes but the loop"
    ),
    "fault/crash/test_failpoints.py::test_i21_f2_killed_between_two_statements_of_an_upgrade_it_lives_on": (
        "each statement to a database is a message of its own, before which test_kill_points.py kills"
    ),
    "fault/crash/test_kill_points.py::test_it_notices_a_daemon_that_breaks_its_promises": (
        "a mistake shows between two certain calls; test_failpoints.py goes there by name, on both"
    ),
    "fault/crash/test_order.py": (
        "what of a file outlives a power failure is PostgreSQL's own business; that every commit waits for it is tried "
        "by unit/store/postgres/test_opening.py, and what leaves before a commit is found by test_kill_points.py"
    ),
    "fault/crash/test_strace_log.py": "is about a tool of the tests",
    "fault/test_crowd.py": _NO_STORE,
    "fault/test_slow_callers.py": _NO_STORE,
    "fault/test_toxic.py": _NO_STORE,
    "fault/test_delighted.py": "is about what a vendor answers; contract/platforms asks the same on both",
    "fault/test_segment.py": "is about what Segment answers; end_to_end has its outages on both",
    "fault/test_failing_disk.py": _OF_FILES,
    "fault/test_full_store.py": _OF_FILES,
    "fault/test_replayed.py::test_i20_no_byte_is_left_while_the_daemon_runs_nor_in_a_backup_made_later": _OF_FILES,
    "fault/test_restored.py": _OF_FILES,
    "fault/test_storage.py": _OF_FILES,
    "fault/test_database.py": _OF_REPLICAS,
    "fault/test_replicas.py": _OF_REPLICAS,
}
"""By folder, file, or file and class or test: why it runs once, on a file or on whatever stores it names itself."""


class _Current:
    """The engine of the test that runs."""

    engine = SQLITE


def use(engine: str) -> None:
    """From now on stores are of this engine."""
    _Current.engine = engine


def engine() -> str:
    """What this test's stores are of."""
    return _Current.engine


def on_postgres() -> bool:
    """Whether this test's stores are on a database."""
    return _Current.engine == POSTGRES


def runs_on_both(path: Path, *names: str) -> bool:
    """Whether a test, by its file, its class and its name without parameters, runs on each engine."""
    if not any(map(path.is_relative_to, ON_BOTH)):
        return False
    file = path.relative_to(HERE)
    found = {folder.as_posix() for folder in (file, *file.parents)} | {f"{file.as_posix()}::{name}" for name in names}
    return not NOT_ON_BOTH.keys() & found


def store_url(folder: Path, name: str = "npsbridge") -> str:
    """Where a store of the test's engine is, or can be: the same for the same folder and name."""
    if on_postgres():
        return databases.postgres_url(folder / name)
    return f"sqlite:///{folder}/{name}.db"


def stored(url: str) -> Mapping[str, bytes]:
    """All that a store holds: its files, or the rows of its tables but for what replicas tell each other."""
    if url.startswith("postgresql"):
        return databases.inspector().content(databases.schema_of(url))
    file = Path(url.removeprefix("sqlite:///"))
    # The index of the WAL changes with every reader.
    return {one.name: one.read_bytes() for one in file.parent.glob(f"{file.name}*") if not one.name.endswith("-shm")}


def bury(url: str) -> None:
    """Let so much time pass that whoever was killed at a store is known to be dead; of a file that is so at once."""
    if url.startswith("postgresql"):
        databases.inspector().lapse(databases.schema_of(url))

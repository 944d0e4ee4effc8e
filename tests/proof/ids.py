"""Which test is about which invariant or fault; `PYTHONPATH=tests python -m proof.ids` puts the table into the README.

A test says it by its name: `test_i1_f2_...` is about I1 and F2. `tests/shape/test_ids.py` keeps the table true.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parents[1]
README: Final = HERE / "README.md"
BEGINS, ENDS = "<!-- ids: written by `python -m proof.ids` -->\n", "<!-- end of ids -->\n"
_NAME: Final = re.compile(r"test((?:_[if]\d+)+)(?:_|$)")

MEANINGS: Final[Mapping[str, str]] = {
    "I1": "what was answered 200 is on disk, and ends somewhere",
    "I2": "the ledger balances, after every test of a whole daemon (`proof/stores.py`) and wherever it is counted",
    "I3": "a batch is stored whole or not at all; one bad item costs no neighbour",
    "I4": "the same message again leads to nothing again",
    "I5": "per person and destination, effects in the order accepted; only that person waits",
    "I6": "poison, a hanging vendor or a revoked key slow nobody else",
    "I7": "an outage loses nothing and drains within the limit",
    "I8": "one survey for a trigger at most; what nobody knows is held and listed",
    "I9": "what happened too long ago surveys nobody",
    "I10": "sampling and delay are decided once",
    "I11": "a checkpoint never passes what is not in the store",
    "I12": "one messageId for a response, version and kind, on every way and in every release",
    "I13": "every version of every response is emitted, whatever happens while pages are read",
    "I14": "the traits of a person are those of the newest answer",
    "I15": "32 KB an event, 500 KB a batch, the configured rate",
    "I16": "a second daemon ends with 75 and changes nothing; a restart changes nothing that was decided",
    "I17": "memory, files and connections are bounded",
    "I18": "SIGTERM: not ready, finishes, ends in time",
    "I19": "no secret in any output, nothing personal at INFO; after every such test (`proof/outputs.py`)",
    "I20": "who is erased is gone to the last byte, and stays so",
    "I21": "an upgrade happens whole or not at all; a newer store is refused",
    "F1": "SIGKILL anywhere",
    "F2": "death between two steps that belong together",
    "F3": "cancelled, or the caller gone",
    "F4": "a task fails, or the loop is blocked",
    "F5": "SIGTERM in the middle, and once more",
    "F6": "disk full",
    "F7": "the disk fails",
    "F8": "read-only",
    "F9": "damaged file",
    "F10": "empty or vanished file",
    "F11": "restored without its WAL, or from a backup",
    "F12": "long reader",
    "F13": "busy database",
    "F14": "second daemon, newer schema, network file system",
    "F15": "the clock jumps",
    "F16": "clocks and time formats of others",
    "F17": "no name, no connection, no answer",
    "F18": "TLS",
    "F19": "slow or hanging vendor",
    "F20": "reset in the middle",
    "F21": "gzip garbage and bombs",
    "F22": "429",
    "F23": "401 and 403",
    "F24": "400, 404, 409, 410, 413, 422",
    "F25": "5xx that come and go",
    "F26": "nonsense with 200",
    "F27": "redirects",
    "F28": "long outages",
    "F29": "paging that misbehaves",
    "F30": "changes while pages are read",
    "F31": "late, edited and deleted responses",
    "F32": "webhook and poll in any order; forged webhooks",
    "F33": "people with odd or no emails",
    "F34": "odd scores and fields",
    "F35": "large and compressed bodies",
    "F36": "slow and idle callers by the thousand",
    "F37": "what is no proper JSON or HTTP",
    "F38": "signatures",
    "F39": "requests played again",
    "F40": "more than can be carried",
    "F41": "Segment's delete and Replay",
    "F42": "wrong settings",
    "F43": "secrets where others can read them",
    "F44": "settings changed with deliveries waiting",
    "F45": "a key that nobody refuses",
    "F46": "two installations on one account",
}

REASONS: Final[Mapping[str, str]] = {}
"""Why an id has no test of its own."""


@cache
def files_by_id() -> dict[str, set[Path]]:
    """The files that have a test about each id."""
    found: dict[str, set[Path]] = defaultdict(set)
    for path in sorted(HERE.rglob("*.py")):
        for name in _functions(path):
            for one in ids_in(name):
                found[one].add(path.relative_to(HERE))
    return found


def ids_in(name: str) -> list[str]:
    """What a test says by its name that it is about."""
    match = _NAME.match(name)
    return match[1].upper().split("_")[1:] if match else []


def _functions(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name


def table() -> str:
    """All ids with their tests."""
    found = files_by_id()
    lines = [f"| {one} | {meaning} | {_cell(one, found)} |" for one, meaning in MEANINGS.items()]
    return "\n".join(["| id | about | tests |", "|---|---|---|", *lines, ""])


def _cell(one: str, found: Mapping[str, set[Path]]) -> str:
    if one not in found:
        return REASONS.get(one, "")
    folders: dict[str, list[str]] = defaultdict(list)
    for path in sorted(found[one]):
        folders[path.parent.as_posix()].append(path.stem.removeprefix("test_"))
    return "; ".join(f"`{folder}`: {', '.join(names)}" for folder, names in folders.items())


def written(text: str) -> str:
    """The README with the table as it is now."""
    before, _, rest = text.partition(BEGINS)
    _, _, after = rest.partition(ENDS)
    return f"{before}{BEGINS}\n{table()}\n{ENDS}{after}"


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")

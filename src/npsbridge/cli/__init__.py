"""The command line (contract §7).

Exit codes follow sysexits.h: 0, 64 usage, 65 data, 69 unavailable, 70 internal, 74 I/O, 75 another daemon holds the
store, 77 permission, 78 configuration.
"""

import gc
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

from npsbridge.cli.ending import run_to_exit

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command line and leave with the exit code that fits."""
    run_to_exit(_plain_run(sys.argv[1:]) or _any_verb)


def _plain_run(arguments: Sequence[str]) -> Callable[[], object] | None:
    """The daemon, as services start it, without loading what the other verbs need; None when more is asked for."""
    match arguments:
        case ["run"]:
            return partial(_run, None)
        case ["run", "--env-file", file] if not file.startswith("-"):
            return partial(_run, Path(file))
        case _:
            return None


def _run(env_file: Path | None) -> NoReturn:
    # What is loaded stays. To look for garbage in it while it grows would cost a sixth of the start; the daemon sees to
    # the collector once everything is there.
    gc.disable()
    from npsbridge.cli.run import run_daemon

    sys.exit(run_daemon(env_file))


def _any_verb() -> None:
    from npsbridge.cli.verbs import app

    app(prog_name="npsbridge")

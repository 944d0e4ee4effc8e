"""The command line (contract §7).

Exit codes follow sysexits.h: 0, 64 usage, 65 data, 69 unavailable, 70 internal, 74 I/O, 75 another daemon holds the
store, 77 permission, 78 configuration.
"""

from typing import NoReturn

from npsbridge.cli.ending import run_to_exit
from npsbridge.cli.verbs import app

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command line and leave with the exit code that fits."""
    run_to_exit(app)

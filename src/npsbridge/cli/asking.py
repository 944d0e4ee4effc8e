"""Asking once before something is done that cannot be undone."""

import sys
from contextlib import suppress

import typer

from npsbridge.cli.ending import INTERRUPTED


def agree(question: str, *, is_agreed: bool) -> None:
    """Ask on a terminal; a script has said what it wants by calling.

    Raises:
        typer.Exit: the answer is no; nothing may be done.
    """
    if is_agreed or not sys.stdin.isatty():
        return
    with suppress(typer.Abort):
        if typer.confirm(question, err=True):
            return
    print("Nothing was done.", file=sys.stderr)
    raise typer.Exit(INTERRUPTED)

"""How a command ends: what an error, an interrupt or a closed pipe means as a message and an exit code.

The codes follow sysexits.h (contract §7). Must not know any verb.
"""

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any, Final, NoReturn

from npsbridge.errors import ConfigurationError, NpsbridgeError

USAGE: Final = 64
INTERNAL: Final = 70
INPUT_OUTPUT: Final = 74
INTERRUPTED: Final = 130
"""What a shell reports of a command that Ctrl-C ended."""

_CODES: Final = {2: USAGE}
"""What Typer ends with on a mistake in the command line, and what contract §7 wants instead."""


def run_to_exit(command: Callable[[], object]) -> NoReturn:
    """Run a command, which may leave by SystemExit, and leave the process with the exit code that fits."""
    for stream in (sys.stdout, sys.stderr):
        _accept_every_character(stream)
    try:
        command()
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException as error:  # noqa: BLE001 - the last place that can turn anything into a message and a code
        code = told(error)
    sys.exit(_flushed(_CODES.get(code, code)))


def _accept_every_character(stream: Any) -> None:
    """A comment that the terminal's encoding cannot show is shown escaped, instead of ending the command."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")


# --- errors -----------------------------------------------------------------------------------------------------


def told(error: BaseException) -> int:
    """Say what went wrong on standard error; returns the exit code."""
    causes = list(leaves(error))
    ours = [cause for cause in causes if isinstance(cause, NpsbridgeError)]
    others = [cause for cause in causes if not isinstance(cause, NpsbridgeError)]
    codes = [_told_of_ours(cause) for cause in ours] + [_told_of_other(cause) for cause in others]
    return codes[0]


def leaves(error: BaseException) -> Iterator[BaseException]:
    """What a group of errors is made of; tasks that fail together come in groups of groups."""
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from leaves(member)
    else:
        yield error


def _told_of_ours(error: NpsbridgeError) -> int:
    faults = error.faults if isinstance(error, ConfigurationError) else [error]
    for fault in faults:
        say(str(fault))
    return error.exit_code


def _told_of_other(error: BaseException) -> int:
    match error:
        case KeyboardInterrupt():
            return INTERRUPTED
        case BrokenPipeError():
            # Nobody has to be told that he has seen enough, as after `| head`.
            return INPUT_OUTPUT
        case OSError():
            words = error.strerror or str(error)
            say(f"{error.filename}: {words}" if error.filename else words)
            return INPUT_OUTPUT
        case _:
            _say_internal(error)
            return INTERNAL


def _say_internal(error: BaseException) -> None:
    lines = "".join(traceback.format_exception(error))
    print(_without_secrets(lines), end="", file=sys.stderr)
    say("this is a mistake of npsbridge, not yours; please report the lines above")


def say(text: str) -> None:
    """One line for the operator on standard error."""
    print(f"npsbridge: {_without_secrets(text)}", file=sys.stderr)


def _without_secrets(text: str) -> str:
    from npsbridge.telemetry import redact

    return redact(text)


# --- output -----------------------------------------------------------------------------------------------------


def _flushed(code: int) -> int:
    """Write out what is buffered, while trouble with it can still be told; returns the exit code."""
    try:
        sys.stdout.flush()
    except OSError as error:
        _abandon_output()
        return code or told(error)
    return code


def _abandon_output() -> None:
    """Let what is still buffered go nowhere, or the interpreter complains when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)

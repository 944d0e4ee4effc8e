"""What a test needs that a newcomer may lack: without it the test is skipped, or fails where all are required."""

import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from types import ModuleType

from clients.conftest import give_up, imported


def program(name: str, *, package: str) -> str:
    """The path of a program, which a package of Debian's brings."""
    path = shutil.which(name)
    if path is None:
        give_up(f"{name} is not installed: apt-get install {package}")
    return path


def script(name: str, *, distribution: str, extra: str) -> str:
    """The path of a program that a distribution of one of our extras brings, wherever that is installed."""
    try:
        found = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        give_up(f"{distribution} is not installed: pip install 'npsbridge[{extra}]'")
    return next(str(file.locate()) for file in found if file.name == name)


def validator(name: str) -> ModuleType:
    """A module of the extra `validators`."""
    return imported(name, extra="validators")


def said(*command: str, folder: Path | None = None, stdin: str | None = None) -> str:
    """What a program says of its input on both streams, and its status if that is not 0."""
    done = subprocess.run(  # noqa: S603 - the tests' own words
        command, cwd=folder, input=stdin, capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr + (f"status {done.returncode}" if done.returncode else "")

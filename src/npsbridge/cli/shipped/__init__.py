"""Files that come with npsbridge, and that verbs write for the operator to use and change."""

import os
from collections.abc import Collection, Mapping
from importlib.resources import files
from pathlib import Path

from npsbridge.errors import UsageError


def shipped(kind: str, name: str) -> str:
    """The text of a file that is in the package."""
    return files(__name__).joinpath(kind, name).read_text(encoding="utf-8")


def write_into(folder: Path, texts: Mapping[str, str], *, force: bool, private: Collection[str] = frozenset()) -> None:
    """Write files into a folder, which is made; each is there whole or not at all, the private ones for nobody else.

    Raises:
        UsageError: some are there already; nothing was written.
        OSError: the folder cannot be written to.
    """
    there = [name for name in texts if os.path.lexists(folder / name)]
    if there and not force:
        raise UsageError(f"{', '.join(str(folder / name) for name in there)} would be replaced; --force does so")
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        new.unlink(missing_ok=True)
        new.touch(0o600 if name in private else 0o666)
        new.write_text(text, encoding="utf-8")
        new.replace(path)

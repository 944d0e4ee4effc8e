"""Changing settings in an env file: other lines stay as they are, no name is there twice, nobody else may read it."""

import io
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dotenv.parser import parse_stream

_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:@%+=,~^-]+")
_OWNER_ONLY: Final = 0o600


def with_settings(text: str, values: Mapping[str, str], *, heading: str) -> str:
    """The text of an env file with these settings in it (pure).

    What is set already is changed where it stands, a second line of the same name goes; what is new comes at the end,
    behind a comment.
    """
    left = {name.upper(): (name, value) for name, value in values.items()}
    written: set[str] = set()
    kept: list[str] = []
    for binding in parse_stream(io.StringIO(text)):
        name = (binding.key or "").upper()
        if name not in left:
            kept.append(binding.original.string)
        elif name not in written:
            written.add(name)
            blank = re.match(r"\s*", binding.original.string)
            kept.append((blank[0] if blank else "") + line(*left[name]))
    new = [line(*pair) for name, pair in left.items() if name not in written]
    before = "".join(kept)
    if not new:
        return before
    gap = "\n" if before and not before.endswith("\n") else ""
    return f"{before}{gap}{chr(10) if before else ''}# {heading}\n{''.join(new)}"


def line(name: str, value: str) -> str:
    """One setting as a line, quoted where it has to be."""
    if _PLAIN.fullmatch(value):
        return f"{name}={value}\n"
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{name}='{escaped}'\n"


def change(path: Path, values: Mapping[str, str], *, heading: str) -> None:
    """Write settings into an env file, which is made if there is none; it is changed as a whole or not at all.

    Nobody but its owner, and a group that could read it before, may read it afterwards. A link stays one.

    Raises:
        OSError: it cannot be read or written.
    """
    real = Path(os.path.realpath(path))
    try:
        before, status = real.read_text(encoding="utf-8"), real.stat()
    except FileNotFoundError:
        before, status = "", None
    new = real.with_name(f".{real.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - of a file that is open already
            file.write(with_settings(before, values, heading=heading))
            if status is not None:
                _keep_readers(descriptor, status)
            file.flush()
            os.fsync(descriptor)
        new.replace(real)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def _keep_readers(descriptor: int, before: os.stat_result) -> None:
    """The service's group goes on reading; every user of the machine does not."""
    now = os.fstat(descriptor)
    if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(before.st_mode) & ~0o007 | _OWNER_ONLY)

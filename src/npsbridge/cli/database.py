"""`npsbridge db check` and `npsbridge db backup`: the store's own file, beside a daemon that may be using it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from npsbridge.cli.opening import settings_from, store_path
from npsbridge.cli.show import console, print_json, readable
from npsbridge.errors import StoreError, StorePermission, StoreUnusable, UsageError
from npsbridge.store.sqlite import backup
from npsbridge.store.sqlite.inspection import Found, in_units, inspect

_MARKS: Final = {True: ("ok", "green"), False: ("wrong", "red"), None: ("warning", "yellow")}
_WORST_FIRST: Final = (StoreUnusable.exit_code, StoreError.exit_code, StorePermission.exit_code)


def check_store(env_file: Path | None, *, as_json: bool) -> int:
    """Print what is found of the store; returns the exit code: 65, 74 or 77 for what is wrong, 0 when nothing is."""
    found = inspect(_store_file(env_file))
    if as_json:
        print_json([{"subject": one.subject, "good": one.is_good, "text": one.text} for one in found])
    else:
        _show(found)
    return exit_code(found)


def exit_code(found: Sequence[Found]) -> int:
    """That of the worst thing that is wrong."""
    codes = {one.exit_code for one in found if one.is_good is False}
    return next((code for code in _WORST_FIRST if code in codes), max(codes, default=0))


def _show(found: Sequence[Found]) -> None:
    out = console()
    for one in found:
        word, style = _MARKS[one.is_good]
        out.print(Text(f"{word:8}", style=style) + readable(f"{one.subject}: {one.text}"), soft_wrap=True)


def back_up_store(env_file: Path | None, file: Path, *, force: bool, as_json: bool) -> None:
    """Copy the store and say where to.

    Raises:
        UsageError: the file is there already, or cannot be a copy.
        StoreError: the store cannot be copied; the kinds of it say what to do.
    """
    place = _store_file(env_file)
    with _bar() as progress:
        size = backup.back_up(place, file, force=force, progress=progress)
    if as_json:
        print_json({"file": str(file.resolve()), "bytes": size})
        return
    out = console()
    out.print(readable(f"{file}: {in_units(size)}, checked; it holds personal data, and no secrets"), soft_wrap=True)


def _store_file(env_file: Path | None) -> Path:
    """Where the store is, or would be, as it was set."""
    path = store_path(settings_from(env_file))
    if path is None:
        raise UsageError("`npsbridge db` is for stores in a file; NPSBRIDGE_STORE_URL names another kind")
    return path


@contextmanager
def _bar() -> Iterator[backup.Progress]:
    """A progress bar, which is no part of the result and keeps to terminals."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    out = console(stderr=True)
    with Progress(*columns, console=out, disable=not out.is_terminal) as shown:
        task = shown.add_task("copying")

        def show(done: int, total: int) -> None:
            shown.update(task, completed=done, total=total, description="checking" if done == total else "copying")

        yield show

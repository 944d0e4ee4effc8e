"""`npsbridge db check|backup|migrate`: the store itself, whoever else may be using it."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from loguru import logger
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from npsbridge.cli.opening import settings_from, sqlite_path, store_path
from npsbridge.cli.show import console, print_json, readable
from npsbridge.errors import StoreError, StorePermission, StoreUnusable, UsageError
from npsbridge.store import insist_on_driver
from npsbridge.store.findings import Found
from npsbridge.store.sqlite import backup
from npsbridge.store.sqlite.inspection import in_units, inspect

_MARKS: Final = {True: ("ok", "green"), False: ("wrong", "red"), None: ("warning", "yellow")}
_WORST_FIRST: Final = (StoreUnusable.exit_code, StoreError.exit_code, StorePermission.exit_code)


def check_store(env_file: Path | None, *, as_json: bool) -> int:
    """Print what is found of the store; returns the exit code: 65, 74 or 77 for what is wrong, 0 when nothing is."""
    settings = settings_from(env_file)
    path = store_path(settings)
    found = inspect(path) if path is not None else asyncio.run(_inspect_database(settings.store_url))
    if as_json:
        print_json([{"subject": one.subject, "good": one.is_good, "text": one.text} for one in found])
    else:
        _show(found)
    return exit_code(found)


async def _inspect_database(url: str) -> list[Found]:
    insist_on_driver()
    from npsbridge.store.postgres.inspection import inspect as inspect_database

    return await inspect_database(url)


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
        raise UsageError("the store is a PostgreSQL database: back it up with pg_dump, or as you do your others")
    return path


def move_store(env_file: Path | None, source: str, target: str | None, *, as_json: bool) -> None:
    """Move a stopped SQLite store into a PostgreSQL database, and say what was moved.

    Raises:
        UsageError: the URLs are of other kinds, or the target holds something else.
        StoreError: one of the stores cannot be used; the kinds of it say what to do.
    """
    settings = settings_from(env_file)
    path, target = sqlite_path(source), target or settings.store_url
    if path is None or not target.startswith("postgresql://"):
        raise UsageError("a store is moved from sqlite:///FILE to postgresql://..., or where NPSBRIDGE_STORE_URL says")
    insist_on_driver()
    from npsbridge.store.migration import move
    from npsbridge.store.postgres.place import place_of

    if place_of(target).has_password and target != settings.store_url:
        logger.warning(
            "the password in --to is shown to everybody who lists this machine's processes, and the shell keeps it: "
            "set NPSBRIDGE_STORE_URL in the environment or an --env-file, leave --to out, and change the password"
        )
    with _bar() as progress:
        moved = asyncio.run(move(path, target, progress=progress))
    if as_json:
        print_json({"rows": dict(moved.counts), "accepted": moved.ledger.accepted})
        return
    out = console()
    text = f"{sum(moved.counts.values())} rows moved and counted on both sides; the ledger is the same"
    out.print(readable(f"{text}. Now start npsbridge with NPSBRIDGE_STORE_URL naming the database"), soft_wrap=True)


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

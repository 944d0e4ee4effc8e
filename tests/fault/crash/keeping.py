"""Where the store of a scene is: how it is set back to what every round begins from, and looked into after a kill."""

import shutil
import sqlite3
from abc import ABC, abstractmethod
from contextlib import closing
from pathlib import Path
from typing import Final

import databases
from inspector import Content
from npsbridge.store.postgres.inspection import inspect
from stores import on_postgres

STORE_FILES: Final = ("npsbridge.db", "npsbridge.db-wal", "npsbridge.db-shm", "npsbridge.db.new")


class Keeping(ABC):
    """The store of a scene, past all code of the daemon."""

    @abstractmethod
    def keep(self) -> None:
        """The store as it is now, of a daemon that has ended in peace, is where every round begins."""

    @abstractmethod
    async def put_back(self) -> None:
        """Begin a round; nobody has the store open."""

    @abstractmethod
    async def check(self) -> None:
        """What must be true of what a life has left that was killed, before another one has touched it."""


class Files(Keeping):
    """A SQLite store in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / STORE_FILES[0]
        self.template = folder / "template.db"

    def keep(self) -> None:
        shutil.copy(self.store, self.template)

    async def put_back(self) -> None:
        for name in STORE_FILES:
            (self.folder / name).unlink(missing_ok=True)
        shutil.copy(self.template, self.store)

    async def check(self) -> None:
        """Look into a copy; the files themselves are for the next life."""
        copy = self.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for name in STORE_FILES:
            if (self.folder / name).exists():
                shutil.copy(self.folder / name, copy / name)
        with closing(sqlite3.connect(copy / STORE_FILES[0])) as database:
            self.check_disk(database)

    def check_disk(self, database: sqlite3.Connection) -> None:
        """The same of any copy of the files."""
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []


class Schema(Keeping):
    """A store on the tests' PostgreSQL. Its server may still be at work for a daemon that is dead."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.name = databases.schema_of(url)
        self.template: Content = {}

    def keep(self) -> None:
        self.template = databases.inspector().content(self.name)

    async def put_back(self) -> None:
        databases.inspector().hang_up()
        databases.inspector().restore(self.name, self.template)

    async def check(self) -> None:
        """Over SQL, as `npsbridge db check` does."""
        wrong = [found.text for found in await inspect(self.url) if found.is_good is False]
        assert wrong == []


def keeping(folder: Path, url: str) -> Keeping:
    """Of the engine of this test."""
    return Schema(url) if on_postgres() else Files(folder)

"""Makes the tables of a new installation once and copies them for every test.

Migrations take longer than most of what tests do behind them. The copy is what the migrations made, page by page, and
is given to the test's own process alone: commands that a test starts migrate by themselves, and so do the tests of
migrations.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from appliance import db
from appliance.config import validate
from tests.postgresql import Server

SITE = {"name": "blog", "title": "A Blog", "url": "https://blog.example/"}


class Tables:
    """A database in memory to copy from, and the migrations that were applied to it."""

    def __init__(self) -> None:
        self._migrate = db.migrate
        self._process = os.getpid()
        self.database = sqlite3.connect(":memory:")
        with tempfile.TemporaryDirectory() as folder:
            opened = db.open_sqlite(Path(folder, "appliance.db"))
            self._names = self._migrate()
            opened.connection().backup(self.database)
            opened.close()

    def migrate(self) -> list[str]:
        """Replace `db.migrate`: copy the tables into a new SQLite file."""
        if not self._fits():
            return self._migrate()
        self.database.backup(db.database.connection())
        return self._names

    def _fits(self) -> bool:
        """Return whether the file is empty and no other process may be about to fill it."""
        if os.getpid() != self._process or threading.current_thread() is not threading.main_thread():
            return False
        connection = db.database.connection()
        if not isinstance(connection, sqlite3.Connection):
            return False
        return connection.execute("PRAGMA schema_version").fetchone() == (0,)


#: The ready-made tables, while tests run.
_made: list[Tables] = []


def ready() -> sqlite3.Connection:
    """The database with the tables of a new installation, to copy from and never to change."""
    return _made[-1].database


@contextmanager
def copied() -> Iterator[Callable[[], list[str]]]:
    """Make `db.migrate` copy ready-made tables; yield the function that really migrates."""
    before, made = db.migrate, Tables()
    with pytest.MonkeyPatch.context() as patch, closing(made.database):
        patch.setattr(db, "migrate", made.migrate)
        _made.append(made)
        yield before
        _made.remove(made)


def make_on(server: Server, folder: Path) -> None:
    """Create the tables in the server's template for fresh databases."""
    url = server.fresh(tables=False)
    db.connect(
        validate({"docroot": str(folder / "www"), "database": url, "sites": [SITE]}, folder / "any.toml")
    ).close()
    server.template = url.rpartition("/")[2]

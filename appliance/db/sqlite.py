"""SQLite: one file, for one publishing host.

WAL, so that readers never wait; every write transaction IMMEDIATE, because one that reads first and writes later
fails at once under a concurrent writer, whatever the busy timeout.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from peewee import OperationalError, SqliteDatabase

from appliance import clock
from appliance.db.backend import Waiter
from appliance.db.bells import Bell, Bells


class _Thread(threading.local):
    """What a thread has in hand; it has a connection of its own."""

    #: Whether its transaction has news for those who wait.
    news = False


#: Times a connection is tried while other processes make the file.
_TRIES = 100


class Sqlite:
    """An SQLite database, opened."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._offset = 0.0
        self._bells = Bells(file.with_name(f"{file.name}-waiting"))
        self._thread = _Thread()
        self.database = SqliteDatabase(
            str(file),
            pragmas={
                "journal_mode": "wal",
                "synchronous": "normal",
                "foreign_keys": 1,
                "cache_size": -32_000,
                "temp_store": "memory",
            },
            timeout=30,
        )
        # SQLite has no sub-second clock before 3.42; its clock is this host's in any case.
        self.database.register_function(lambda: clock.now() + self._offset, "appliance_now", 0)
        self.database.register_function(lambda text, pattern: bool(re.search(pattern, text)), "appliance_matches", 2)
        self._connect()

    def _connect(self) -> None:
        """Connect; processes that turn a new file to WAL at once refuse each other without any waiting."""
        for left in reversed(range(_TRIES)):
            try:
                self.database.connect(reuse_if_open=True)
            except OperationalError as error:
                self.database.close()
                if "locked" not in str(error) or not left:
                    raise
                clock.sleep(0.02)
            else:
                return

    def translate(self, sql: str) -> str:
        """Nothing to translate."""
        return sql

    @contextmanager
    def write(self) -> Iterator[None]:
        """A write transaction: the lock is taken now."""
        try:
            with self.database.atomic("IMMEDIATE"):
                yield
        except BaseException:
            self._thread.news = self._thread.news and self.database.in_transaction()
            raise
        self._ring()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """A read transaction; its moment is that of the first read."""
        with self.database.atomic("DEFERRED"):
            yield

    def locking(self, table: str = "", *, skip: bool = False) -> str:  # noqa: ARG002
        """A write transaction holds all of the file."""
        return ""

    def matches(self, expression: str) -> str:
        """A function of Python's."""
        return f"appliance_matches({expression}, ?)"

    def give_way(self) -> None:
        """Nobody can hold anything meanwhile."""

    def collided(self, error: BaseException) -> bool:  # noqa: ARG002
        """Never: there is one writer at a time."""
        return False

    def by_index(self) -> None:
        """It does so by itself."""

    def in_turn(self, what: str) -> None:
        """Write transactions are in turn already."""

    def notify(self) -> None:
        """Ring the bells of all who wait, once what is written can be seen."""
        self._thread.news = True
        self._ring()

    def waiter(self) -> Waiter:
        """A bell that writers ring."""
        return Bell(self._bells.folder, self._commits)

    def lost(self, error: BaseException) -> bool:
        """A file that cannot be opened, read or written, or stays locked; a wrong statement has a code of its own."""
        cause = getattr(error, "orig", None)
        wrong = getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
        return isinstance(error, OperationalError) and not wrong

    def now_at(self, offset: float) -> None:
        """Let the clock run ahead."""
        self._offset = offset

    def _ring(self) -> None:
        if self._thread.news and not self.database.in_transaction():
            self._thread.news = False
            self._bells.ring()

    def _commits(self) -> int:
        """A number that changes with the commits of other connections."""
        return int(self.database.execute_sql("PRAGMA data_version").fetchone()[0])

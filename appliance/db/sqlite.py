"""SQLite: one file, for one publishing host.

WAL, so that readers never wait; every write transaction IMMEDIATE, because one that reads first and writes later
fails at once under a concurrent writer, whatever the busy timeout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from peewee import SqliteDatabase

from appliance import clock
from appliance.db.backend import Waiter

#: Seconds between two glances at the count of commits.
_GLANCE = 0.002


class Sqlite:
    """An SQLite database, opened."""

    for_update = ""
    skip_locked = ""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._offset = 0.0
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
        self.database.connect()

    def translate(self, sql: str) -> str:
        """Nothing to translate."""
        return sql

    @contextmanager
    def write(self) -> Iterator[None]:
        """A write transaction: the lock is taken now."""
        with self.database.atomic("IMMEDIATE"):
            yield

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """A read transaction; its moment is that of the first read."""
        with self.database.atomic("DEFERRED"):
            yield

    def by_index(self) -> None:
        """It does so by itself."""

    def in_turn(self, what: str) -> None:
        """Write transactions are in turn already."""

    def notify(self) -> None:
        """Whoever waits sees the commit."""

    def waiter(self) -> Waiter:
        """Waits by looking at the count of commits."""
        return _Waiter(self.database)

    def now_at(self, offset: float) -> None:
        """Let the clock run ahead."""
        self._offset = offset


class _Waiter:
    """Looks every few milliseconds at the number SQLite keeps of other connections' commits.

    A look reads one page of shared memory, takes no lock and a few microseconds.
    """

    def __init__(self, database: Any) -> None:
        self._database = database
        self._seen = self._count()

    def wait(self, timeout: float, until: Callable[[], bool]) -> bool:
        """Wait for a commit of another connection."""
        end = clock.monotonic() + timeout
        while (count := self._count()) == self._seen:
            if until() or clock.monotonic() >= end:
                return False
            clock.sleep(_GLANCE)
        self._seen = count
        return True

    def close(self) -> None:
        """Nothing is held."""

    def _count(self) -> int:
        return int(self._database.execute_sql("PRAGMA data_version").fetchone()[0])

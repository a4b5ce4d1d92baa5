"""The SQLite backend: one file, for one publishing host.

The database is in WAL mode, so that readers never wait. Every write transaction is IMMEDIATE: one that reads first and
writes later fails at once if there is a concurrent writer, whatever the busy timeout.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from peewee import OperationalError, SqliteDatabase

from appliance import clock
from appliance.db.backend import Listener, containing
from appliance.db.host_notify import FifoListener, FifoNotifier
from appliance.db.private_tables import private_tables


class _Thread(threading.local):
    """State that belongs to one thread. Each thread has its own connection."""

    def __init__(self) -> None:
        #: The topics whose listeners to notify when the transaction commits.
        self.topics = set[str]()


#: SQLite's error codes for a file that cannot be used now by any statement.
_AWAY = frozenset((
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_AUTH,
))  # fmt: skip

#: Seconds to wait for another writer, and milliseconds after which SQLite returns from such a wait.
_BUSY_TIMEOUT = 30.0
_BUSY_LOOK = 1

#: The number of rows of each index that are read for statistics.
_ANALYSED = 400

#: Pages of a file that is too short for its statistics to matter.
_SHORT = 1000

#: Steps of SQLite's machine between two looks at the clock: about two milliseconds.
_STEPS = 50_000

#: The number of attempts to connect while other processes create the file.
_TRIES = 100


def _make_private(file: Path) -> None:
    """Create a new database that only its owner can read, or its group too if the folder is writable for the group.

    The files that SQLite keeps beside it get the same mode. The mode of an existing file is not changed.
    """
    shared = 0o060 if file.parent.stat().st_mode & 0o020 else 0
    with suppress(FileExistsError):
        number = os.open(file, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600 | shared)
        os.fchmod(number, 0o600 | shared)  # whatever the umask
        os.close(number)


class _Database(SqliteDatabase):
    """Peewee's database, which never creates the file again once it exists. A missing file counts as an outage.

    Whoever waits for the write lock tries again every millisecond. SQLite itself waits longer and longer between two
    attempts, up to 100 ms, so that a writer among several waits far longer than the others need.
    """

    made = False

    def begin(self, lock_type: str | None = None) -> None:
        """Begin a transaction."""
        if lock_type != "IMMEDIATE":
            super().begin(lock_type)
            return
        connection, end = self.connection(), clock.monotonic() + _BUSY_TIMEOUT
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_LOOK}")
        try:
            while True:
                try:
                    super().begin(lock_type)
                except OperationalError as error:
                    if not _is_busy(error) or clock.monotonic() > end:
                        raise
                else:
                    return
        finally:
            connection.execute(f"PRAGMA busy_timeout = {int(_BUSY_TIMEOUT * 1000)}")

    def _connect(self) -> Any:
        if self.made and not Path(self.database).exists():
            raise sqlite3.OperationalError(f"the file {self.database} is gone")
        return super()._connect()  # type: ignore[misc]


def _is_busy(error: OperationalError) -> bool:
    return getattr(getattr(error, "orig", None), "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY


class Sqlite:
    """An SQLite database, opened."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        _make_private(file)
        self._offset = 0.0
        self._notifier = FifoNotifier(file.with_name(f"{file.name}-waiting"))
        self._thread = _Thread()
        self.database = _Database(
            str(file),
            pragmas={
                "journal_mode": "wal",
                "synchronous": "normal",
                "foreign_keys": 1,
                "cache_size": -32_000,
                "temp_store": "memory",
            },
            timeout=_BUSY_TIMEOUT,
        )
        # SQLite has no sub-second clock before 3.42; its clock is this host's in any case.
        self.database.register_function(lambda: clock.now() + self._offset, "appliance_now", 0)
        self._connect()
        self.database.made = True

    def _connect(self) -> None:
        """Connect, and retry while other processes switch a new file to WAL. The busy timeout does not apply then."""
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
        """Return the SQL unchanged."""
        return sql

    @contextmanager
    def write(self) -> Iterator[None]:
        """A write transaction, which takes the write lock at its start."""
        try:
            with self.database.atomic("IMMEDIATE"):
                yield
        except BaseException:
            if not self.database.in_transaction():
                self._thread.topics.clear()
            raise
        self._notify_listeners()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """A read transaction. Its snapshot is taken by the first read."""
        with self.database.atomic("DEFERRED"):
            yield

    @contextmanager
    def scratch(self, tables: Mapping[str, str]) -> Iterator[None]:
        """A transaction on private copies of the tables. Nothing that it does is news to anybody."""
        try:
            with private_tables(self.database, tables):
                yield
        finally:
            self._thread.topics.clear()

    @contextmanager
    def limit_statements(self, seconds: float) -> Iterator[None]:
        """Look at the clock now and then while statements run. The limit is that of all statements together."""
        connection, end = self.database.connection(), clock.monotonic() + seconds
        connection.set_progress_handler(lambda: clock.monotonic() > end, _STEPS)
        try:
            yield
        finally:
            connection.set_progress_handler(None, 0)

    def is_over_time(self, error: BaseException) -> bool:
        """Whether the statement was interrupted."""
        code = getattr(getattr(error, "orig", error), "sqlite_errorcode", None)
        return bool(code == sqlite3.SQLITE_INTERRUPT)

    def locking(self, table: str = "", *, skip: bool = False) -> str:  # noqa: ARG002
        """Empty, since a write transaction locks the whole file."""
        return ""

    def glob_condition(self, expression: str, pattern: str) -> tuple[str, str]:
        """Match with GLOB. The pattern escapes [, which is special in GLOB."""
        return f"{expression} GLOB ?", pattern.replace("[", "[[]")

    def contains(self, expression: str, text: str) -> tuple[str, str]:
        """Match with LIKE, which ignores the case of ASCII letters only."""
        return f"{expression} LIKE ? ESCAPE '\\'", containing(text)

    def joined(self, expression: str) -> str:
        """Join with group_concat, whose separator is a comma."""
        return f"group_concat(DISTINCT {expression})"

    def set_short_lock_timeout(self) -> None:
        """Do nothing: no other transaction can hold a lock during a write transaction."""

    def is_conflict(self, error: BaseException) -> bool:  # noqa: ARG002
        """Always false, since there is one writer at a time."""
        return False

    def limit_waiting(self, seconds: float) -> None:
        """Look at the clock now and then. The limit is that of all statements from now on."""
        end = clock.monotonic() + seconds
        self.database.connection().set_progress_handler(lambda: clock.monotonic() > end, _STEPS)

    def prefer_index_order(self) -> None:
        """Do nothing: SQLite prefers the index by itself."""

    def acquire_lock(self, what: str) -> None:
        """Do nothing: write transactions already run one at a time."""

    def notify(self, topics: Sequence[str]) -> None:
        """Notify the listeners of this host once the transaction is committed."""
        self._thread.topics.update(topics)
        self._notify_listeners()

    def open_listener(self, topic: str) -> Listener:
        """Open a listener on a named pipe that writers write to."""
        return FifoListener(self._notifier.folder, self._commits, topic)

    def is_unavailable(self, error: BaseException) -> bool:
        """Whether the file is missing, damaged, full, unreadable or locked. A faulty statement does not count."""
        code = getattr(error, "sqlite_errorcode", None) or getattr(
            getattr(error, "orig", None), "sqlite_errorcode", None
        )
        if code is None:
            return isinstance(error, OperationalError)
        return (code & 0xFF) in _AWAY

    def analyze(self) -> None:
        """Collect statistics from a few hundred rows of each index.

        This changes the schema, so other connections read the statistics when they load it again.
        """
        with self.write():
            self.database.execute_sql(f"PRAGMA analysis_limit = {_ANALYSED}")
            self.database.execute_sql("DROP TABLE IF EXISTS sqlite_stat1")
            self.database.execute_sql("ANALYZE")
            self.database.execute_sql(f"PRAGMA user_version = {self._pragma('page_count')}")

    def analyze_if_grown(self) -> bool:
        """Analyze a file that is at least twice as long as it was then. The file itself remembers how long it was."""
        if self._pragma("page_count") <= 2 * self._pragma("user_version") + _SHORT:
            return False
        self.analyze()
        return True

    def _pragma(self, name: str) -> int:
        return int(self.database.execute_sql(f"PRAGMA {name}").fetchone()[0])

    def size(self) -> int:
        """The size of its pages, without those that wait in the write-ahead log."""
        return self._pragma("page_count") * self._pragma("page_size")

    def grant(self) -> bool:
        """Do nothing: whoever can write the file can write all of it."""
        return False

    def now_at(self, offset: float) -> None:
        """Let the database's clock run ahead."""
        self._offset = offset

    def _notify_listeners(self) -> None:
        if self._thread.topics and not self.database.in_transaction():
            topics, self._thread.topics = self._thread.topics, set()
            self._notifier.notify(topics)

    def _commits(self) -> int:
        """A number that changes with the commits of other connections."""
        return int(self.database.execute_sql("PRAGMA data_version").fetchone()[0])

"""The database: transactions, its clock, and notifications of commits, on SQLite or PostgreSQL.

A write transaction holds the locks it needs from its start. Every time that several processes must agree on comes from
the database's clock. Fixed SQL is written with ? for values.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from peewee import Database, DatabaseProxy, Model

from appliance import lazy_imports
from appliance.config import Config
from appliance.db import wait_limits
from appliance.db.backend import Backend, Listener
from appliance.db.outage import Outage
from appliance.db.sqlite import Sqlite

T = TypeVar("T")

#: The database that every model is bound to. `open_database` sets it.
database = DatabaseProxy()

_MIGRATIONS = Path(__file__).parent.parent / "migrations"

# A forked child must not close inherited connections: that could release locks and files of its parent.
_opened: list[Backend] = []
#: The settings that the database was opened with, if any.
_config: list[Config | None] = [None]

#: Packages that raise errors of an unavailable database.
_DRIVERS = ("peewee", "psycopg", "sqlite3", "appliance")

#: The current time in fixed SQL, in seconds since the epoch. As a subquery it is evaluated once a statement, not once
#: a row, and comparisons with it can use an index.
NOW = "(SELECT appliance_now())"


class BaseModel(Model):
    """Base of every model."""

    class Meta:
        """Options of peewee."""

        database = database
        legacy_table_names = False


def connect(config: Config) -> Database:
    """Open the installation's database for this process and bring its tables up to date."""
    opened = open_database(config)
    migrate()
    return opened


def open_database(config: Config) -> Database:
    """Open the installation's database and bind every model to it. A forked child must call this again."""
    if config.database_url:
        lazy_imports.import_psycopg()
        from appliance.db.postgres import Postgres  # its driver is loaded only where it is used

        return _use(Postgres(config.database_url), config)
    return _use(Sqlite(config.database_file), config)


def open_sqlite(file: Path) -> Database:
    """Open an SQLite file and bind every model to it."""
    return _use(Sqlite(file))


def opened_config() -> Config | None:
    """The settings that the database was opened with; None if it was opened as a file."""
    return _config[-1]


def _use(backend: Backend, config: Config | None = None) -> Database:
    wait_limits.clear_deadline()
    _opened.append(backend)
    _config[-1] = config
    database.initialize(backend.database)
    return backend.database


def backend() -> Backend:
    """The database in use."""
    return _opened[-1]


def is_opened() -> bool:
    """Whether this process has opened a database."""
    return bool(_opened)


def migrate() -> list[str]:
    """Apply the migrations not yet applied; returns their names."""
    if is_migrated():
        return []
    from playhouse.migrations import Runner  # imports every database driver of peewee

    runner = Runner(database.obj, str(_MIGRATIONS))
    with write():  # two processes starting at once: the second finds nothing left to do
        backend().acquire_lock("migration")
        applied: list[str] = runner.up()
        backend().grant()
    return applied


def grant() -> bool:
    """Give the database role of the admin application its rights anew; returns whether there is such a role."""
    with write():
        return backend().grant()


def is_migrated() -> bool:
    """Whether every migration has been applied."""
    if not database.table_exists("schema_migration"):
        return False
    applied = {name for (name,) in execute("SELECT name FROM schema_migration").fetchall()}
    return applied >= _migration_names(_MIGRATIONS)


@cache
def _migration_names(folder: Path) -> frozenset[str]:
    """The names of the migrations in a folder; those of a release never change."""
    return frozenset(file.stem for file in folder.glob("[0-9]*.py"))


class _Thread(threading.local):
    """The state of a thread's write transaction."""

    def __init__(self) -> None:
        #: How many write transactions are open, one inside another.
        self.depth = 0
        #: What to call before the outermost one is committed.
        self.last: dict[Hashable, Callable[[], None]] = {}
        #: What to write after that, as the last thing before the commit: items, each with what writes it.
        self.collected: list[tuple[Callable[[list[Any]], None], Any]] = []


_thread = _Thread()

#: Whether the database is unavailable, and whether this process has logged it.
outage = Outage()


class _Rollback(Exception):  # noqa: N818 - not an error
    """Leaves a transaction that is to be rolled back."""


@contextmanager
def write(*, rollback: bool = False) -> Iterator[None]:
    """A write transaction: all of it is committed or none. Inside another it is a part of that one.

    With `rollback` it is rolled back at its end: nothing that the body wrote stays.
    """
    _thread.depth += 1
    begun, kept = len(_thread.collected), False
    try:
        with suppress(_Rollback), backend().write():
            yield
            if rollback:
                raise _Rollback
            if _thread.depth == 1:
                _finish()
            kept = True
    finally:
        _thread.depth -= 1
        if not kept:  # a part that is rolled back takes along what it collected, also when the whole is committed
            del _thread.collected[begun:]
        if not _thread.depth:
            _thread.last.clear()
            _thread.collected.clear()
    if outage.since is not None and not _thread.depth:
        outage.record_recovery()


@contextmanager
def scratch(tables: Mapping[str, str]) -> Iterator[None]:
    """A transaction to try something in: it is rolled back at its end, and however long it takes, nobody waits for it.

    What `before_commit` and `collect` were given inside is not called. Not inside another transaction.

    Args:
        tables: the tables that the body writes, each with an SQL condition for the rows that it needs of it. On SQLite
            they are copied, since a writer would otherwise keep all others waiting; writing to any other table is an
            error. On PostgreSQL only the rows that the body writes are locked.
    """
    _thread.depth += 1
    try:
        with suppress(_Rollback), backend().scratch(tables):
            yield
            raise _Rollback
    finally:
        _thread.depth -= 1
        _thread.last.clear()
        _thread.collected.clear()


def before_commit(key: Hashable, act: Callable[[], None] | None) -> None:
    """Call `act`, once for each key, at the end of the open write transaction; None cancels it.

    Outside a transaction it is called at once.
    """
    if act is None:
        _thread.last.pop(key, None)
    elif _thread.depth:
        _thread.last[key] = act
    else:
        act()


def collect(item: T, act: Callable[[list[T]], None]) -> None:
    """Call `act` with all items that the open write transaction collects for it, as the last thing before the commit.

    Items of a part of the transaction that was rolled back are left out. Outside a transaction it is called at once.
    """
    if _thread.depth:
        _thread.collected.append((act, item))
    else:
        with write():
            act([item])


def _finish() -> None:
    """Do what was left for the end of the outermost transaction; locks that others wait for are taken last."""
    while _thread.last or _thread.collected:
        while _thread.last:
            _thread.last.pop(next(iter(_thread.last)))()
        collected, _thread.collected = _thread.collected, []
        for act in dict.fromkeys(act for act, _ in collected):
            act([item for other, item in collected if other is act])


@contextmanager
def snapshot() -> Iterator[None]:
    """A read transaction: everything read inside is of one moment."""
    with backend().snapshot():
        yield


def execute(sql: str, parameters: Sequence[Any] = ()) -> Any:
    """Run one statement of fixed SQL; returns the cursor."""
    return database.execute_sql(backend().translate(sql), parameters)


def now() -> float:
    """The database's clock, seconds since the epoch."""
    return float(execute(f"SELECT {NOW}").fetchone()[0])


def placeholders(count: int, width: int = 1) -> str:
    """`count` placeholders, or `count` rows of `width` placeholders, for an IN list or VALUES."""
    one = "?" if width == 1 else "(" + ",".join("?" * width) + ")"
    return ",".join([one] * count)


def chunks(values: Sequence[T], size: int = 500) -> Iterator[Sequence[T]]:
    """`values` in slices of at most `size`, as many as one IN list may have."""
    return (values[start : start + size] for start in range(0, len(values), size))


def for_update(table: str = "") -> str:
    """The clause with which a SELECT locks its rows, or those of `table`, until the transaction ends."""
    return backend().locking(table)


def skip_locked(table: str = "") -> str:
    """The clause with which a SELECT locks its rows and skips those that other transactions have locked."""
    return backend().locking(table, skip=True)


def glob_condition(expression: str, pattern: str) -> tuple[str, str]:
    """The condition that a text matches a pattern with the wildcards * and ?, and the value to bind."""
    return backend().glob_condition(expression, pattern)


def contains(expression: str, text: str) -> tuple[str, str]:
    """The condition that a text contains another in upper or lower case, and the value bound in it."""
    return backend().contains(expression, text)


def joined(expression: str) -> str:
    """The aggregate that joins distinct numbers by commas."""
    return backend().joined(expression)


def set_short_lock_timeout() -> None:
    """Make this transaction fail instead of waiting long for a lock; `is_conflict` recognises the failure."""
    backend().set_short_lock_timeout()


def is_conflict(error: BaseException) -> bool:
    """Whether `error` says that a transaction got in the way of another and may succeed when repeated."""
    return backend().is_conflict(error)


def limit_waiting(seconds: float) -> None:
    """From now on end statements of this thread that take longer than `seconds`, or whose server is silent as long.

    For a process that answers people, who would not wait longer either. It is called again for every request.
    """
    backend().limit_waiting(seconds)


def prefer_index_order() -> None:
    """Have the query planner of this transaction prefer an index in the wanted order to sorting."""
    backend().prefer_index_order()


def analyze() -> None:
    """Update the statistics of the query planner, where the database does not do so itself."""
    backend().analyze()


def analyze_if_grown() -> bool:
    """Update the statistics of the query planner if the database has grown much since; returns whether it had.

    It costs little to ask. For processes that nobody waits for, not inside a transaction.
    """
    return backend().analyze_if_grown()


def is_over_time(error: BaseException) -> bool:
    """Whether `error` says that a statement was ended because it took too long."""
    return backend().is_over_time(error)


def acquire_lock(what: str) -> None:
    """Acquire the lock named `what` until the transaction ends."""
    backend().acquire_lock(what)


def notify(*topics: str) -> None:
    """Wake the listeners to these topics once this transaction is committed; "", the default, is that of most."""
    backend().notify(topics or ("",))


def is_unavailable(error: BaseException) -> bool:
    """Whether `error` says that the database cannot be reached or used now; a later attempt may succeed.

    Errors in statements do not count: they would occur again.
    """
    found: BaseException | None = error
    while _opened and found is not None and type(found).__module__.partition(".")[0] in _DRIVERS:
        if backend().is_unavailable(found):
            return True
        found = found.__context__  # an error of the rollback hides the one before it
    return False


def disconnect() -> None:
    """Close this thread's connection, broken or not; the next statement opens another. Not inside a transaction."""
    try:
        database.close()
    except Exception as error:
        if not is_unavailable(error):
            raise


@contextmanager
def suppress_unavailable() -> Iterator[None]:
    """Suppress errors of an unavailable database, for work that is repeated soon; the first error is logged.

    Not inside a transaction.
    """
    try:
        yield
    except Exception as error:
        if not is_unavailable(error):
            raise
        outage.record_loss(error)
        disconnect()


def open_listener(topic: str = "") -> Listener:
    """Open a listener that waits for commits of other connections that notify of `topic`."""
    return backend().open_listener(topic)

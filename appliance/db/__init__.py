"""The database: its transactions, its clock and its news, whichever of SQLite and PostgreSQL stands behind them.

Guarantees that whoever writes holds what it needs from the beginning of its transaction, and that every time several
processes must agree on comes from one clock, the database's. Fixed SQL is written with ? for values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from peewee import Database, DatabaseProxy, Model
from playhouse.migrations import Runner

from appliance.config import Config
from appliance.db.backend import Backend, Waiter
from appliance.db.sqlite import Sqlite

T = TypeVar("T")

#: Every model is bound to this; `open_database` says what stands behind it.
database = DatabaseProxy()

_MIGRATIONS = Path(__file__).parent.parent / "migrations"

# A forked child must not close what it inherited: that could end locks and files of its parent's connection.
_opened: list[Backend] = []

#: The present in a statement of fixed SQL, in seconds since the epoch.
NOW = "appliance_now()"


class Table(Model):
    """Base of every model."""

    class Meta:
        """Peewee's own way to bind a model."""

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
        from appliance.db.postgres import Postgres  # its driver is loaded only where it is used

        return _use(Postgres(config.database_url))
    return open_sqlite(config.database_file)


def open_sqlite(file: Path) -> Database:
    """Open an SQLite file and bind every model to it."""
    return _use(Sqlite(file))


def _use(backend: Backend) -> Database:
    _opened.append(backend)
    database.initialize(backend.database)
    return backend.database


def backend() -> Backend:
    """The database in use."""
    return _opened[-1]


def migrate() -> list[str]:
    """Apply the migrations not yet applied; returns their names."""
    runner = Runner(database.obj, str(_MIGRATIONS))
    if not any(m.applied is None for m in runner.status()):
        return []
    with write():  # two processes starting at once: the second finds nothing left to do
        backend().in_turn("migration")
        applied: list[str] = runner.up()
    return applied


@contextmanager
def write() -> Iterator[None]:
    """A write transaction: all of it is committed or none."""
    with backend().write():
        yield


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


def marks(count: int, width: int = 1) -> str:
    """`count` placeholders (or rows of `width` of them) for an IN list or VALUES."""
    one = "?" if width == 1 else "(" + ",".join("?" * width) + ")"
    return ",".join([one] * count)


def chunks(values: Sequence[T], size: int = 500) -> Iterator[Sequence[T]]:
    """`values` a few hundred at a time, as many as one IN list may have."""
    return (values[start : start + size] for start in range(0, len(values), size))


def for_update(table: str = "") -> str:
    """What a SELECT ends with whose rows (those of `table`, of several) shall stay as they are in this transaction."""
    return backend().locking(table)


def skip_locked(table: str = "") -> str:
    """The same for a SELECT that leaves out the rows other transactions hold."""
    return backend().locking(table, skip=True)


def matches(expression: str) -> str:
    r"""The condition that a text matches the regular expression bound to it: literals, `.` and `.*`, `\A` and `\Z`."""
    return backend().matches(expression)


def give_way() -> None:
    """Have this transaction fail rather than wait long for what another holds; `collided` tells such a failure."""
    backend().give_way()


def collided(error: BaseException) -> bool:
    """Whether `error` says that a transaction got in the way of another and may succeed when repeated."""
    return backend().collided(error)


def by_index() -> None:
    """Have this transaction read rows through the index that has them in the order wanted."""
    backend().by_index()


def in_turn(what: str) -> None:
    """Wait until no other transaction is between this call for `what` and its end."""
    backend().in_turn(what)


def notify() -> None:
    """Wake who waits for news, once this transaction is committed."""
    backend().notify()


def lost(error: BaseException) -> bool:
    """Whether `error` says that the database cannot be reached or used now, so that another connection may fare better.

    Statements that are wrong are not meant: they would be wrong again.
    """
    return backend().lost(error)


def disconnect() -> None:
    """Give up this thread's connection; the next statement opens another. Not inside a transaction."""
    database.close()


@contextmanager
def tolerant() -> Iterator[None]:
    """Pass over errors that say the database is lost, for what is soon tried again. Not inside a transaction."""
    try:
        yield
    except Exception as error:
        if not lost(error):
            raise
        disconnect()


def waiter() -> Waiter:
    """Something to wait on for commits of others."""
    return backend().waiter()

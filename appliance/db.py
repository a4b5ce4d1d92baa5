"""The database connection, its transactions and its clock.

Guarantees that every write transaction takes the write lock when it begins (SQLite's IMMEDIATE: a transaction that
reads first and writes later would fail at once under a concurrent writer, whatever the busy timeout), and that
every time that several processes must agree on comes from one clock, the database's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from peewee import DatabaseProxy, Model, SqliteDatabase
from playhouse.migrations import Runner

from appliance import clock
from appliance.config import Config

#: Every model is bound to this; `connect` says what stands behind it.
database = DatabaseProxy()

_MIGRATIONS = Path(__file__).parent / "migrations"

_inherited: list[Any] = []

#: The present in a statement of fixed SQL, in seconds since the epoch.
NOW = "appliance_now()"


class Table(Model):
    """Base of every model."""

    class Meta:
        """Peewee's own way to bind a model."""

        database = database
        legacy_table_names = False


def connect(config: Config) -> SqliteDatabase:
    """Open the installation's database for this process and bring its tables up to date."""
    opened = open_sqlite(config.database_file)
    migrate()
    return opened


def open_sqlite(file: Path) -> SqliteDatabase:
    """Open `file` and bind every model to it. A forked child must call this again."""
    file.parent.mkdir(parents=True, exist_ok=True)
    opened = SqliteDatabase(
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
    # A forked child must not close what it inherited: that could end locks and files of its parent's connection.
    _inherited.append(database.obj)
    # SQLite has no sub-second clock before 3.42; its clock is this host's in any case.
    opened.register_function(clock.now, "appliance_now", 0)
    database.initialize(opened)
    opened.connect()
    return opened


def migrate() -> list[str]:
    """Apply the migrations not yet applied; returns their names."""
    runner = Runner(database.obj, str(_MIGRATIONS))
    if not any(m.applied is None for m in runner.status()):
        return []
    with write():  # two processes starting at once: the second finds nothing left to do
        applied: list[str] = runner.up()
    return applied


@contextmanager
def write() -> Iterator[None]:
    """A write transaction: the lock is taken now, all of it is committed or none."""
    with database.atomic("IMMEDIATE"):
        yield


@contextmanager
def snapshot() -> Iterator[None]:
    """A read transaction: everything read inside is of one moment."""
    with database.atomic("DEFERRED"):
        yield


def execute(sql: str, parameters: tuple[Any, ...] | list[Any] = ()) -> Any:
    """Run one statement of fixed SQL; returns the cursor."""
    return database.execute_sql(sql, parameters)


def now() -> float:
    """The database's clock, seconds since the epoch."""
    return float(execute(f"SELECT {NOW}").fetchone()[0])


def marks(count: int, width: int = 1) -> str:
    """`count` placeholders (or rows of `width` of them) for an IN list or VALUES."""
    one = "?" if width == 1 else "(" + ",".join("?" * width) + ")"
    return ",".join([one] * count)


def news() -> int:
    """A number that differs once another connection has committed something."""
    return int(execute("PRAGMA data_version").fetchone()[0])

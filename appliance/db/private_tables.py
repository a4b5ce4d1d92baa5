"""Private copies of SQLite's tables, so that a transaction can write without keeping anybody waiting.

SQLite has one write lock, and whoever writes holds it to the end of the transaction. A table in the temporary schema of
a connection hides the table of the same name from that connection alone, and writing to it takes no lock. Guarantees
that such a transaction changes no real table: a statement that would is refused.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from peewee import SqliteDatabase

_WRITES: Final = frozenset((sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE))


@contextmanager
def private_tables(database: SqliteDatabase, tables: Mapping[str, str]) -> Iterator[None]:
    """A transaction in which some tables are private copies, as they were at its beginning.

    They are kept in a temporary file, since they may be larger than the memory that a worker may use. The caller ends
    the block by an exception, which drops them.

    Args:
        database: a database without an open transaction in this thread.
        tables: the tables that may be written. Each is copied with the rows for which its condition holds.
    """
    connection = database.connection()
    # Neither of the two can be set within a transaction. A private table cannot refer to one that is not.
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("PRAGMA temp_store = FILE")
    try:
        with database.atomic("DEFERRED"):
            for table, condition in tables.items():
                _copy(connection, table, condition)
            connection.execute("PRAGMA analysis_limit = 400")
            connection.execute("ANALYZE temp")  # without statistics, queries would read whole tables
            connection.set_authorizer(_refuse_real_tables)
            try:
                yield
            finally:
                connection.set_authorizer(None)
    finally:
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA foreign_keys = ON")


def _copy(connection: sqlite3.Connection, table: str, condition: str) -> None:
    """Copy a table, with its indexes and without its triggers."""
    made = connection.execute(
        """SELECT sql FROM main.sqlite_master WHERE tbl_name = ? AND type IN ('table', 'index') AND sql IS NOT NULL
           ORDER BY type DESC, name""",
        [table],
    ).fetchall()
    for number, (sql,) in enumerate(made):
        before, kind, after = sql.partition(" TABLE " if number == 0 else " INDEX ")
        connection.execute(f"{before}{kind}temp.{after.lstrip()}")
        if number == 0:
            connection.execute(f'INSERT INTO temp."{table}" SELECT * FROM main."{table}" WHERE {condition}')


def _refuse_real_tables(action: int, _what: str, _more: str, schema: str, _trigger: str) -> int:
    return sqlite3.SQLITE_DENY if action in _WRITES and schema == "main" else sqlite3.SQLITE_OK

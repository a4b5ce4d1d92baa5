"""Ids that SQLite never gives out again, as PostgreSQL does not: forms, audit rows and mails name content and accounts.

Without AUTOINCREMENT the newest row that is deleted leaves its id to the next one. The word changes nothing about how
rows are stored. So the definitions of the tables are edited, as SQLite's documentation of ALTER TABLE describes for
changes of that kind, and no row is copied. The release before goes on: it inserts rows without their ids, as always.
"""

from peewee import OperationalError, SqliteDatabase

TABLES = ("site", "entry", "comment", "asset", "author", "category", "tag", "account")

_ID = '"id" INTEGER NOT NULL PRIMARY KEY'


def up(migrator, db):
    if not isinstance(db, SqliteDatabase):
        return
    # The table in which SQLite keeps the last ids comes with the first table that needs it.
    db.execute_sql("CREATE TABLE lasting_ids (id INTEGER PRIMARY KEY AUTOINCREMENT)")
    db.execute_sql("DROP TABLE lasting_ids")
    db.execute_sql("PRAGMA writable_schema = ON")
    try:
        for table in TABLES:
            _edit(db, table)
    except OperationalError:  # this SQLite was built to refuse it: ids come back as before
        return
    finally:
        db.execute_sql("PRAGMA writable_schema = RESET")  # also reads the definitions again
    last = "INSERT INTO sqlite_sequence (name, seq) SELECT ?, COALESCE(MAX(id), 0) FROM {}"
    for table in TABLES:
        db.execute_sql(last.format(table), [table])


def _edit(db, table):
    sql = db.execute_sql("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", [table]).fetchone()[0]
    before, found, after = sql.partition(f"({_ID}, ")
    if found and before == f'CREATE TABLE "{table}" ':
        db.execute_sql(
            "UPDATE sqlite_master SET sql = ? WHERE type = 'table' AND name = ?",
            [f"{before}({_ID} AUTOINCREMENT, {after}", table],
        )

"""Migrations: what they make is what the models say, on each database, once, whoever begins at the same time."""

from __future__ import annotations

import os
import re
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from peewee import Database, Model
from playhouse.migrations import Runner

from appliance import db, settings_report
from appliance.accounts import models as accounts
from appliance.audit import models as audit
from appliance.building import comparisons
from appliance.config import Config
from appliance.content import comment_models, entries
from appliance.content import models as content
from appliance.content.entries import EntryData
from appliance.delivery import models as delivery
from appliance.history import models as history
from appliance.importing import pull_history
from appliance.planning import models as planning
from appliance.previews import models as previews
from appliance.queue import models as queue
from appliance.queue import periodic_history
from appliance.search import models as search
from appliance.web.api import request_keys
from appliance.webhooks import models as webhooks
from tests import postgresql
from tests.conftest import MakeConfig

MODELS = [
    found
    for module in (
        audit,
        content,
        comment_models,
        planning,
        queue,
        delivery,
        history,
        search,
        accounts,
        webhooks,
        previews,
        comparisons,
        request_keys,
        periodic_history,
        pull_history,
        settings_report,
    )
    for found in vars(module).values()
    if isinstance(found, type) and issubclass(found, Model) and found.__module__ == module.__name__
]

_SQLITE = """
SELECT m.name, m.type, CASE WHEN m.type = 'index' THEN m.sql END, c.name, c.type, c."notnull", c.pk,
       f."table", f.on_delete
FROM sqlite_master m
LEFT JOIN pragma_table_info(m.name) c ON m.type = 'table'
LEFT JOIN pragma_foreign_key_list(m.name) f ON f."from" = c.name
WHERE m.type IN ('table', 'index') AND m.name NOT LIKE '%migration%' AND m.name NOT LIKE 'sqlite_%' ORDER BY 1, 4
"""
_POSTGRESQL = """
SELECT table_name AS a, column_name AS b, data_type AS c, is_nullable AS d FROM information_schema.columns
WHERE table_schema = 'public'
UNION ALL SELECT tablename, indexname, indexdef, '' FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), '' FROM pg_constraint
          WHERE connamespace = 'public'::regnamespace
ORDER BY 1, 2
"""

#: What the full-text search of each database is made of: no model can say it, and the tests of the search need it.
_FULL_TEXT = re.compile(r"search_index(_\w+)? table|search_document search_document_words")

NewConfig = Callable[[], Config]

#: The number of the last migration that came before it was promised that the release before goes on.
PROMISED_AFTER = 6

#: What a newer release may do, and what it may not, with the harm that comes of it.
HARMLESS = (
    """add_column("site", "motto", TextField(default="none yet", constraints=[SQL("DEFAULT 'none yet'")]))""",
    'add_column("site", "note", TextField(null=True))',
    'add_index("site", ("title",), False)',
)
HARMFUL = {
    'add_column("site", "motto", TextField(default="none yet"))': (
        "('site', 'motto') is neither null nor has a default that the database knows"
    ),
    'drop_column("site", "description")': "('site', 'description') is gone",
    'rename_column("site", "description", "about")': "('site', 'description') is gone",
    'add_index("site", ("title",), True)': "('site', \"['title']\") is unique now",
}


@pytest.fixture(params=["sqlite", "postgresql"])
def new(request: pytest.FixtureRequest, make_config: MakeConfig) -> NewConfig:
    """Makes installations whose databases are empty."""
    made: list[int] = []

    def make() -> Config:
        made.append(1)
        if request.param == "sqlite":
            return make_config(database=f"{len(made)}.db")
        server: postgresql.Server = request.getfixturevalue("postgres")
        return make_config(database=server.fresh(tables=False))

    return make


@pytest.fixture(autouse=True)
def from_nothing(migrate: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Migrations are what is tested here."""
    monkeypatch.setattr(db, "migrate", migrate)


def newer_release(folder: Path, *changes: str) -> Path:
    """The migrations of a release that has one more than this one."""
    newer = folder / "migrations"
    newer.mkdir()
    for file in db._MIGRATIONS.glob("[0-9]*.py"):
        (newer / file.name).symlink_to(file)
    lines = "".join(f"    migrator.migrate(migrator.{change})\n" for change in changes)
    (newer / "9999_newer.py").write_text(f"from peewee import SQL, TextField\n\n\ndef up(migrator, db):\n{lines}")
    return newer


@dataclass(frozen=True)
class Layout:
    """What a release that knows nothing of a migration relies on."""

    #: By table and name: type, and whether a row can be written that does not mention it.
    columns: dict[tuple[str, str], tuple[str, bool]]
    #: Table and columns of each unique index.
    unique: set[tuple[str, str]]

    @classmethod
    def read(cls, database: Database) -> Layout:
        columns, unique = {}, set()
        for table in database.get_tables():
            for column in database.get_columns(table):
                fills = column.null or column.default is not None or column.primary_key
                columns[table, column.name] = (column.data_type.lower(), fills)
            unique |= {(table, str(index.columns)) for index in database.get_indexes(table) if index.unique}
        return cls(columns, unique)

    def harms(self, before: Layout) -> list[str]:
        """One sentence for each change since `before` that an older release does not survive."""
        tables = {table for table, _ in before.columns}
        gone = [f"{where} is gone" for where in before.columns if where not in self.columns]
        other = [
            f"{w} is another type" for w, (kind, _) in before.columns.items() if self.columns.get(w, [kind])[0] != kind
        ]
        unfilled = [
            f"{where} is neither null nor has a default that the database knows"
            for where, (_, fills) in self.columns.items()
            if not fills and where[0] in tables and before.columns.get(where, ("", True))[1]
        ]
        unique = [f"{index} is unique now" for index in self.unique - before.unique if index[0] in tables]
        return gone + other + unfilled + unique


def schema(config: Config) -> list[tuple[object, ...]]:
    """Tables, columns with their types, keys and indexes with their conditions."""
    rows = db.execute(_POSTGRESQL if config.database_url else _SQLITE).fetchall()
    return [row for row in rows if "migration" not in str(row[0]) and not _FULL_TEXT.fullmatch(f"{row[0]} {row[1]}")]


def test_migrations_make_what_the_models_say(new: NewConfig) -> None:
    migrated, modelled = new(), new()
    opened = db.connect(migrated)
    by_migrations = schema(migrated)
    opened.close()
    opened = db.open_database(modelled)
    opened.create_tables(MODELS)
    by_models = schema(modelled)
    opened.close()
    assert len(by_models) > 150
    assert set(by_migrations) ^ set(by_models) == set()
    assert len(by_migrations) == len(by_models)


def test_they_are_applied_once(new: NewConfig) -> None:
    config = new()
    opened = db.open_database(config)
    assert db.migrate()[0] == "0001_initial"
    before = schema(config)
    assert db.migrate() == []
    assert schema(config) == before
    opened.close()


def test_an_older_installation_is_brought_up(new: NewConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows stay, and what a newer release adds is there."""
    config = new()
    opened = db.connect(config)
    content.Site.create(name="blog", title="A Blog", url="https://blog.example/")
    monkeypatch.setattr(
        db, "_MIGRATIONS", newer_release(tmp_path, 'add_column("site", "motto", TextField(default="none yet"))')
    )
    opened.close()
    opened = db.connect(config)
    assert db.execute("SELECT name, motto FROM site").fetchall() == [("blog", "none yet")]
    assert db.migrate() == []
    opened.close()


@pytest.mark.parametrize("gone", [True, False])
def test_a_release_goes_on_with_what_a_newer_one_left(
    new: NewConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: bool
) -> None:
    """While hosts are upgraded one after another, and after going back: also what is running meanwhile."""
    config = new()
    opened = db.connect(config)
    for number in range(8):  # often enough for a server to have planned the statements
        content.Site.create(name=f"before-{number}", title="A Blog", url="https://blog.example/")
        assert content.Site.get(content.Site.name == f"before-{number}").title == "A Blog"
    with monkeypatch.context() as upgraded:
        upgraded.setattr(db, "_MIGRATIONS", newer_release(tmp_path, *HARMLESS))
        assert db.migrate() == ["9999_newer"]
        if gone:
            opened.close()
            opened = db.connect(config)
    assert db.migrate() == []
    if gone:
        opened.close()
        opened = db.connect(config)
    content.Site.create(name="after", title="A Blog", url="https://blog.example/")
    assert content.Site.get(content.Site.name == "after").title == "A Blog"
    assert db.execute("SELECT motto, note FROM site WHERE name = 'after'").fetchone() == ("none yet", None)
    opened.close()


def test_a_migration_leaves_the_release_before_able_to_run(new: NewConfig) -> None:
    """Every migration since this is promised: what the release before reads and writes is still there."""
    opened = db.open_database(new())
    runner = Runner(opened, str(db._MIGRATIONS))
    for migration in runner.migrations():
        before = Layout.read(opened)
        runner.up(migration.name)
        if migration.idx > PROMISED_AFTER:
            assert Layout.read(opened).harms(before) == [], migration.name
    assert len(Layout.read(opened).columns) > 100
    opened.close()


@pytest.mark.parametrize("change", HARMFUL)
def test_what_would_harm_the_release_before_is_noticed(
    new: NewConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    config = new()
    opened = db.connect(config)
    before = Layout.read(opened)
    monkeypatch.setattr(db, "_MIGRATIONS", newer_release(tmp_path, change))
    db.migrate()
    assert HARMFUL[change] in Layout.read(opened).harms(before)
    opened.close()


def test_what_only_adds_harms_nobody(new: NewConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = db.connect(new())
    before = Layout.read(opened)
    monkeypatch.setattr(db, "_MIGRATIONS", newer_release(tmp_path, *HARMLESS))
    db.migrate()
    after = Layout.read(opened)
    assert after.harms(before) == []
    assert len(after.columns) == len(before.columns) + 2
    opened.close()


@pytest.mark.parametrize("processes", [4])
def test_processes_that_start_at_once(new: NewConfig, processes: int) -> None:
    config = new()
    go, hold = os.pipe()
    children = []
    for _ in range(processes):
        child = os.fork()
        if not child:
            status = 1
            try:
                os.close(hold)
                os.read(go, 1)  # returns for all at once, when the parent closes its end
                db.connect(config).close()
                status = 0
            except BaseException as error:
                print(error, file=sys.stderr)
            finally:
                os._exit(status)
        children.append(child)
    os.close(go)
    os.close(hold)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * processes
    opened = db.open_database(config)
    assert db.migrate() == []
    assert {model._meta.table_name for model in MODELS} <= set(opened.get_tables())
    opened.close()


def test_an_id_never_comes_back(new: NewConfig) -> None:
    """Forms that readers have open and rows of the audit name entries by it."""
    opened = db.connect(new())
    site = content.Site.create(name="blog", title="A Blog", url="https://blog.example/")
    for table, make in {
        "entry": lambda: entries.save(site, EntryData(title="One", slug="one", published_at=1))[0].id,
        "tag": lambda: content.Tag.create(site=site, name="One", slug="one").id,
    }.items():
        gone = make()
        db.execute(f"DELETE FROM {table} WHERE id = ?", [gone])
        assert make() > gone
    opened.close()


def test_an_older_sqlite_database_learns_not_to_give_ids_again(make_config: MakeConfig) -> None:
    """No row changes, also when the migration is rolled back first, and a process of the release before goes on."""
    name, config = "0030_lasting_ids", make_config()
    opened = db.open_database(config)
    runner = Runner(opened, str(db._MIGRATIONS))
    for migration in runner.migrations():
        if migration.name < name:
            runner.up(migration.name)
    fields = {"title": "A Blog", "url": "https://blog.example/"}
    first, second = (content.Site.create(name=f"{number}", **fields) for number in range(2))
    tag = content.Tag.create(site=first, name="One", slug="one")
    insert = f"INSERT INTO tag (site_id, name, slug) VALUES ({first.id}, ?, ?) RETURNING id"
    with closing(sqlite3.connect(config.database_file, isolation_level=None)) as before:
        assert before.execute(insert, ["Two", "two"]).fetchone() == (tag.id + 1,)
        plain = schema(config)
        with db.write(rollback=True):
            runner.up(name)
            assert lasting() == 8
        assert (lasting(), schema(config)) == (0, plain)
        content.Tag.delete().where(content.Tag.slug == "two").execute()
        runner.up(name)
        assert (lasting(), schema(config)) == (8, plain)
        assert [row.id for row in content.Site.select().order_by(content.Site.id)] == [first.id, second.id]
        (gone,) = before.execute(insert, ["Three", "three"]).fetchone()
        content.Tag.delete().where(content.Tag.id == gone).execute()
        assert before.execute(insert, ["Four", "four"]).fetchone() == (gone + 1,)
    assert content.Tag.create(site=first, name="Five", slug="five").id == gone + 2
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    opened.close()


def lasting() -> int:
    """How many tables of SQLite never give an id again."""
    (found,) = db.execute("SELECT COUNT(*) FROM sqlite_master WHERE sql LIKE '%PRIMARY KEY AUTOINCREMENT%'").fetchone()
    return int(found)

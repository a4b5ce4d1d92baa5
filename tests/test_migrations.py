"""Migrations: what they make is what the models say, on each database, once, whoever begins at the same time."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from peewee import Model

from appliance import db
from appliance.config import Config
from appliance.content import models as content
from appliance.delivery import models as delivery
from appliance.planning import models as planning
from appliance.queue import models as queue
from tests import postgresql
from tests.conftest import MakeConfig

MODELS = [
    found
    for module in (content, planning, queue, delivery)
    for found in vars(module).values()
    if isinstance(found, type) and issubclass(found, Model) and found.__module__ == module.__name__
]

_SQLITE = """
SELECT m.name, m.type, CASE WHEN m.type = 'index' THEN m.sql END, c.name, c.type, c."notnull", c.pk,
       f."table", f.on_delete
FROM sqlite_master m
LEFT JOIN pragma_table_info(m.name) c ON m.type = 'table'
LEFT JOIN pragma_foreign_key_list(m.name) f ON f."from" = c.name
WHERE m.name NOT LIKE '%migration%' AND m.name NOT LIKE 'sqlite_%' ORDER BY 1, 4
"""
_POSTGRESQL = """
SELECT table_name AS a, column_name AS b, data_type AS c, is_nullable AS d FROM information_schema.columns
WHERE table_schema = 'public'
UNION ALL SELECT tablename, indexname, indexdef, '' FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), '' FROM pg_constraint
          WHERE connamespace = 'public'::regnamespace
ORDER BY 1, 2
"""

NewConfig = Callable[[], Config]


@pytest.fixture(params=["sqlite", "postgresql"])
def new(request: pytest.FixtureRequest, make_config: MakeConfig) -> NewConfig:
    """Makes installations whose databases are empty."""
    made: list[int] = []

    def make() -> Config:
        made.append(1)
        if request.param == "sqlite":
            return make_config(database=f"{len(made)}.db")
        server: postgresql.Server = request.getfixturevalue("postgres")
        return make_config(database=server.fresh())

    return make


def schema(config: Config) -> list[tuple[object, ...]]:
    """Tables, columns with their types, keys and indexes with their conditions."""
    rows = db.execute(_POSTGRESQL if config.database_url else _SQLITE).fetchall()
    return [row for row in rows if "migration" not in str(row[0])]


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
    newer = tmp_path / "migrations"
    newer.mkdir()
    for file in db._MIGRATIONS.glob("[0-9]*.py"):
        (newer / file.name).symlink_to(file)
    (newer / "9999_newer.py").write_text(
        "from peewee import TextField\n\n\ndef up(migrator, db):\n"
        '    migrator.migrate(migrator.add_column("site", "motto", TextField(default="none yet")))\n'
    )
    monkeypatch.setattr(db, "_MIGRATIONS", newer)
    opened.close()
    opened = db.connect(config)
    assert db.execute("SELECT name, motto FROM site").fetchall() == [("blog", "none yet")]
    assert db.migrate() == []
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

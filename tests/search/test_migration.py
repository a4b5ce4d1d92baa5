"""The search comes to an installation that has entries, and later migrations than that of the search."""

from __future__ import annotations

from pathlib import Path

import pytest
from peewee import SqliteDatabase

from appliance import db
from appliance.content.models import Entry, Site
from appliance.search import index
from tests import postgresql
from tests.conftest import MakeConfig
from tests.search import oracle


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """A database without tables."""
    if request.param == "sqlite":
        return "search.db"
    server: postgresql.Server = request.getfixturevalue("postgres")
    return server.fresh(tables=False)


def test_entries_from_before_are_read_after_it(
    url: str, make_config: MakeConfig, tmp_path: Path, migrate: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "migrate", migrate)
    before = tmp_path / "migrations"
    before.mkdir()
    for file in db._MIGRATIONS.glob("[0-9]*.py"):
        if file.name != "0016_search.py":
            (before / file.name).symlink_to(file)
    config = make_config(database=url, web={"path": "/-/"})
    with monkeypatch.context() as older:
        older.setattr(db, "_MIGRATIONS", before)
        opened = db.connect(config)
    site = Site.create(name="blog", title="A Blog", url="https://blog.example/")
    row = {
        "site": site, "status": "published", "title": "One", "slug": "one", "published_at": 5, "modified_at": 5,
        "day": "1970-01-01", "week": "1970-01-01", "html": "<p>harbour</p>",
    }  # fmt: skip
    Entry.insert(row).execute()
    assert db.migrate() == ["0016_search"]
    assert index.next_due() == 0.0
    assert index.catch_up(60) == 1
    assert oracle.stored() == oracle.expected() != []
    assert isinstance(opened, SqliteDatabase) is not bool(config.database_url)
    opened.close()

"""Content that is changed while its site is being planned."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from appliance import db, publishing
from appliance.content import entries
from appliance.content.entries import EntryData
from appliance.content.models import Site
from appliance.installation import open_installation
from appliance.planning import artifact_sync
from tests.conftest import MakeConfig
from tests.postgresql import Server

THEN = 1_700_000_000


def wanted() -> set[str]:
    return {path for (path,) in db.execute("SELECT path FROM artifact WHERE wanted AND type = 'entry'").fetchall()}


def test_what_is_committed_while_its_site_is_planned_is_planned_next(
    postgres: Server, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL writers do not wait for planning; marked as planned without having been seen, it would be lost."""
    config = make_config(database=postgres.fresh())
    whole = artifact_sync.sync_site

    def save(slug: str) -> None:
        entries.save(Site.get(), EntryData(title=slug, slug=slug, published_at=THEN, text="text"))
        db.database.close()

    def meanwhile(*arguments: Any) -> list[str]:
        made = whole(*arguments)
        monkeypatch.setattr(artifact_sync, "sync_site", whole)
        other = threading.Thread(target=save, args=("late",))
        other.start()
        other.join(20)
        return made

    with open_installation(config) as sites:
        entries.save(sites["blog"], EntryData(title="early", slug="early", published_at=THEN, text="text"))
        monkeypatch.setattr(artifact_sync, "sync_site", meanwhile)
        publishing.publish(config)
        assert len(wanted()) == 1
        publishing.publish(config)
        assert len(wanted()) == 2

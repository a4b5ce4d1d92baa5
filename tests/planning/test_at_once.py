"""Content that is changed while its site is being planned."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from appliance import db, publishing
from appliance.content import comments, entries
from appliance.content.entries import EntryData
from appliance.content.models import Entry, Site
from appliance.planning import plan
from appliance.queue import store
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
    refresh = plan.refresh

    def save(slug: str) -> None:
        entries.save(Site.get(), EntryData(title=slug, slug=slug, published_at=THEN, text="text"))
        db.database.close()

    def meanwhile(*arguments: Any) -> plan.Plan:
        made = refresh(*arguments)
        monkeypatch.setattr(plan, "refresh", refresh)
        other = threading.Thread(target=save, args=("late",))
        other.start()
        other.join(20)
        return made

    with publishing.installation(config) as sites:
        entries.save(sites["blog"], EntryData(title="early", slug="early", published_at=THEN, text="text"))
        monkeypatch.setattr(plan, "refresh", meanwhile)
        publishing.publish(config)
        assert len(wanted()) == 1
        publishing.publish(config)
        assert len(wanted()) == 2


def test_a_comment_asks_for_pages_without_planning_the_site_again(config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with publishing.installation(config) as sites:
        entry: Entry = entries.save(
            sites["blog"], EntryData(title="early", slug="early", published_at=THEN, text="text")
        )[0]
        publishing.publish(config)
        store.finish(dict.fromkeys(store.claim("w", [plan.PUBLISH], 1000, 30.0), "changed"))
        comments.add(entry, "Ada", "Hello")
        monkeypatch.delattr(plan, "refresh")
        (made,) = publishing.publish(config)
        assert 0 < made.answers["added"] < made.wanted
        first = db.execute("SELECT key FROM job WHERE state = 'pending' ORDER BY id").fetchone()[0]
        assert first in wanted(), "the page of the entry comes first"

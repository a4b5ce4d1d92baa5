"""What a query and an edit cost does not grow with the site: counted, not timed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from appliance import db
from appliance.content.models import Entry
from appliance.search import index
from appliance.search.query import find
from tests import growth
from tests.local_site import LocalSite
from tests.search.test_index import fill

_PAGES = """
INSERT INTO artifact (site_id, path, type, template, subject, period, page, per_page, is_permalink, priority, every,
                      wanted, plan, digest, version, build, marked, built)
SELECT site_id, slug, kind, '', id, '', 1, 0, true, 0, 0, true, 0, 'built', 0, 'queue', 0, 0 FROM entry
WHERE NOT EXISTS (SELECT 1 FROM artifact WHERE subject = entry.id)
"""


def grow(blog: LocalSite, start: int, end: int) -> None:
    """Index entries with a page each: all of them have a word, and each tenth the same other one until the first."""
    fill(blog, end - start, start=start)
    db.execute(_PAGES)
    index.catch_up(300)
    if blog.config.database_url:
        for table in ("entry", "artifact", "search_document", "search_stale"):
            db.execute(f"VACUUM ANALYZE {table}")
    else:
        db.analyze()


def test_queries_and_edits_cost_the_same_on_a_larger_site(blog: LocalSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.search.query.CAP", 50)
    monkeypatch.setattr("appliance.search.query._REACH", (60, 40))

    def edit() -> None:
        db.execute("UPDATE entry SET html = html || ' lantern' WHERE id = 7")
        index.index_changed()

    bodies: dict[str, Callable[[], object]] = {
        "frequent": lambda: find(blog.site, "harbour"),
        "rare": lambda: find(blog.site, "number7"),
        "phrase": lambda: find(blog.site, '"number7 harbour"'),
        "never": lambda: find(blog.site, "lantern"),
        "edit": edit,
        "nothing changed": index.index_changed,
    }
    is_server = bool(blog.config.database_url)
    if is_server:
        del bodies["frequent"]  # finds all documents with the word in its index, and sorts their numbers

    def cost(body: Callable[[], object]) -> int:
        if not is_server:
            return growth.steps(body)
        counted = 0

        def undo() -> None:
            nonlocal counted
            counted = growth.rows_read(monkeypatch, body)

        growth.undone(undo)
        return counted

    grow(blog, 1, 300)
    before = {name: cost(body) for name, body in bodies.items()}
    grow(blog, 300, 2400)
    after = {name: cost(body) for name, body in bodies.items()}
    assert Entry.select().count() == 2399
    assert {name: (before[name], cost) for name, cost in after.items() if cost > 1.5 * before[name] + 25} == {}

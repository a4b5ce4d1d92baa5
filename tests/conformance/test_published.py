"""Everything a site consists of is published and reaches every target; after a change, what it changed does."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance import db, running
from appliance.content import entry_edits
from tests.building.test_pages import picture
from tests.local_site import EVERY_ARCHIVE, archive, index, local_site, tree

MANIFEST = (
    "[redirect]\n[thumbnails]\nwidths = [20]\n"
    + index("index.html", more="paginate = 2")
    + index("feed.xml", more="feed = true\nentries = 3")
    + "".join(archive(kind, path) for kind, path in EVERY_ARCHIVE.items())
)


@pytest.mark.conformance("A1")
def test_every_sort_of_file_reaches_every_target(tmp_path: Path) -> None:
    targets = [{"name": n, "address": str(tmp_path / n), "other_path": True} for n in ("one", "two")]
    with local_site(tmp_path, MANIFEST, {"static/a.css": "a"}, targets=targets) as shop:
        shop.upload("cat.png", picture(40))
        shop.save("About", kind="page")
        for n in range(1, 4):
            shop.save(f"Post {n}", f"2026-0{n}-01", authors=["Ada"], categories=[["News"]], tags=["ink"])
        first = shop.save("First", "2026-01-15", aliases=["old.html"])
        shop.publish()
        assert running.drain(shop.config, workers=1).exit_code == 0
        types = {kind for (kind,) in db.execute("SELECT DISTINCT type FROM artifact WHERE digest IS NOT NULL")}
        assert types == {*EVERY_ARCHIVE, "index", "static", "asset", "thumbnail", "redirect"}
        before, sent = shop.tree(), len(shop.journal())
        assert tree(tmp_path / "one") == tree(tmp_path / "two") == before
        entry_edits.edit(first, title="Foremost", tags=["ink"])
        shop.publish()
        assert running.drain(shop.config, workers=1).exit_code == 0
        after = shop.tree()
        assert tree(tmp_path / "one") == tree(tmp_path / "two") == after
        changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        assert {path for path, _, _ in shop.journal()[sent:]} == changed

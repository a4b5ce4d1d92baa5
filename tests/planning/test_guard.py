"""What would delete a large part of a site is refused, and the changes wait until it is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance import db, publishing, running
from appliance.content import entries
from appliance.content.models import Entry
from appliance.errors import ContentError
from appliance.queue import store
from appliance.queue.enqueue import Cause
from tests.local_site import LocalSite, archive, local_site
from tests.planning.conftest import OpenSite

MANIFEST = archive("entry", "{slug}.html")


def filled(shop: LocalSite) -> LocalSite:
    """A hundred files."""
    for n in range(100):
        shop.save(f"Post {n}", slug=f"post-{n}")
    shop.run()
    assert len(shop.tree()) == 100
    return shop


def remove(count: int) -> None:
    for entry in list(Entry.select().order_by(Entry.id).limit(count)):
        entries.delete(entry)


def unplanned() -> int:
    return int(db.execute("SELECT COUNT(*) FROM change WHERE NOT planned").fetchone()[0])


def test_more_than_a_third_of_a_site_is_deleted_only_with_leave(open_site: OpenSite) -> None:
    shop = filled(open_site(MANIFEST))
    remove(51)
    with pytest.raises(ContentError, match=r"^51 of 100 files of the site blog would be .* publish --allow-removals$"):
        shop.publish()
    assert (unplanned(), store.count_unknown_kinds([]), len(shop.tree())) == (51, {"plan": 1}, 100)
    (explained,) = shop.publish(explain=True)
    assert "publish --allow-removals" in explained.refusal
    assert len(explained.deleted_paths) == 51
    shop.run(allow_removals=True)
    assert (unplanned(), len(shop.tree())) == (0, 49)


def test_fewer_than_fifty_files_need_no_leave(open_site: OpenSite) -> None:
    shop = filled(open_site(MANIFEST))
    remove(49)
    shop.run()
    assert len(shop.tree()) == 51


def test_a_theme_with_a_slip_in_a_path_takes_nothing_away(open_site: OpenSite) -> None:
    shop = filled(open_site(MANIFEST))
    (shop.folder / "theme" / "theme.toml").write_text('name = "Trial"\n' + archive("page", "{slug}.html"), "utf-8")
    with pytest.raises(ContentError, match="100 of 100 files"):
        shop.publish()
    (shop.folder / "theme" / "theme.toml").write_text('name = "Trial"\n' + MANIFEST, "utf-8")
    shop.run()
    assert len(shop.tree()) == 100


def test_a_planning_by_a_worker_that_is_refused_fails_once_and_keeps_the_changes(tmp_path: Path) -> None:
    with local_site(tmp_path, MANIFEST) as shop:
        filled(shop)
        remove(51)
        publishing.enqueue_plan(shop.config, shop.site, Cause("entry deleted", "ada"))
        drained = running.drain(shop.config, workers=1)
        ((key, sentence),) = drained.failed
        assert (drained.exit_code, key, unplanned()) == (1, "blog", 51)
        assert "publish --allow-removals" in sentence
        assert db.execute("SELECT attempt, failures FROM job WHERE state = 'failed'").fetchall() == [(1, 1)]
        assert len(shop.tree()) == 100

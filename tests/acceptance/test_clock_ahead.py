"""A database clock that ran a day ahead and came back: what was asked for then, and is asked for now, goes out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance import db, running
from appliance.queue import store
from tests.local_site import LocalSite, archive, index, local_site

DAY = 86_400.0
MANIFEST = index("index.html", more='every = "30s"') + archive("entry", "{slug}.html")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LocalSite]:
    with local_site(tmp_path, MANIFEST) as made:
        yield made
        db.backend().now_at(0.0)


def test_a_drain_does_what_was_asked_for_ahead(shop: LocalSite) -> None:
    db.backend().now_at(DAY)
    shop.save("One")
    shop.publish()
    db.backend().now_at(0.0)
    drained = running.drain(shop.config, workers=1)
    assert (drained.exit_code, drained.jobs_done) == (0, 2)
    assert sorted(shop.tree()) == ["index.html", "one.html"]
    assert store.count_unfinished() == 0


def test_what_is_edited_afterwards_is_published_and_no_version_goes_back(shop: LocalSite) -> None:
    one = shop.save("One")
    db.backend().now_at(DAY)
    shop.publish()
    shop.drain()
    db.backend().now_at(0.0)
    shop.save("Other", entry=one, slug="one")
    shop.publish()
    drained = running.drain(shop.config, workers=1)
    assert drained.exit_code == 0
    assert "Other" in shop.text("one.html")
    versions = [version for path, _, version in shop.journal() if path == "one.html"]
    assert len(versions) == 2
    assert versions[1] == versions[0] + 1, "no further ahead than the one before makes it"

"""A transaction to try something in: nothing of it stays, and nobody waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from appliance import db
from appliance.config import Config
from appliance.content.models import Entry, Site
from tests.local_site import moment

TABLES = {"entry": "true"}


@pytest.fixture
def site(database: Config) -> Site:
    site = Site.create(name="blog", title="A Blog", url="https://blog.example/")
    for number in range(3):
        Entry.create(
            site=site, title=f"Post {number}", slug=f"post-{number}", text="Words", html="<p>Words</p>", excerpt="",
            published_at=moment("2026-11-01"), modified_at=0, day="2026-11-01", week="2026-10-26", status="draft",
        )  # fmt: skip
    return site


def titles() -> list[str]:
    return [title for (title,) in db.execute("SELECT title FROM entry ORDER BY id").fetchall()]


def elsewhere(act: Callable[[], None], seconds: float = 5.0) -> None:
    """Do something on a connection of its own, which must not wait."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except BaseException as error:  # to tell it in the thread of the test
            failed.append(error)
        finally:
            db.disconnect()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), "it waits"
    if failed:
        raise failed[0]


def rename(old: str, new: str) -> None:
    with db.write():
        db.execute("UPDATE entry SET title = ? WHERE title = ?", [new, old])


def test_what_is_written_is_seen_inside_and_gone_afterwards(site: Site) -> None:
    before = titles()
    with db.scratch(TABLES):
        rename("Post 0", "Tried")
        with db.write():
            Entry.delete().where(Entry.title == "Post 1").execute()
        assert titles() == ["Tried", "Post 2"]
        elsewhere(lambda: None if titles() == before else pytest.fail("others see it"))
    assert titles() == before


def test_nobody_waits_for_it(site: Site) -> None:
    with db.scratch(TABLES):
        rename("Post 0", "Tried")
        elsewhere(lambda: rename("Post 1", "Renamed meanwhile"))
        assert "Renamed meanwhile" not in titles() or db.backend().__class__.__name__ == "Postgres"
    assert titles() == ["Post 0", "Renamed meanwhile", "Post 2"]


def test_an_error_inside_leaves_nothing_either(site: Site) -> None:
    before = titles()
    with pytest.raises(RuntimeError), db.scratch(TABLES):
        rename("Post 0", "Tried")
        raise RuntimeError
    assert titles() == before
    rename("Post 0", "Kept")  # the table is the real one again
    elsewhere(lambda: None if "Kept" in titles() else pytest.fail("it was written to a copy"))


def test_what_waits_for_a_commit_is_not_done(site: Site) -> None:
    done: list[str] = []
    with db.scratch(TABLES), db.write():
        db.before_commit("key", lambda: done.append("done"))
        db.collect("item", done.extend)
    with db.write():
        pass
    assert done == []


def test_a_table_that_was_not_named_cannot_be_written(make_config: Callable[..., Config]) -> None:
    opened = db.connect(make_config())
    site = Site.create(name="blog", title="A Blog", url="https://blog.example/")
    with pytest.raises(Exception, match="not authorized"), db.scratch(TABLES):
        Site.update(title="Tried").where(Site.id == site.id).execute()
    Site.update(title="Kept").where(Site.id == site.id).execute()
    assert Site.get().title == "Kept"
    opened.close()


def test_references_are_checked_again_afterwards(make_config: Callable[..., Config]) -> None:
    opened = db.connect(make_config())
    with db.scratch(TABLES):
        pass
    assert db.execute("PRAGMA foreign_keys").fetchone() == (1,)
    assert db.execute("PRAGMA temp_store").fetchone() == (2,)
    opened.close()

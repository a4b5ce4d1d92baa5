"""A plan that is only looked at: what would be done, and why, with nothing done."""

from __future__ import annotations

import pytest

from appliance import db
from appliance.content import entries, entry_edits
from appliance.content.models import Entry
from tests.conftest import empty_database
from tests.local_site import LocalSite, archive, index, stamps
from tests.planning.conftest import OpenSite

MANIFEST = index("index.html") + index("about.html", "about.html") + archive("entry", "{slug}.html")
FILES = {"about.html": "{{ site.title }}"}


def everything(shop: LocalSite) -> list[object]:
    """All that is in the database, and every file of the docroot with what changes when it is written."""
    # What the index of words holds cannot be read; it follows from the documents.
    tables = sorted(name for name in db.database.get_tables() if not name.startswith("search_index"))
    rows = [[name, sorted(db.execute(f"SELECT * FROM {name}").fetchall(), key=repr)] for name in tables]
    return [*rows, stamps(shop.docroot)]


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, open_site: OpenSite) -> LocalSite:
    made = open_site(MANIFEST, FILES, **empty_database(request))
    made.save("One", "2026-01-01")
    made.save("Two", "2026-01-02")
    return made


def explained(shop: LocalSite, **how: bool) -> dict[str, list[str]]:
    before = everything(shop)
    (plan,) = shop.publish(explain=True, **how)
    assert everything(shop) == before
    return plan.reasons


def test_all_is_new_at_first(shop: LocalSite) -> None:
    paths = ("about.html", "index.html", "one.html", "two.html")
    assert explained(shop) == {path: ["it is new"] for path in paths}


def test_nothing_changed_is_nothing_to_do(shop: LocalSite) -> None:
    shop.run()
    assert explained(shop) == {}
    assert explained(shop, everything=True) == {}


def test_what_waits_already_is_told(shop: LocalSite) -> None:
    shop.publish()
    assert set(explained(shop)) == {"about.html", "index.html", "one.html", "two.html"}


def test_a_title_says_whose_page_it_is_and_who_shows_it(shop: LocalSite) -> None:
    shop.run()
    entry_edits.edit(Entry.get(Entry.title == "One"), title="First")
    assert explained(shop) == {
        "one.html": ["it is the page of a changed entry"],
        "index.html": ["it shows the title or the modification date of an entry that changed"],
    }


def test_what_is_deleted_is_told_apart(shop: LocalSite) -> None:
    shop.run()
    entries.delete(Entry.get(Entry.title == "One"))
    before = everything(shop)
    (plan,) = shop.publish(explain=True)
    assert everything(shop) == before
    assert plan.deleted_paths == ["one.html"]
    assert plan.reasons["one.html"] == ["it is no longer wanted"]
    assert plan.reasons["index.html"] != plan.reasons["one.html"]


def test_a_template_names_itself(shop: LocalSite) -> None:
    shop.run()
    (shop.folder / "theme" / "about.html").write_text("Other", "utf-8")
    assert explained(shop) == {"about.html": ["the template about.html changed"]}


def test_force_asks_for_all(shop: LocalSite) -> None:
    shop.run()
    assert set(explained(shop, force=True)) == {"about.html", "index.html", "one.html", "two.html"}
    before = len(shop.journal())
    (plan,) = shop.publish(force=True)
    shop.drain()
    assert (plan.enqueue_results.total(), len(shop.journal())) == (4, before)

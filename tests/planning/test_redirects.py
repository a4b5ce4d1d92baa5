"""What moved answers at its old address with a redirect, for as long as nothing else is there."""

from __future__ import annotations

import pytest

from appliance import db
from appliance.content import entry_edits, term_edits
from appliance.content.models import Category, Entry, Tag
from tests.local_site import LocalSite, archive
from tests.planning.conftest import OpenSite

MANIFEST = "[redirect]\n" + "".join(
    archive(kind, path)
    for kind, path in {"entry": "{slug}.html", "tag": "tag/{tag}.html", "category": "in/{category}/index.html"}.items()
)


@pytest.fixture
def shop(open_site: OpenSite) -> LocalSite:
    made = open_site(MANIFEST)
    made.save("One", slug="one", tags=["ink"], categories=[["News"]])
    made.save("Two", slug="two", categories=[["Art"]])
    made.run()
    return made


def entry(title: str) -> Entry:
    return Entry.get(Entry.title == title)


def test_a_renamed_entry_is_found_at_its_old_address(shop: LocalSite) -> None:
    entry_edits.edit(entry("One"), slug="first")
    shop.run()
    assert shop.text("one.html") == "-> /first.html"


def test_three_renames_all_lead_to_the_newest_address(shop: LocalSite) -> None:
    for slug in ("b", "c", "d"):
        entry_edits.edit(entry("One"), slug=slug)
        shop.run()
    assert {shop.text(f"{old}.html") for old in ("one", "b", "c")} == {"-> /d.html"}


def test_an_entry_that_takes_the_address_is_there_itself(shop: LocalSite) -> None:
    entry_edits.edit(entry("One"), slug="first")
    shop.run()
    entry_edits.edit(entry("Two"), slug="one")
    shop.run()
    assert shop.text("one.html") == "Two|"
    assert shop.text("two.html") == "-> /one.html"
    entry_edits.unpublish(entry("Two"))
    shop.run()
    assert set(shop.tree()) == {"first.html", "tag/ink.html", "in/news/index.html"}


def test_an_entry_that_comes_back_is_there_itself(shop: LocalSite) -> None:
    entry_edits.edit(entry("One"), slug="first")
    shop.run()
    entry_edits.edit(entry("One"), slug="one")
    shop.run()
    assert shop.text("one.html") == "One|"
    assert shop.text("first.html") == "-> /one.html"


def test_a_renamed_tag_is_found_at_its_old_address(shop: LocalSite) -> None:
    term_edits.rename(Tag.get(), slug="blue-ink")
    shop.run()
    assert shop.text("tag/ink.html") == "-> /tag/blue-ink.html"


def test_a_merged_category_leads_to_the_one_it_is_part_of(shop: LocalSite) -> None:
    term_edits.merge(Category.get(Category.slug == "art"), Category.get(Category.slug == "news"))
    shop.run()
    assert shop.text("in/art/index.html") == "-> /in/news/"
    assert shop.text("in/news/index.html") == "Two;One;"
    term_edits.rename(Category.get(Category.slug == "news"), slug="all")
    shop.run()
    assert {shop.text(f"in/{old}/index.html") for old in ("art", "news")} == {"-> /in/all/"}


def test_a_tag_that_was_renamed_and_then_merged_leads_on(shop: LocalSite) -> None:
    shop.save("Three", slug="three", tags=["paper"])
    term_edits.rename(Tag.get(Tag.slug == "ink"), slug="blue")
    shop.run()
    term_edits.merge(Tag.get(Tag.slug == "blue"), Tag.get(Tag.slug == "paper"))
    shop.run()
    assert {shop.text(f"tag/{old}.html") for old in ("ink", "blue")} == {"-> /tag/paper.html"}


def test_what_is_gone_has_no_redirect(shop: LocalSite) -> None:
    entry_edits.edit(entry("One"), slug="first")
    shop.run()
    entry_edits.unpublish(entry("One"))
    shop.run()
    assert "one.html" not in shop.tree()
    entry_edits.publish(entry("One"))
    shop.run()
    assert shop.text("one.html") == "-> /first.html"


def test_a_theme_without_redirects_keeps_the_addresses_for_when_it_has_some(shop: LocalSite) -> None:
    theme = shop.folder / "theme" / "theme.toml"
    whole = theme.read_text("utf-8")
    theme.write_text(whole.replace("[redirect]\n", ""), "utf-8")
    entry_edits.edit(entry("One"), slug="first")
    shop.run()
    assert "one.html" not in shop.tree()
    assert db.execute("SELECT path FROM move").fetchall() == [("one.html",)]
    theme.write_text(whole, "utf-8")
    shop.run()
    assert shop.text("one.html") == "-> /first.html"

"""An unpublished entry's own files are unpublished with it, unless the text of a published one shows them."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance import db
from appliance.content import asset_references, assets, entries, entry_edits
from appliance.content.models import Asset, Entry, EntryAsset
from tests.building.test_pages import picture
from tests.local_site import ENTRY, LISTING, LocalSite, archive, index, local_site, moment

MANIFEST = (
    "[thumbnails]\nwidths = [20]\n"
    + index("index.html")
    + archive("entry", "{slug}.html")
    + archive("page", "{slug}.html")
)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LocalSite]:
    with local_site(tmp_path, MANIFEST, {"entry.html": ENTRY, "listing.html": LISTING}) as made:
        yield made


def files(shop: LocalSite) -> set[str]:
    """What is published of uploads."""
    shop.run()
    rebuilt = {path for path in shop.tree() if path.startswith("cat")}
    assert rebuilt == {path for path in shop.paths() if path.startswith("cat")}
    return rebuilt


def show(shop: LocalSite, title: str, asset: Asset, **data: object) -> Entry:
    return shop.save(title, text=f'<img src="appliance:asset/{asset.id}">', format="html", **data)


CAT = {"cat.png", "cat-20w.png"}


def test_a_draft_keeps_its_files_back_until_it_is_published(shop: LocalSite) -> None:
    draft = shop.save("Draft", status="draft")
    shop.upload("cat.png", picture(40), entry=draft)
    assert files(shop) == set()
    entry_edits.publish(draft)
    assert files(shop) == CAT
    entry_edits.unpublish(draft)
    assert files(shop) == set()


def test_a_scheduled_entrys_files_come_with_it(shop: LocalSite) -> None:
    later = shop.save("Later", status="scheduled", day="2999-01-01")
    shop.upload("cat.png", picture(40), entry=later)
    assert files(shop) == set()
    db.execute("UPDATE entry SET published_at = ? WHERE id = ?", [moment("2026-01-01"), later.id])
    assert files(shop) == CAT


def test_a_file_that_a_published_text_shows_is_public(shop: LocalSite) -> None:
    draft = shop.save("Draft", status="draft")
    cat = shop.upload("cat.png", picture(40), entry=draft)
    other = show(shop, "Other", cat)
    assert files(shop) == CAT
    entry_edits.edit(other, text="No picture any more.")
    assert files(shop) == set()
    entry_edits.edit(other, text=f'<img src="appliance:asset/{cat.id}">')
    assert files(shop) == CAT
    entry_edits.unpublish(other)
    assert files(shop) == set()
    entry_edits.publish(other)
    assert files(shop) == CAT
    entries.delete(other)
    assert files(shop) == set()


def test_a_file_that_only_drafts_show_is_not_public(shop: LocalSite) -> None:
    draft = shop.save("Draft", status="draft")
    cat = shop.upload("cat.png", picture(40), entry=draft)
    show(shop, "Other", cat, status="draft")
    assert files(shop) == set()


def test_a_file_that_moves_from_a_draft_to_the_site_is_public(shop: LocalSite) -> None:
    draft = shop.save("Draft", status="draft")
    shop.upload("cat.png", picture(40), entry=draft)
    assert files(shop) == set()
    shop.upload("cat.png", picture(40))
    assert files(shop) == CAT


def test_a_removed_draft_publishes_none_of_its_files(shop: LocalSite) -> None:
    draft = shop.save("Draft", status="draft")
    shop.upload("cat.png", picture(40), entry=draft)
    entries.delete(draft)
    assert files(shop) == set()
    assert not Asset.select().exists()


def test_a_removed_draft_leaves_what_another_text_shows(shop: LocalSite) -> None:
    draft = shop.save("Draft", status="draft")
    cat = shop.upload("cat.png", picture(40), entry=draft)
    show(shop, "Other", cat)
    entries.delete(draft)
    assert files(shop) == CAT


def test_a_removed_draft_leaves_what_only_a_draft_shows_unpublished(shop: LocalSite) -> None:
    draft = shop.save("Draft", status="draft")
    cat = shop.upload("cat.png", picture(40), entry=draft)
    other = show(shop, "Other", cat, status="draft")
    entries.delete(draft)
    assert files(shop) == set()
    entry_edits.publish(other)
    assert files(shop) == CAT


def test_a_removed_published_entry_leaves_its_files(shop: LocalSite) -> None:
    published = shop.save("Published")
    shop.upload("cat.png", picture(40), entry=published)
    assert files(shop) == CAT
    entries.delete(published)
    assert files(shop) == CAT


def test_the_migration_finds_what_texts_show(shop: LocalSite) -> None:
    draft = shop.save("Draft", status="draft")
    cat = shop.upload("cat.png", picture(40), entry=draft)
    show(shop, "Other", cat)
    EntryAsset.delete().execute()
    file = Path(asset_references.__file__).parents[1] / "migrations" / "0011_asset_references.py"
    runpy.run_path(str(file))["up"](None, db.database.obj)
    assert EntryAsset.select().count() == 1
    assert files(shop) == CAT


def test_a_text_may_refer_to_a_removed_file(shop: LocalSite) -> None:
    draft = shop.save("Draft", status="draft")
    cat = shop.upload("cat.png", picture(40), entry=draft)
    assets.delete(cat)
    show(shop, "Other", cat)
    assert files(shop) == set()

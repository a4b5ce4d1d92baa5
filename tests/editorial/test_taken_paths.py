"""Whose paths give way to the theme, by every way in, and what is kept for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from appliance import editorial, publishing
from appliance.config import Config
from appliance.content import sites
from appliance.content.models import Asset, Category, Entry, Site
from appliance.errors import ContentError


@pytest.fixture(autouse=True)
def planned(database: Config) -> None:
    """The first plan tells what the theme may make."""
    sites.sync(database)
    publishing.publish(database)


def add(config: Config, *, as_written: bool, **fields: Any) -> Entry:
    return editorial.add_entry(config, "blog", "Title", as_written=as_written, later=True, **fields).subject


def edit(config: Config, entry: Entry, *, as_written: bool, **changes: Any) -> bool | None:
    """Edit an entry; return whether it gives way then."""
    editorial.edit_entry(config, "blog", entry.id, as_written=as_written, later=True, **changes)
    return Entry.get_by_id(entry.id).gives_way


def test_an_entry_gives_way_by_whoever_gave_its_path(database: Config) -> None:
    assert add(database, as_written=True, slug="one").gives_way is None
    entry = add(database, as_written=False)
    assert entry.gives_way
    assert edit(database, entry, as_written=True, text="A word is corrected.")
    assert edit(database, entry, as_written=True, date="2026-01-01")
    assert not edit(database, entry, as_written=True, address="own/")
    assert not edit(database, entry, as_written=False, text="Mine.", address="own/", status="published")
    assert edit(database, entry, as_written=False, address="another/")
    assert not edit(database, entry, as_written=True, slug="chosen")
    assert edit(database, entry, as_written=False, date="2026-02-02")


def test_a_file_gives_way_by_whoever_gave_its_path(database: Config, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("one line\n")

    def gives_way() -> bool:
        return bool(Asset.get().gives_way)

    editorial.upload_asset(database, "blog", file, "a/notes.txt", accepts="harmless", later=True)
    assert gives_way()
    editorial.upload_asset(database, "blog", file, "a/notes.txt", later=True)
    assert gives_way(), "other bytes at the same path"
    editorial.move_asset(database, "blog", "a/notes.txt", "b/notes.txt", later=True)
    assert not gives_way()
    editorial.move_asset(database, "blog", "b/notes.txt", "c/notes.txt", accepts="harmless", later=True)
    assert gives_way()


def test_the_address_of_a_category_is_kept_for_it(database: Config) -> None:
    entry = add(database, as_written=True, categories=["News"])
    Category.update(address="news").where(Category.name == "News").execute()
    with pytest.raises(ContentError, match=r"“news/index\.html” is kept for a category archive"):
        add(database, as_written=False, address="news/index.html")
    assert not edit(database, entry, as_written=True, address="news/index.html")


def test_the_folder_of_another_site_is_kept_for_it(database: Config) -> None:
    Site.create(name="inner", title="Inner", url="https://blog.example/inner/", folder="inner")
    with pytest.raises(ContentError, match="in the folder of another site"):
        add(database, as_written=False, address="inner/about/")
    add(database, as_written=False, address="innermost/about/")


def test_what_is_kept_is_named_with_its_use(database: Config) -> None:
    with pytest.raises(ContentError, match="“2027/01” is kept for a monthly archive; choose another address, or ask"):
        add(database, as_written=False, address="2027/01")
    with pytest.raises(ContentError, match="“2027/01” is kept for a monthly archive"):
        add(database, as_written=False, aliases=["2027/01"])
    assert Entry.select().count() == 0, "nothing is saved"


def test_former_addresses_that_an_editor_gave_stay(database: Config) -> None:
    entry = add(database, as_written=True, aliases=["2027/01"])
    edit(database, entry, as_written=False, aliases=["2027/01", "old/title"])
    with pytest.raises(ContentError, match="“2027/02” is kept"):
        edit(database, entry, as_written=False, aliases=["2027/01", "2027/02"])

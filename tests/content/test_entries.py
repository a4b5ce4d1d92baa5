from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

from appliance import db
from appliance.config import Config
from appliance.content import assets, comments, entries, sites
from appliance.content.entries import EntryData
from appliance.content.models import Alias, Change, Comment, Entry, EntryCategory, EntryTag, Site
from appliance.errors import ContentError
from tests.conftest import MakeConfig

MOMENT = int(datetime(2026, 11, 22, 23, 30, tzinfo=UTC).timestamp())
DATA = EntryData(
    title="Hello", slug="hello", published_at=MOMENT, text="Hi *there*", authors=["Ann", "Bob"],
    categories=[["News", "Local"], ["Art"]], tags=["b", "a"], aliases=["old/hello.html"], extra={"mood": "good"},
    source="s", source_path="hello.md", source_digest="1",
)  # fmt: skip


@pytest.fixture
def site(config: Config) -> Site:
    return sites.sync(config)["blog"]


def changes() -> list[str]:
    """What was recorded since the last call, terms and site aside."""
    rows = list(Change.select().order_by(Change.id))
    Change.delete().execute()
    return [row.event for row in rows if row.subject in ("entry", "comment", "asset") or "lost" in row.event]


def test_an_entry_is_saved_whole(site: Site) -> None:
    entry, changed = entries.save(site, DATA)
    assert changed
    entry = Entry.get_by_id(entry.id)
    assert entry.html == "<p>Hi <em>there</em></p>\n"
    assert (entry.day, entry.week) == ("2026-11-22", "2026-11-16")
    assert entry.extra == '{"mood": "good"}'
    assert [row.tag.name for row in entry.entry_tags.order_by(EntryTag.position)] == ["b", "a"]
    links = entry.entry_categories.order_by(EntryCategory.is_primary.desc())
    assert [(link.category.path, link.is_primary) for link in links] == [("news/local", True), ("art", False)]
    assert changes() == ["entry added"]


def test_saving_the_same_writes_nothing(site: Site) -> None:
    entries.save(site, DATA)
    changes()
    before = db.execute("SELECT total_changes()").fetchone()[0]
    assert not entries.save(site, DATA)[1]
    assert db.execute("SELECT total_changes()").fetchone()[0] == before
    assert changes() == []


def test_an_edit_records_the_terms_it_left(site: Site) -> None:
    entry, _ = entries.save(site, DATA)
    changes()
    assert entries.save(site, replace(DATA, tags=["a"], aliases=[]))[1]
    assert changes() == ["tag lost an entry", "entry edited"]
    assert not Alias.select().exists()
    assert entries.save(site, replace(DATA, status="draft"), entry=entry)[1]
    assert "entry unpublished" in changes()


def test_a_new_source_path_records_no_change(site: Site) -> None:
    entry, _ = entries.save(site, DATA)
    changes()
    assert not entries.save(site, replace(DATA, source_path="b.md", source_digest="2"), entry=entry)[1]
    assert changes() == []
    assert Entry.get_by_id(entry.id).source_path == "b.md"


def test_two_entries_never_share_a_name(site: Site) -> None:
    entries.save(site, DATA)
    with pytest.raises(ContentError, match="“Other” has the name “hello” on 2026-11-22, as “Hello” has"):
        entries.save(site, replace(DATA, title="Other", source_path="b.md", aliases=[]))
    entries.save(site, replace(DATA, slug="x", address="here", source_path="c.md", aliases=[]))
    with pytest.raises(ContentError, match="the address “here”"):
        entries.save(site, replace(DATA, slug="y", address="here", source_path="d.md", aliases=[]))
    with pytest.raises(ContentError, match=r"old/hello\.html"):
        entries.save(site, replace(DATA, slug="z", source_path="e.md"))
    assert Entry.select().count() == 2


def test_a_removal_records_every_term(site: Site) -> None:
    entry, _ = entries.save(site, DATA)
    changes()
    entries.delete(entry)
    assert sorted(changes()) == sorted(
        ["author lost an entry"] * 2 + ["category lost an entry"] * 2 + ["tag lost an entry"] * 2 + ["entry removed"]
    )
    assert not Entry.select().exists()


def test_reserved_entries_are_invisible_until_saved(site: Site) -> None:
    ids = entries.reserve(site, [DATA, replace(DATA, source_path="b.md", slug="b", aliases=[])])
    assert sorted(ids) == ["b.md", "hello.md"]
    assert {row.status for row in Entry.select()} == {"draft"}
    assert changes() == []
    entry, changed = entries.save(site, DATA)
    assert (entry.id, changed, changes()) == (ids["hello.md"], True, ["entry added"])


def test_a_new_time_zone_updates_days(make_config: MakeConfig, config: Config) -> None:
    entries.save(sites.sync(config)["blog"], DATA)
    changes()
    assert sites.sync(config)
    assert not Change.select().exists()
    moved = make_config(sites=[{"name": "blog", "title": "A Blog", "url": "https://blog.example/",
                                "timezone": "Asia/Tokyo", "week_starts": "sunday"}])  # fmt: skip
    sites.sync(moved)
    entry = Entry.get()
    assert (entry.day, entry.week) == ("2026-11-23", "2026-11-22")
    assert [(c.event, c.subject) for c in Change.select()] == [("settings changed", "site")]


def test_comments(site: Site) -> None:
    entry, _ = entries.save(site, DATA)
    changes()
    first = comments.add(entry, " Joe  Doe ", "Hi *you*", url="https://joe.example/")
    middle = comments.add(entry, "Ann", "re", parent=first)
    last = comments.add(entry, "Bob", "re re", parent=middle)
    comments.set_status(middle, "pending")
    assert (first.author_name, first.html) == ("Joe Doe", "<p>Hi <em>you</em></p>")
    assert comments.set_status(middle, "approved")
    assert not comments.set_status(middle, "approved")
    comments.delete(middle)
    assert Comment.get_by_id(last.id).parent_id == first.id
    assert {c.entry_id for c in Change.select()} == {entry.id}
    assert changes() == ["comment added"] * 3 + ["comment held", "comment approved", "comment removed"]


@pytest.mark.parametrize(
    ("name", "text", "url"),
    [("", "x", ""), ("Joe", " ", ""), ("Joe", "x", "javascript:x"), ("J" * 200, "x", ""), ("Joe", "x" * 20_001, "")],
)
def test_bad_comments_are_refused(site: Site, name: str, text: str, url: str) -> None:
    entry, _ = entries.save(site, DATA)
    with pytest.raises(ContentError):
        comments.add(entry, name, text, url=url)
    assert not Comment.select().exists()


def test_a_file_is_stored_once(site: Site, config: Config, tmp_path: Path) -> None:
    picture = tmp_path / "cat.png"
    Image.new("RGB", (30, 20)).save(picture)
    asset, changed = assets.add_file(config, site, picture, "pictures/cat.png", source="s", source_path="cat.png")
    assert (changed, asset.width, asset.height, asset.media_type) == (True, 30, 20, "image/png")
    kept = assets.stored_path(config, asset.digest)
    assert kept.read_bytes() == picture.read_bytes()
    assert kept.parent.name == asset.digest[:2]
    assert not assets.add_file(config, site, picture, "pictures/cat.png", source="s", source_path="cat.png")[1]
    assets.add_file(config, site, picture, "b/cat.png")
    assert [p for p in config.assets_folder.rglob("*") if p.is_file()] == [kept]
    with pytest.raises(ContentError, match="is taken by a file of the source “s”"):
        assets.add_file(config, site, picture, "pictures/cat.png")


def test_a_rotated_picture_has_its_displayed_size(site: Site, config: Config, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (30, 20)).save(tmp_path / "a.jpg", exif=exif)
    kept = assets.store_file(config, tmp_path / "a.jpg")
    assert (kept.width, kept.height) == (20, 30)


@pytest.mark.parametrize("header", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_a_damaged_picture_is_a_plain_file(config: Config, tmp_path: Path, header: bytes) -> None:
    (tmp_path / "a.png").write_bytes(header)
    kept = assets.store_file(config, tmp_path / "a.png")
    assert (kept.width, kept.size) == (None, len(header))
    assert "kept as a plain file" in kept.note


def test_a_decompression_bomb_is_not_opened(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("1", (300, 300)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert "too many pixels" in assets.store_file(config, tmp_path / "a.png").note


@pytest.mark.parametrize("path", ["", "/x", "../x", "a/../../x", "a\\b", "a\nb", "x" * 300])
def test_a_path_stays_on_the_site(path: str) -> None:
    with pytest.raises(ContentError):
        assets.clean_path(path)

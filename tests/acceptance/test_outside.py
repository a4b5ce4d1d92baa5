"""Nothing is published outside the docroot, whatever is planted in it, in uploads, in names and in what is imported."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from appliance.content import entry_edits, term_edits, terms
from appliance.content.models import Category
from appliance.errors import ContentError
from appliance.importing.markdown.importer import import_folder
from tests.local_site import LocalSite, archive, index, tree
from tests.planning.conftest import OpenSite, open_site  # noqa: F401 - a fixture

MANIFEST = (
    index("index.html")
    + archive("entry", "{category}/{slug}/index.html")
    + archive("category", "in/{category}/index.html")
    + archive("author", "by/{author}/index.html")
)


@pytest.fixture
def shop(open_site: OpenSite) -> LocalSite:  # noqa: F811 - the fixture of above
    return open_site(MANIFEST)


def test_a_folder_that_is_a_link_is_not_published_into(shop: LocalSite, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept.html").write_text("theirs")
    shop.save("One", categories=[["News"]])
    shop.run()
    (shop.docroot / "news" / "one" / "index.html").unlink()
    (shop.docroot / "news" / "one").rmdir()
    (shop.docroot / "news" / "one").symlink_to(outside)
    shop.publish(everything=True, force=True)
    shop.drain(retries=7)
    (fault,) = shop.failed().values()
    assert "news/one is a symbolic link" in fault
    assert tree(outside) == {"kept.html": b"theirs"}
    (shop.docroot / "news" / "one").unlink()
    shop.publish()
    shop.drain()
    assert "One" in shop.text("news/one/index.html")


def test_a_deletion_does_not_follow_a_link(shop: LocalSite, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "index.html").write_text("theirs")
    one = shop.save("One", categories=[["News"]])
    shop.run()
    (shop.docroot / "news" / "one" / "index.html").unlink()
    (shop.docroot / "news" / "one").rmdir()
    (shop.docroot / "news" / "one").symlink_to(outside)
    entry_edits.unpublish(one)
    shop.publish()
    shop.drain()
    assert tree(outside) == {"index.html": b"theirs"}


def test_a_file_that_is_a_link_is_replaced_not_followed(shop: LocalSite, tmp_path: Path) -> None:
    outside = tmp_path / "theirs.html"
    outside.write_text("theirs")
    shop.save("One", categories=[["News"]])
    shop.run()
    page = shop.docroot / "news" / "one" / "index.html"
    page.unlink()
    page.symlink_to(outside)
    shop.run(everything=True)
    assert not page.is_symlink()
    assert "One" in page.read_text()
    assert outside.read_text() == "theirs"


NAMES = ["..", "../../etc", "/etc/passwd", ".", "a/../../b", "\\..\\x", ".htaccess", "\x00nul", "é" * 200, "\ud800"]


@pytest.mark.parametrize("name", NAMES)
def test_names_lead_nowhere_else(shop: LocalSite, name: str) -> None:
    """Of entries, categories and authors: made into one harmless segment, or refused."""
    try:
        entry = entry_edits.add(shop.site, name, "Text.", categories=[[name]], authors=[name], status="published")
        assert "/" not in entry.slug
    except (ContentError, UnicodeEncodeError):
        pass
    with pytest.raises(ContentError):
        entry_edits.add(shop.site, "Plain", "Text.", slug=name if name != "é" * 200 else "../up", status="published")
    shop.publish()
    shop.drain()
    for path in shop.docroot.rglob("*"):
        assert path.resolve().is_relative_to(shop.docroot.resolve())
        assert len(os.fsencode(path.name)) <= 255
    assert {p.name for p in shop.folder.iterdir()} >= {"www", "theme"}
    assert not (shop.folder / "etc").exists()


def test_a_category_cannot_be_renamed_out(shop: LocalSite) -> None:
    found = Category.get_by_id(terms.SiteTerms(shop.site).category_id(["News"]))
    for slug in ("..", "../up", "/up", ".hidden"):
        with pytest.raises(ContentError):
            term_edits.rename(found, slug=slug)


@pytest.mark.parametrize("path", ["../up.txt", "/up.txt", "a/../../up.txt", "a\\b", "", "..", "x" * 256])
def test_an_upload_stays_below_its_site(shop: LocalSite, path: str) -> None:
    with pytest.raises(ContentError):
        shop.upload(path, b"x")


def test_what_is_imported_stays_where_it_is(shop: LocalSite, tmp_path: Path) -> None:
    source, secret = tmp_path / "posts", tmp_path / "secret.txt"
    source.mkdir()
    secret.write_text("secret")
    (source / "one.md").write_text("---\ntitle: One\ndate: 2026-01-01\n---\n![x](link.txt)\n")
    (source / "link.txt").symlink_to(secret)
    (source / "folder").symlink_to(tmp_path)
    os.mkfifo(source / "pipe")
    (source / os.fsdecode(b"caf\xe9.txt")).write_text("latin")
    (source / ("n" * 251 + ".txt")).write_text("long")
    report = import_folder(shop.config, "blog", source)
    assert {"link.txt"} <= {name for name, _ in report.skipped}
    shop.run()
    published = shop.tree()
    assert b"secret" not in b"".join(published.values())
    assert not [name for name in published if "pipe" in name]


def test_a_file_and_a_folder_swap_places(shop: LocalSite) -> None:
    shop.upload("place", b"a file")
    shop.run()
    assert shop.text("place") == "a file"
    asset = shop.upload("place", b"a file")
    from appliance.content import assets

    assets.delete(asset)
    shop.upload("place/inside", b"in a folder")
    shop.publish()
    shop.drain(retries=3)
    assert shop.text("place/inside") == "in a folder"

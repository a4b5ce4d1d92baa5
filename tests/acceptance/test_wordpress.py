"""A real export of WordPress, from its file to a published site."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from appliance import db
from appliance.config import Config
from appliance.content.models import Alias, Category, Comment, Entry, EntryAuthor, EntryCategory, Ping
from appliance.importing import wordpress
from appliance.importing.report import Report
from tests.conftest import DATA
from tests.links import broken_links, pages_in
from tests.local_site import LocalSite, local_site, stamps

EXPORT = DATA / "wordpress" / "themeunittestdata.wordpress.xml"
pytestmark = pytest.mark.skipif(not EXPORT.is_file(), reason=f"{EXPORT} is not there: the export this test publishes")
HOST = "https://blog.example/"
OLD = "https://wpthemetestdata.wordpress.com"
WP = "{https://wordpress.org/export/1.2/}"
TAKEN = {("post", "publish"), ("post", "future"), ("post", "draft"), ("page", "publish")}


class Export:
    """What the file says, read plainly."""

    def __init__(self) -> None:
        self.items = list(ET.parse(EXPORT).getroot().iter("item"))
        self.kinds = Counter((self.said(i, "post_type"), self.said(i, "status")) for i in self.items)

    @staticmethod
    def said(item: ET.Element, name: str) -> str:
        return item.findtext(WP + name) or ""

    def texts(self, *kinds: tuple[str, str]) -> list[ET.Element]:
        return [i for i in self.items if (self.said(i, "post_type"), self.said(i, "status")) in (kinds or TAKEN)]

    def comments(self, kind: str) -> list[ET.Element]:
        return [c for i in self.texts() for c in i.iter(f"{WP}comment") if self.said(c, "comment_type") == kind]


@pytest.fixture(scope="module")
def export() -> Export:
    return Export()


@contextmanager
def opened(folder: Path) -> Iterator[LocalSite]:
    with local_site(folder, sites=[{"theme": "default"}]) as shop:
        yield shop


def take(config: Config) -> Report:
    report = wordpress.import_file(config, "blog", EXPORT)
    assert report.accounted_for == report.files
    return report


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSite]:
    with opened(tmp_path_factory.mktemp("wordpress")) as made:
        made.report = take(made.config)
        (plan,) = made.run()
        assert plan.faults == []
        yield made


def test_every_item_is_accounted_for_by_type_and_status(shop: LocalSite, export: Export) -> None:
    report: Report = shop.report
    assert report.files == len(export.items) == 180
    expected = {(*kind, "added" if kind in TAKEN else "skipped"): count for kind, count in export.kinds.items()}
    assert dict(report.kinds) == expected
    assert report.added == Entry.select().count() == len(export.texts())
    assert len(report.skipped) == 180 - report.added
    assert all(reason for _, reason in report.skipped)
    said = "\n".join(report.lines())
    assert "nav_menu_item, publish: 70 skipped" in said
    assert "caption (12)" in said


def test_every_text_is_what_the_file_says(shop: LocalSite, export: Export) -> None:
    for item in export.texts():
        entry = Entry.get(Entry.source_path == f"post/{export.said(item, 'post_id')}")
        assert entry.kind == {"post": "entry", "page": "page"}[export.said(item, "post_type")]
        name = unquote(export.said(item, "post_name"))
        assert entry.slug == name or not name
        assert entry.title
        secret = export.said(item, "post_password") != ""
        status = {"publish": "published", "future": "scheduled"}.get(export.said(item, "status"), "draft")
        assert entry.status == ("draft" if secret else status)
        assert "<!-- wp:" not in entry.html
        categories = {c.get("nicename") for c in item.iter("category") if c.get("domain") == "category"}
        assert EntryCategory.select().where(EntryCategory.entry == entry).count() == len(categories)
    authors = {row.author.name for row in EntryAuthor.select()}
    assert {"Theme Buster", "Theme Reviewer"} <= authors
    assert "themedemos" not in authors
    (nested,) = Category.select().where(Category.name == "Child 2")
    assert nested.path.count("/") == 2


def test_pages_keep_their_tree(shop: LocalSite) -> None:
    folders = {entry.slug: entry.folder for entry in Entry.select().where(Entry.kind == "page")}
    assert folders["level-3"] == "level-1/level-2"
    assert folders["επίπεδο-3"] == "greek/επίπεδο-2"
    assert folders["page-with-comments"] == "about"


def test_comments_are_threaded_and_pings_are_kept(shop: LocalSite, export: Export) -> None:
    comments = export.comments("")
    assert shop.report.comments["added"] == Comment.select().count() == len(comments)
    pings = export.comments("pingback") + export.comments("trackback")
    assert shop.report.pings["added"] == Ping.select().count() == len(pings)
    assert Counter(row.status for row in Comment.select()) == Counter(
        {"1": "approved", "0": "pending"}[export.said(c, "comment_approved")] for c in comments
    )
    answers = [c for c in comments if export.said(c, "comment_parent") not in ("", "0")]
    assert Comment.select().where(Comment.parent.is_null(is_null=False)).count() == len(answers)
    depth, row = 1, Comment.get(Comment.text.startswith("Comment Depth 10"))
    while row.parent is not None:
        depth, row = depth + 1, row.parent
    assert depth == 10


def test_no_link_is_broken_and_old_addresses_lead_on(shop: LocalSite, export: Export) -> None:
    broken, followed = broken_links(shop.docroot, HOST)
    assert followed > 5000
    assert broken == set()
    texts = {row.source_path: row for row in Entry.select()}
    pages, checked = pages_in(shop.docroot), 0
    for item in export.texts(("post", "publish"), ("page", "publish")):
        if texts[f"post/{export.said(item, 'post_id')}"].status == "published":
            old = unquote(urlsplit(item.findtext("link") or "").path).strip("/")
            assert f"{old}/index.html" in pages
            checked += 1
    assert checked == 69
    texts_linked = "".join(row.html for row in Entry.select())
    assert f'href="{OLD}/' not in texts_linked, "every link between texts is one by id"
    assert Alias.select().count() >= checked - 1


def test_doing_it_all_again_does_nothing(shop: LocalSite) -> None:
    before, journal = stamps(shop.docroot), shop.journal()
    written = db.execute("SELECT total_changes()").fetchone()
    report = take(shop.config)
    assert db.execute("SELECT total_changes()").fetchone() == written
    assert report.changed_nothing
    assert report.unchanged == shop.report.added
    assert report.comments["unchanged"] == shop.report.comments["added"]
    assert report.pings["unchanged"] == shop.report.pings["added"]
    shop.run()
    assert stamps(shop.docroot) == before
    assert shop.journal() == journal

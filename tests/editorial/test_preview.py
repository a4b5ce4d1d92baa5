"""A preview shows an entry as it would be published now, and touches nothing but its folder."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from appliance import db, editorial
from appliance.building.builder import Builder, BuildFunction
from appliance.building.loaders import ArtifactRow
from appliance.content import comments, entry_edits
from appliance.content.models import Comment, Entry
from appliance.errors import ContentError, TemplateFailure
from tests.building.test_pages import picture
from tests.conftest import empty_database
from tests.local_site import LocalSite, archive, index, local_site, stamps, tree

MANIFEST = (
    "[redirect]\n[thumbnails]\nwidths = [20]\n"
    + index("index.html", more="paginate = 2")
    + index("feed.xml", more="feed = true\nentries = 3")
    + index("recent.html", "recent.html")
    + index("about.html", "about.html")
    + archive("entry", "{year}/{slug}.html")
    + archive("page", "{slug}.html")
    + archive("tag", "tag/{tag}.html", more="paginate = 2")
    + archive("yearly", "{year}/index.html")
)
FILES = {
    "entry.html": "<link href=\"{{ static('a.css') }}\">{{ entry.title }}|{{ entry.html }}|"
    "{{ entry.previous.title if entry.previous }}|{{ entry.next.title if entry.next }}",
    "recent.html": "{% for e in site.recent(2) %}{{ e.title }};{% endfor %}",
    "about.html": "{% for p in site.pages() %}{{ p.title }};{% endfor %}",
    "static/a.css": "body { background: url(b.svg) }",
    "static/b.svg": "<svg/>",
}


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalSite]:
    with local_site(tmp_path, MANIFEST, FILES, **empty_database(request)) as made:
        yield made


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[LocalSite]:
    with local_site(tmp_path, MANIFEST, FILES) as made:
        yield made


def filled(shop: LocalSite) -> Entry:
    """Six posts, all published, and a draft whose date lies between the third and the fourth."""
    for n in range(1, 7):
        shop.save(f"Post {n}", f"2026-0{n}-01", slug=f"post-{n}", tags=["a"])
    shop.upload("cat.png", picture(40))
    shop.upload("dog.png", picture(30))
    shop.run()
    text = 'Hello\n\n<img src="/cat.png" srcset="/cat-20w.png 20w, /cat.png 40w">'
    draft = shop.save("Draft", "2026-03-15", tags=["a", "new"], status="draft", text=text)
    shop.run()
    return draft


def state(shop: LocalSite) -> list[object]:
    """What is in the database and the docroot."""
    tables = ("entry", "change", "artifact", "job", "job_trigger", "publication", "reading", "planned", "tag", "answer")
    rows = [db.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in tables]
    return [rows, stamps(shop.docroot)]


def files(shop: LocalSite) -> dict[str, str]:
    found = tree(shop.folder / "preview")
    del found[".preview"]
    return {path: content.decode("utf-8", "replace") for path, content in found.items()}


def test_a_draft_and_the_pages_that_would_show_it(shop: LocalSite) -> None:
    draft = filled(shop)
    before = state(shop)
    made = editorial.preview_entry(shop.config, "", draft)
    assert state(shop) == before
    shown = files(shop)
    assert set(made) == set(shown)
    assert made[0] == "2026/draft.html"
    pages = {path: text for path, text in shown.items() if path.endswith(("html", "xml"))}
    assert set(pages) == {
        "2026/draft.html", "2026/post-3.html", "2026/post-4.html", "2026/index.html", "page/3/index.html",
        "tag/new.html", "tag/page/3/index.html",
    }  # fmt: skip
    assert pages["page/3/index.html"] == "Post 4;Draft;Post 3;"
    assert pages["tag/new.html"] == "Draft;"
    assert pages["2026/draft.html"].endswith("|Post 3|Post 4")
    assert pages["2026/post-4.html"].endswith("|Draft|Post 5")


def test_referenced_files_are_included(shop: LocalSite) -> None:
    draft = filled(shop)
    editorial.preview_entry(shop.config, "", draft)
    others = {path for path in files(shop) if not path.endswith(("html", "xml"))}
    assert others == {"theme/a.css", "theme/b.svg", "cat.png", "cat-20w.png"}
    assert (shop.folder / "preview" / "cat.png").read_bytes() == (shop.docroot / "cat.png").read_bytes()


def test_a_page_that_refers_to_no_file(shop: LocalSite) -> None:
    shutil.rmtree(shop.folder / "theme" / "static")
    (shop.folder / "theme" / "entry.html").write_text("{{ entry.title }}", "utf-8")
    shop.save("Draft", status="draft")
    assert editorial.preview_entry(shop.config, "", "draft")[0] == "2026/draft.html"


def test_a_newest_entry_is_on_the_front_page_and_in_feeds(plain: LocalSite) -> None:
    filled(plain)
    plain.save("Newest", "2026-08-01", status="draft")
    editorial.preview_entry(plain.config, "", "newest")
    shown = files(plain)
    assert shown["index.html"] == "Newest;Post 6;Post 5;"
    assert shown["feed.xml"] == "Newest;Post 6;Post 5;"
    assert shown["recent.html"] == "Newest;Post 6;"
    assert "about.html" not in shown


def test_a_scheduled_entry_is_shown_as_published(plain: LocalSite) -> None:
    filled(plain)
    later = entry_edits.add(plain.site, "Later", "Text")
    entry_edits.schedule(later, int(db.now()) + 400 * 86400)
    made = editorial.preview_entry(plain.config, "", later)
    assert files(plain)["index.html"].startswith("Later;")
    assert Entry.get_by_id(later.id).status == "scheduled"
    assert not made[0].startswith("preview")


def test_a_published_entry_is_shown_with_what_is_not_published_of_it(plain: LocalSite) -> None:
    filled(plain)
    entry_edits.edit(Entry.get(Entry.slug == "post-6"), title="Better")
    before = plain.tree()
    editorial.preview_entry(plain.config, "", "post-6")
    assert files(plain)["index.html"] == "Better;Post 5;"
    assert plain.tree() == before
    plain.run()
    assert plain.text("index.html") == "Better;Post 5;"


def test_a_page_is_shown_with_the_lists_of_pages(plain: LocalSite) -> None:
    filled(plain)
    plain.save("Contact", kind="page", status="draft")
    made = editorial.preview_entry(plain.config, "", "contact")
    assert [path for path in made if path.endswith("html")] == ["contact.html", "about.html"]
    assert files(plain)["about.html"] == "Contact;"


def test_a_site_that_was_never_published(plain: LocalSite) -> None:
    draft = plain.save("First", "2026-01-01", status="draft")
    editorial.preview_entry(plain.config, "", draft)
    assert files(plain)["index.html"] == "First;"
    assert db.execute("SELECT COUNT(*) FROM artifact").fetchone()[0] == 0
    assert [kind for (kind,) in db.execute("SELECT kind FROM job")] == ["plan"], "for the draft that was saved"


def test_a_site_below_a_folder_lies_where_its_addresses_lead(tmp_path: Path) -> None:
    with local_site(tmp_path, MANIFEST, FILES, sites=[{"url": "https://blog.example/b/", "folder": "in"}]) as shop:
        draft = shop.save("Draft", "2026-01-01", status="draft")
        made = editorial.preview_entry(shop.config, "", draft)
        assert made[0] == "b/2026/draft.html"
        assert {"b/theme/a.css", "b/index.html"} <= set(files(shop))


def test_the_next_preview_takes_the_place_of_the_last(plain: LocalSite) -> None:
    draft = filled(plain)
    editorial.preview_entry(plain.config, "", draft)
    (plain.folder / "preview" / "mine.txt").write_text("kept", "utf-8")
    editorial.preview_entry(plain.config, "", "post-1")
    shown = files(plain)
    assert "2026/draft.html" not in shown
    assert {"2026/post-1.html", "mine.txt"} <= set(shown)
    assert not [folder for folder, below, names in os.walk(plain.folder / "preview") if not below and not names]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("www", "overlaps the docroot"), ("www/preview", "overlaps the docroot"), (".", "overlaps the docroot"),
        ("theme/preview", "overlaps the theme"), ("mirror/x", "overlaps the target mirror"),
        ("full", "contains files of others"), ("file", "is a file"),
    ],
)  # fmt: skip
def test_a_folder_that_is_used_is_refused(tmp_path: Path, name: str, sentence: str) -> None:
    target = {"name": "mirror", "address": str(tmp_path / "mirror"), "other_path": True}
    with local_site(tmp_path, MANIFEST, FILES, targets=[target]) as shop:
        draft = shop.save("Draft", status="draft")
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "diary.txt").write_text("mine", "utf-8")
        (tmp_path / "file").write_text("mine", "utf-8")
        before = tree(tmp_path / "full")
        with pytest.raises(ContentError, match=sentence):
            editorial.preview_entry(shop.config, "", draft, tmp_path / name)
        assert tree(tmp_path / "full") == before


def test_a_forged_list_removes_nothing_outside(plain: LocalSite) -> None:
    draft = plain.save("Draft", status="draft")
    (plain.folder / "preview").mkdir()
    (plain.folder / "preview" / ".preview").write_text("../appliance.db\n/etc/hostname\n", "utf-8")
    database = next(plain.folder.glob("*.db"))
    editorial.preview_entry(plain.config, "", draft)
    assert database.exists()


def test_an_entry_whose_address_is_taken_cannot_be_shown(plain: LocalSite) -> None:
    plain.upload("2026/two.html", b"an upload")
    plain.run()
    draft = plain.save("Two", "2026-01-02", status="draft", address="2026/two.html")
    with pytest.raises(ContentError, match=r"“Two” cannot be shown: .* would both be published as “2026/two.html”"):
        editorial.preview_entry(plain.config, "", draft)


def test_a_template_that_fails_leaves_the_last_preview(plain: LocalSite) -> None:
    draft = filled(plain)
    editorial.preview_entry(plain.config, "", draft)
    before = files(plain)
    (plain.folder / "theme" / "entry.html").write_text("{{ entry.nothing }}", "utf-8")
    with pytest.raises(TemplateFailure, match=r"entry\.html, line 1"):
        editorial.preview_entry(plain.config, "", draft)
    assert files(plain) == before


def test_a_comment_does_not_wait_for_a_preview(shop: LocalSite, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = filled(shop)
    published = Entry.get(Entry.slug == "post-3")
    commented: list[bool] = []

    def comment() -> None:
        comments.add(published, "Reader", "Meanwhile")
        commented.append(True)
        db.disconnect()

    def load(builder: Builder, artifacts: Iterable[ArtifactRow]) -> dict[str, BuildFunction]:
        if not commented:
            thread = threading.Thread(target=comment)
            thread.start()
            thread.join(5)
            assert commented, "it waits"
        return real(builder, artifacts)

    real = Builder.load
    monkeypatch.setattr(Builder, "load", load)
    assert editorial.preview_entry(shop.config, "", draft)[0] == "2026/draft.html"
    assert [comment.author_name for comment in Comment.select()] == ["Reader"]


def test_a_theme_that_was_changed_and_not_planned_yet(shop: LocalSite) -> None:
    draft = filled(shop)
    manifest = (shop.folder / "theme" / "theme.toml").read_text("utf-8")
    (shop.folder / "theme" / "theme.toml").write_text(manifest.replace("{year}/{slug}", "new/{slug}"), "utf-8")
    before = state(shop)
    assert editorial.preview_entry(shop.config, "", draft)[0] == "new/draft.html"
    assert state(shop) == before


def test_a_site_that_was_never_planned(plain: LocalSite) -> None:
    draft = plain.save("Draft", status="draft")
    assert editorial.preview_entry(plain.config, "", draft)[0] == "2026/draft.html"
    assert plain.paths() == []


def test_an_upload_that_is_not_planned_yet(shop: LocalSite) -> None:
    draft = filled(shop)
    shop.upload("new.png", picture(50))
    entry_edits.edit(draft, text="![new](/new.png)")
    assert "new.png" in editorial.preview_entry(shop.config, "", draft)

"""Several artifacts that want one path, and files where others need a folder: one gives way, all else is published."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from appliance import db, publishing
from appliance.content import assets, entries, entry_edits
from appliance.content.models import Entry
from appliance.errors import ContentError
from appliance.planning import artifact_sync, path_claims
from appliance.planning.plan import Plan
from tests.local_site import LocalSite, archive, index
from tests.planning.conftest import OpenSite

MONTHS = (
    '[static]\npath = ""\n[redirect]\n'
    + index("index.html")
    + index("404.html", "entry404.html")
    + archive("entry", "{year}/{month}/{slug}/index.html")
    + archive("page", "{folder}/{slug}/index.html")
    + archive("monthly", "{year}/{month}/index.html")
    + archive("tag", "tags/{tag}/index.html")
)
FILES = {"static/robots.txt": "the theme's", "entry404.html": "the theme's"}


def faults_of(plans: list[Plan]) -> list[str]:
    return [said for plan in plans for said in (*plan.notes, *plan.faults)]


def published(shop: LocalSite) -> list[str]:
    return sorted(path for path in shop.tree() if path not in ("index.html", "robots.txt", "404.html"))


def test_two_names_in_one_month_get_a_number(open_site: OpenSite) -> None:
    shop = open_site(MONTHS, FILES)
    shop.save("First", "2024-05-01", slug="notes", source="posts", source_path="2024-05-01-notes.md")
    shop.run()
    shop.save("Second", "2024-05-20", slug="notes", source="posts", source_path="2024-05-20-notes.md")
    shop.save("Third", "2024-06-01")
    (note,) = faults_of(shop.run())
    assert note == (
        "the entry “Second” (2024-05-20-notes.md) is published as “2024/05/notes-2/index.html”, since the entry"
        " “First” (2024-05-01-notes.md) is at “2024/05/notes/index.html”"
    )
    assert "First" in shop.text("2024/05/notes/index.html")
    assert "Second" in shop.text("2024/05/notes-2/index.html")
    assert "2024/06/third/index.html" in published(shop)
    assert faults_of(shop.run()) == [], "it is told once"


def test_who_has_an_address_keeps_it(open_site: OpenSite) -> None:
    """An older entry that moves into the month, and one that was there before, do not take it."""
    shop = open_site(MONTHS, FILES)
    older = shop.save("Older", "2024-04-01", slug="notes")
    shop.save("Holder", "2024-05-20", slug="notes")
    shop.run()
    shop.save("Older", "2024-05-01", slug="notes", entry=older)
    shop.run()
    assert "Holder" in shop.text("2024/05/notes/index.html")
    assert "Older" in shop.text("2024/05/notes-2/index.html")


@pytest.mark.parametrize("gone", [True, False])
def test_a_number_stays_when_the_other_one_goes(open_site: OpenSite, gone: bool) -> None:
    shop = open_site(MONTHS, FILES)
    first = shop.save("First", "2024-05-01", slug="notes")
    second = shop.save("Second", "2024-05-20", slug="notes")
    shop.run()
    if gone:
        entries.delete(first)
    else:
        shop.save("First", "2024-05-01", slug="other", entry=first)
    shop.save("Renamed", "2024-05-21", slug="notes", entry=second)
    shop.run()
    assert "Renamed" in shop.text("2024/05/notes-2/index.html")
    shop.save("Third", "2024-05-22", slug="notes")
    assert faults_of(shop.run()) == []
    assert "Third" in shop.text("2024/05/notes/index.html")
    again = shop.save("Fourth", "2024-05-23", slug="notes")
    shop.run()
    assert "Fourth" in shop.text("2024/05/notes-3/index.html")
    shop.save("Fourth", "2024-07-23", slug="notes", entry=again)
    shop.run()
    assert "Fourth" in shop.text("2024/07/notes/index.html"), "elsewhere it needs no number"


def test_many_of_one_name(open_site: OpenSite) -> None:
    shop = open_site(MONTHS, FILES)
    for n in range(12):
        shop.save(f"Post {n}", f"2024-05-{n + 1:02}", slug="notes")
    plans = shop.run()
    assert len(faults_of(plans)) == 11
    assert "Post 11" in shop.text("2024/05/notes-12/index.html")


def test_a_number_needs_no_whole_planning(open_site: OpenSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once given, it is like any other name: a large site with a clash is not looked at whole for every edit."""
    shop = open_site(MONTHS, FILES)
    shop.save("First", "2024-05-01", slug="notes")
    second = shop.save("Second", "2024-05-20", slug="notes")
    shop.upload("robots.txt", b"mine")
    shop.save("Lost", kind="page", address="404.html")
    shop.run()
    monkeypatch.setattr(artifact_sync, "sync_site", None)
    shop.save("Second", "2024-05-22", slug="notes", entry=second)
    shop.save("Third", "2024-05-23")
    shop.run()
    assert "Second" in shop.text("2024/05/notes-2/index.html")
    assert (shop.text("robots.txt"), "Lost" in shop.text("404.html")) == ("mine", True)


def test_an_address_of_its_own_comes_before_a_name(open_site: OpenSite) -> None:
    shop = open_site(MONTHS, FILES)
    shop.save("Named", "2024-05-20", slug="notes")
    shop.run()
    shop.save("Own", "2020-01-01", address="2024/05/notes")
    shop.run()
    assert "Own" in shop.text("2024/05/notes/index.html")
    assert "Named" in shop.text("2024/05/notes-2/index.html")


def test_a_page_and_an_entry_of_one_path(open_site: OpenSite) -> None:
    shop = open_site(MONTHS, FILES)
    shop.save("Entry", "2024-05-20", slug="notes")
    shop.save("Page", kind="page", folder="2024/05", slug="notes")
    assert len(faults_of(shop.run())) == 1
    assert {"Entry", "Page"} == {
        shop.text(f"2024/05/{name}/index.html").partition("|")[0] for name in ("notes", "notes-2")
    }


def test_an_upload_comes_before_a_name(open_site: OpenSite) -> None:
    shop = open_site(MONTHS, FILES)
    shop.save("Named", "2024-05-20", slug="notes")
    shop.run()
    shop.upload("2024/05/notes/index.html", b"mine")
    shop.run()
    assert shop.text("2024/05/notes/index.html") == "mine"
    assert "Named" in shop.text("2024/05/notes-2/index.html")


def _robots(shop: LocalSite) -> Callable[[], object]:
    asset = shop.upload("robots.txt", b"mine")
    return lambda: assets.delete(asset)


def _lost(shop: LocalSite) -> Callable[[], object]:
    page = shop.save("mine", kind="page", address="404.html")
    return lambda: entries.delete(page)


def _home(shop: LocalSite) -> Callable[[], object]:
    page = shop.save("mine", kind="page", address="index.html")
    return lambda: entry_edits.edit(page, status="draft")


@pytest.mark.parametrize(
    ("add", "path", "first"),
    [(_robots, "robots.txt", True), (_robots, "robots.txt", False), (_lost, "404.html", True),
     (_lost, "404.html", False), (_home, "index.html", False)],
)  # fmt: skip
def test_an_authors_file_quietly_beats_the_themes(
    open_site: OpenSite, add: Callable[[LocalSite], Callable[[], object]], path: str, first: bool
) -> None:
    shop = open_site(MONTHS, FILES)
    shop.save("Post")
    if first:
        shop.run()
    go = add(shop)
    assert faults_of(shop.run()) == []
    assert "mine" in shop.text(path)
    shop.save("Another")
    shop.run(everything=True, force=True)
    assert "mine" in shop.text(path)
    go()
    assert faults_of(shop.run()) == []
    assert "mine" not in shop.text(path)


def test_an_upload_named_like_a_smaller_copy_of_a_picture(open_site: OpenSite) -> None:
    from tests.building.test_pages import picture

    shop = open_site(MONTHS + "[thumbnails]\nwidths = [20]\n", FILES)
    shop.upload("a.png", picture(40))
    shop.run()
    mine = shop.upload("a-20w.png", b"mine")
    assert faults_of(shop.run()) == []
    assert shop.tree()["a-20w.png"] == b"mine"
    assets.delete(mine)
    shop.run()
    assert shop.tree()["a-20w.png"] != b"mine"


def test_a_page_beats_a_listing_which_is_told(open_site: OpenSite) -> None:
    shop = open_site(MONTHS, FILES)
    shop.save("Post", tags=["red"])
    shop.save("Page", kind="page", folder="tags", slug="red")
    (fault,) = faults_of(shop.run())
    assert "the tag “red” and the page “Page” would both be published as “tags/red/index.html”" in fault
    assert "Page" in shop.text("tags/red/index.html")
    assert "2026/11/post/index.html" in published(shop)


def test_a_redirect_gives_way(open_site: OpenSite) -> None:
    shop = open_site(MONTHS, FILES)
    shop.save("Post", aliases=["about", "robots.txt"])
    shop.save("About", kind="page")
    faults = faults_of(shop.run())
    assert len(faults) == 2
    assert "About" in shop.text("about/index.html")
    assert shop.text("robots.txt") == "the theme's"


@pytest.mark.parametrize("first", ["file", "folder", "both"])
def test_an_authors_file_beats_a_folder_of_the_theme(open_site: OpenSite, first: str) -> None:
    shop = open_site(MONTHS, FILES)
    if first == "folder":
        shop.save("Post", tags=["red"])
        shop.run()
    shop.upload("tags", b"mine")
    if first == "file":
        shop.run()
    if first != "folder":
        shop.save("Post", tags=["red"])
    shop.publish()
    shop.drain(retries=3)
    assert shop.failed() == {}
    assert shop.text("tags") == "mine"
    assert "2026/11/post/index.html" in published(shop)


def test_names_that_differ_in_case_or_in_unicodes_spelling_are_two(open_site: OpenSite) -> None:
    shop = open_site(MONTHS, FILES)
    for slug in ("notes", "Notes", "caf\u00e9", "cafe\u0301"):
        shop.save(slug, "2024-05-01", slug=slug)
    assert faults_of(shop.run()) == []
    assert len([path for path in shop.tree() if path.startswith("2024/05/") and path.count("/") == 3]) == 4


def test_a_pattern_without_a_name_publishes_the_first(open_site: OpenSite) -> None:
    shop = open_site(index("index.html") + archive("entry", "{year}/{month}/index.html"))
    shop.save("First", "2024-05-01")
    shop.save("Second", "2024-05-02")
    shop.save("Third", "2024-06-02")
    (fault,) = faults_of(shop.run())
    assert "“Second”" in fault
    assert sorted(shop.tree()) == ["2024/05/index.html", "2024/06/index.html", "index.html"]


def test_a_slug_too_long_for_a_number(open_site: OpenSite) -> None:
    shop = open_site(MONTHS, FILES)
    for n in (1, 2):
        shop.save(f"Post {n}", f"2024-05-0{n}", slug="x" * 254)
    shop.save("Third")
    (fault,) = faults_of(shop.run())
    assert "“Post 2”" in fault
    assert "2026/11/third/index.html" in published(shop)


TWO = [{"name": "main"}, {"name": "sub", "folder": "sub", "url": "https://blog.example/sub/"}]


@pytest.mark.parametrize("first", ["main", "sub"])
def test_the_nearer_site_has_the_path_whoever_came_first(open_site: OpenSite, first: str) -> None:
    shop = open_site(MONTHS, FILES, sites=TWO)
    sub = type(shop.site).get(name="sub")
    mine, theirs = {"title": "Mine", "address": "sub/page.html"}, {"title": "Theirs", "address": "page.html"}
    for site, entry in ((shop.site, mine), (sub, theirs))[:: 1 if first == "main" else -1]:
        shop.save(site=site, **entry)
        publishing.publish(shop.config, [site.name])
        shop.drain()
    assert "Theirs" in shop.text("sub/page.html")
    assert any("“Mine”" in fault for fault in faults_of(shop.run()))
    entries.delete(Entry.get(Entry.title == "Theirs"))
    shop.run()
    assert "Mine" in shop.text("sub/page.html")


def test_a_file_named_like_another_sites_folder(open_site: OpenSite) -> None:
    shop = open_site(MONTHS, FILES, sites=TWO)
    sub = type(shop.site).get(name="sub")
    shop.upload("sub", b"a file")
    publishing.publish(shop.config, ["main"])
    shop.drain()
    shop.save("Theirs", site=sub)
    shop.publish()
    shop.drain(retries=4)
    assert shop.failed() == {}
    assert "Theirs" in shop.text("sub/2026/11/theirs/index.html")


def test_a_refused_site_keeps_no_other_back(open_site: OpenSite) -> None:
    shop = open_site(MONTHS, FILES, sites=TWO)
    sub = type(shop.site).get(name="sub")
    for n in range(60):
        shop.save(f"Post {n}", site=sub)
    shop.run()
    Entry.delete().where(Entry.site == sub).execute()
    entries.record(sub, "theme edited", "site", sub.id)
    shop.save("Mine")
    with pytest.raises(ContentError, match="files of the site sub"):
        shop.publish()
    shop.drain()
    assert "2026/11/mine/index.html" in shop.tree()


def test_what_is_left_out_is_known_afterwards(open_site: OpenSite) -> None:
    from appliance.planning.faults import recorded_faults

    shop = open_site(MONTHS, FILES)
    shop.save("First", address="same")
    shop.save("Second", address="same/index.html")
    faults = faults_of(shop.run())
    assert recorded_faults(["blog"]) == faults
    entries.delete(Entry.get(Entry.title == "First"))
    shop.run()
    assert recorded_faults(["blog"]) == []


def test_all_that_is_claimed_has_a_place(open_site: OpenSite, tmp_path: Path) -> None:
    """However many clash, every entry is published once."""
    shop = open_site(MONTHS, FILES)
    for n in range(9):
        shop.save(f"Post {n}", f"2024-05-0{n + 1}", slug=("a", "a-2", "a-3")[n % 3])
    shop.run()
    rows = list(path_claims.named_claims(shop.site, shop.theme))
    assert len(rows) == 9
    paths = [spec.spec.path for spec in rows]
    assert len(set(paths)) == 9
    held = dict(db.execute("SELECT path, subject FROM artifact WHERE wanted AND type = 'entry'").fetchall())
    assert held == {spec.spec.path: spec.spec.subject for spec in rows}

"""A real blog, from its folder to two front ends, and what an editor does to it afterwards."""

from __future__ import annotations

import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from appliance.demo.frontend import FrontEnd
from tests.acceptance.conftest import Shell
from tests.conftest import DATA
from tests.links import broken_links
from tests.local_site import stamps, tree

BLOG = DATA / "rust-blog"
pytestmark = pytest.mark.skipif(not BLOG.is_dir(), reason=f"{BLOG} is not there: the real blog this test publishes")
HOST = "https://blog.example/"
ATOM = "{http://www.w3.org/2005/Atom}"
SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"


class Blog(Shell):
    """The installation with its source, a copy, and its front ends."""

    def __init__(self, folder: Path, fronts: list[FrontEnd]) -> None:
        super().__init__(folder)
        self.fronts = fronts
        self.source = folder / "source"
        shutil.copytree(BLOG, self.source)
        self.deliver_to(fronts)
        text = (folder / "appliance.toml").read_text()
        (folder / "appliance.toml").write_text(text.replace("./theme", "default"))

    def whole_round(self) -> str:
        """Import, publish, drain; returns what was said."""
        said = self.run("content.import", "source").stdout + self.run("publish").stdout
        return said + self.run("drain", "--workers", "2", "--verbose").stdout

    def everywhere(self) -> dict[str, bytes]:
        """The docroot, which both front ends must equal."""
        whole = tree(self.docroot)
        for front in self.fronts:
            assert tree(front.docroot) == whole
        return whole


@pytest.fixture(scope="module")
def blog(front_ends: tuple[Path, list[FrontEnd]]) -> Iterator[Blog]:
    folder, fronts = front_ends
    made = Blog(folder / "site", fronts)
    said = made.whole_round()
    assert "794 files in" in said
    assert "0 failed" in made.run("status").stdout
    yield made


def test_every_file_is_on_both_front_ends(blog: Blog) -> None:
    whole = blog.everywhere()
    wanted = {path for (path,) in blog.ask("SELECT path FROM artifact WHERE wanted")}
    assert set(whole) == wanted
    assert len(wanted) > 2000
    (posts,) = blog.ask("SELECT COUNT(*) FROM entry WHERE status = 'published'")[0]
    (permalinks,) = blog.ask(
        "SELECT COUNT(*) FROM artifact WHERE wanted AND is_permalink AND type IN ('entry', 'page')"
    )[0]
    assert posts == permalinks >= 750
    for path, version in blog.ask("SELECT path, version FROM artifact WHERE wanted"):
        for place in (blog.docroot, *(front.docroot for front in blog.fronts)):
            assert int((place / path).stat().st_mtime) == version


def test_no_link_is_broken_that_is_not_broken_in_the_source(blog: Blog) -> None:
    rows = blog.ask("SELECT a.path, e.source_path FROM artifact a JOIN entry e ON a.type = e.kind AND e.id = a.subject")
    sources = dict(rows)
    broken, checked = broken_links(blog.docroot, HOST)
    assert checked > 20_000
    unexplained = {(name, link) for name, link in broken if not missing_in_source(blog.source, sources.get(name), link)}
    assert unexplained == set()


def missing_in_source(source: Path, post: str | None, link: str) -> bool:
    """Whether a post's own text says `link`, and the folder has nothing that it could mean."""
    if post is None or link not in (source / post).read_text("utf-8"):
        return False
    path = unquote(urlsplit(link).path)
    stem = re.sub(r"(\.html|\.md)?/?$", "", path.lstrip("/"))
    beside = (source / post).parent
    places = [base / (name + ending) for base in (beside, source) for name in (path.lstrip("/"), stem)
              for ending in ("", ".md", "/index.md")]  # fmt: skip
    places.append(source / f"{Path(stem).name}.md")
    return not any(place.is_file() for place in places if place != source / post)


def test_the_feed_and_the_sitemap(blog: Blog) -> None:
    feed = ET.parse(blog.docroot / "feed.xml").getroot()
    entries = feed.findall(f"{ATOM}entry")
    assert len(entries) == 20
    updated = []
    for entry in entries:
        (link,) = [e.get("href", "") for e in entry.findall(f"{ATOM}link") if e.get("rel", "alternate") == "alternate"]
        assert (blog.docroot / unquote(link.removeprefix(HOST)) / "index.html").is_file()
        assert entry.findtext(f"{ATOM}title")
        assert not re.search(r'(?:href|src)="/', entry.findtext(f"{ATOM}content") or "")
        updated.append(datetime.fromisoformat(entry.findtext(f"{ATOM}published") or ""))
    assert updated == sorted(updated, reverse=True)
    sitemap = ET.parse(blog.docroot / "sitemap.xml").getroot()
    places = [e.text or "" for e in sitemap.iter(f"{SITEMAP}loc")]
    assert len(places) == len(set(places)) > 750
    for place in places:
        assert (blog.docroot / unquote(place.removeprefix(HOST)) / "index.html").is_file()
    permalinks = blog.ask("SELECT path FROM artifact WHERE wanted AND is_permalink AND type IN ('entry', 'page')")
    found = {unquote(place.removeprefix(HOST)) + "index.html" for place in places}
    assert {path for (path,) in permalinks if path.endswith("/index.html")} <= found


def test_doing_it_all_again_does_nothing(blog: Blog) -> None:
    places = [blog.docroot, *(front.docroot for front in blog.fronts)]
    before, journal = [stamps(place) for place in places], blog.published()
    cursors = blog.ask("SELECT target, publication, pushed_at FROM cursor ORDER BY target")
    said = blog.whole_round()
    assert "nothing to publish" in said
    assert " sent " not in said
    assert [stamps(place) for place in places] == before
    assert blog.published() == journal
    assert [c[:2] for c in blog.ask("SELECT target, publication, pushed_at FROM cursor ORDER BY target")] == [
        c[:2] for c in cursors
    ]


def test_an_edit_a_new_name_and_a_removal_do_exactly_that(blog: Blog) -> None:
    rows = blog.ask(
        "SELECT e.source_path, a.path FROM entry e JOIN artifact a ON a.type = e.kind AND a.subject = e.id AND a.wanted"
        " WHERE e.kind = 'entry' AND e.source_path NOT LIKE '%/%' ORDER BY e.published_at"
    )
    (edited, edited_at), (renamed, renamed_at), (removed, removed_at) = rows[100], rows[200], rows[300]
    before = blog.everywhere()
    file = blog.source / edited
    file.write_text(file.read_text("utf-8") + "\n\nA sentence nobody had written.\n", "utf-8")
    # Its address is written in it.
    text = re.sub(
        '(?m)^path = "(.*)/.*"$', r'path = "\1/quite-another-name"', (blog.source / renamed).read_text("utf-8")
    )
    (blog.source / renamed).unlink()
    (blog.source / "quite-another-name.md").write_text(text, "utf-8")
    (blog.source / removed).unlink()
    journal = blog.published()
    blog.whole_round()
    after = blog.everywhere()
    assert b"A sentence nobody had written." in after[edited_at]
    assert b"A sentence nobody had written." not in before[edited_at]
    gone, come = set(before) - set(after), set(after) - set(before)
    assert {renamed_at, removed_at} <= gone
    assert any("quite-another-name" in path for path in come)
    changed = {path for path in after if before.get(path) != after[path]}
    assert blog.published() - journal == len(changed) + len(gone), "nothing else was published"
    others = {p for (p,) in blog.ask("SELECT path FROM artifact WHERE wanted AND type IN ('entry', 'page')")}
    # The three, and those that name them: their neighbours, or a text with a link to one.
    assert len(changed & others) < 20

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from appliance import db
from appliance.config import Config
from appliance.content import comments, entries, sites
from appliance.content.entries import EntryData
from appliance.content.models import Change, Comment, Entry, Ping, Site, Tag
from appliance.errors import ContentError
from appliance.exporting.movabletype import entry_format, export
from appliance.importing.markdown.importer import import_folder
from appliance.importing.movabletype import import_file
from appliance.importing.movabletype.entry_mapping import split_tags
from tests.conftest import DATA
from tests.local_site import moment


@pytest.fixture
def site(config: Config) -> Site:
    return sites.sync(config)["blog"]


def written(config: Config, site: str = "blog") -> str:
    out = io.StringIO()
    export(config, site, out)
    return out.getvalue()


def add(site: Site, title: str = "One", day: str = "2026-03-04T05:06:07", **data: Any) -> Entry:
    slug = data.pop("slug", title.lower().replace(" ", "-"))
    return entries.save(site, EntryData(title=title, slug=slug, published_at=moment(day), **data))[0]


def empty() -> None:
    """Leave nothing but the sites."""
    for table in ("ping", "comment", "alias", "entry_author", "entry_category", "entry_tag", "entry", "tag", "category",
                  "author", "change"):  # fmt: skip
        db.execute(f"DELETE FROM {table}")


def again(config: Config, first: str, file: Path) -> str:
    """What a site exports into which `first` was imported."""
    file.write_bytes(first.encode())
    empty()
    if first:
        report = import_file(config, "blog", file)
        assert report.accounted_for == report.files == report.added, report.lines()
        assert import_file(config, "blog", file).changed_nothing
    return written(config)


def test_an_entry_with_everything(config: Config, site: Site) -> None:
    row = add(
        site, "Hello  World", status="draft", format="html", text="<p>a</p>\n<!--more-->\n<p>b</p>", slug="hello",
        excerpt="*Short*", allow_comments=False, authors=["Ida", "Bo"], tags=["plain", "two words", "a,b", '12" disc'],
        categories=[["News", "Local"], ["Sport"], ["Art"]], address="old/hello.html",
        extra={"keywords": "k1, k2", "allow_pings": True, "image": "https://x.example/a.png", "CF50_SUB": "x\ny",
               "private_tags": ["@later"], "nested": {"not": "written"}},
    )  # fmt: skip
    comments.add_imported(
        row, "Eve", "URL: <b> & all\n-----\n> yes", email="eve@x.example", url="https://x.example/", created_at=0
    )
    comments.add_imported(row, "Mallory", "buy", status="spam", created_at=1)
    Ping.create(entry=row, title="T", url="https://p.example/", blog_name="B", ip="192.0.2.1", text="said\n", at=43200)
    add(site, "About", kind="page")
    out = io.StringIO()
    counts = export(config, "blog", out)
    assert out.getvalue() == (
        "AUTHOR: Ida\nTITLE: Hello World\nBASENAME: hello\nSTATUS: Draft\nALLOW COMMENTS: 0\nCONVERT BREAKS: 0\n"
        "ALLOW PINGS: 1\nUNIQUE URL: https://blog.example/old/hello.html\nPRIMARY CATEGORY: Local\nCATEGORY: Local\n"
        "CATEGORY: Art\nCATEGORY: Sport\nDATE: 03/04/2026 05:06:07 AM\n"
        'TAGS: plain,"two words","a,b",\'12" disc\',@later\nIMAGE: https://x.example/a.png\n-----\n'
        "BODY:\n<p>a</p>\n-----\nEXTENDED BODY:\n<p>b</p>\n-----\nEXCERPT:\n<p><em>Short</em></p>\n-----\n"
        "KEYWORDS:\nk1, k2\n-----\nCF50_SUB:\nx\ny\n-----\n"
        "COMMENT:\nAUTHOR: Eve\nEMAIL: eve@x.example\nIP: \nURL: https://x.example/\nDATE: 01/01/1970 12:00:00 AM\n"
        "&#85;RL: &lt;b> &amp; all\n----- \n> yes\n-----\n"
        "PING:\nTITLE: T\nURL: https://p.example/\nIP: 192.0.2.1\nBLOG NAME: B\nDATE: 01/01/1970 12:00:00 PM\nsaid\n"
        "-----\n--------\n"
    )
    assert (counts.entries, counts.comments, counts.pings, counts.skipped_pages, counts.skipped_comments) == (
        1,
        1,
        1,
        1,
        1,
    )
    assert counts.lines() == [
        "1 entries, 1 comments, 1 pings",
        "  1 pages not written: the format has none",
        "  1 comments not written: they are not approved",
    ]


def test_an_import_restores_the_entry(config: Config, site: Site, tmp_path: Path) -> None:
    text = "Title\n-----\n\n```\n--------\nBODY:\n-----  \n```\n<!-- more -->\n\n    code\n"
    row = add(site, text=text, authors=["Ida"], categories=[["Art"]], tags=["b", "a"], address="2026/one.html")
    comments.add_imported(row, "Eve", "AUTHOR: me\n\n&lt;\n-----", created_at=7)
    kept = ("title", "slug", "status", "format", "html", "excerpt", "summary", "published_at", "address")
    before = {name: getattr(Entry.get(), name) for name in kept}
    said = Comment.select(Comment.text, Comment.html, Comment.created_at).dicts().get()
    first = written(config)
    assert again(config, first, tmp_path / "mt.txt") == first
    assert {name: getattr(Entry.get(), name) for name in kept} == before
    assert Comment.select(Comment.text, Comment.html, Comment.created_at).dicts().get() == said
    assert [tag.name for tag in Tag.select().order_by(Tag.id)] == ["b", "a"]


@pytest.mark.parametrize(
    ("text", "format", "parts"),
    [
        ("a\n\n<!-- more -->\n\nb", "markdown", ("a", "b")),
        ("a\n<!--more-->\n    b", "markdown", ("a", "    b")),
        ("a <!-- more --> b", "markdown", ("a <!-- more --> b", "")),
        ("```\n<!-- more -->\n```\nb", "markdown", ("```\n<!-- more -->\n```\nb", "")),
        ("- a\n\n  <!-- more -->\n\n  b", "markdown", ("- a\n\n  <!-- more -->\n\n  b", "")),
        ("<!-- more -->\n\nb", "markdown", ("<!-- more -->\n\nb", "")),
        ("<p>a</p><!--more--><p>b</p>", "html", ("<p>a</p>", "<p>b</p>")),
        ("a<!--more-->b", "html", ("a<!--more-->b", "")),
        ("a\r\n<!--more-->\r\nb\rc", "html", ("a", "b\nc")),
    ],
)
def test_where_a_text_is_split(text: str, format: str, parts: tuple[str, str]) -> None:
    assert entry_format.split_at_more(Entry(text=text, format=format)) == parts


@given(st.text(st.sampled_from("ab,\"' @"), min_size=1).map(entry_format.single_line).filter(bool))
@example("a,\"b\" 'c'")
@example("'tis")
def test_any_tag_can_be_written(name: str) -> None:
    assert split_tags(f"first,{entry_format.quote_tag(name)},last") == list(dict.fromkeys(["first", name, "last"]))


def test_the_authors_own_summary_is_told_from_the_beginning_of_the_text(config: Config, site: Site) -> None:
    add(site, "A", text="Beginning.", format="html")
    add(site, "B", text="Beginning.", excerpt="Own.")
    assert re.findall(r"EXCERPT:\n(.*)", written(config)) == ["", "<p>Own.</p>"]


def test_a_summary_leaves_out_links_only_this_site_can_follow(config: Config, site: Site) -> None:
    row = add(site, text="[x](y.md)", excerpt="own")
    Entry.update(late_bound=True, excerpt='<p>own <a href="appliance:entry/7">x</a></p>').where(
        Entry.id == row.id
    ).execute()
    assert "EXCERPT:\n<p>own x</p>\n" in written(config)


def test_categories_that_become_one_have_one_name(config: Config, site: Site, tmp_path: Path) -> None:
    add(site, "A", categories=[["Sport", "NEWS"], ["Local", "news"]])
    add(site, "B", categories=[["News"], ["A", "Z"], ["Z", "A"]])
    first = written(config)
    assert re.findall(r"^CATEGORY: (.*)", first, re.MULTILINE) == ["news", "news", "A", "Z"]
    assert again(config, first, tmp_path / "mt.txt") == first


def test_an_hour_that_comes_twice_has_one_order(make_config: Callable[..., Config], tmp_path: Path) -> None:
    site = {"name": "blog", "title": "A Blog", "url": "https://blog.example/", "timezone": "Europe/Berlin"}
    config = make_config(sites=[site])
    opened = db.connect(config)
    row = sites.sync(config)["blog"]
    add(row, "First", "2026-10-25T00:50:00")  # 02:50 in summer
    late = add(row, "Second", "2026-10-25T01:10:00")  # 02:10 in winter
    comments.add_imported(late, "A", "first", created_at=moment("2026-10-25T00:40:00"))
    comments.add_imported(late, "B", "second", created_at=moment("2026-10-25T01:20:00"))
    first = written(config)
    assert re.findall(r"^(?:TITLE|DATE|AUTHOR): (.+)", first, re.MULTILINE) == [
        "Second", "10/25/2026 02:10:00 AM", "B", "10/25/2026 02:20:00 AM", "A", "10/25/2026 02:40:00 AM",
        "First", "10/25/2026 02:50:00 AM",
    ]  # fmt: skip
    assert again(config, first, tmp_path / "mt.txt") == first
    opened.close()


def test_a_file_is_whole_or_not_there(
    config: Config, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(site, text="ü")
    export(config, "blog", tmp_path / "mt.txt")
    assert (tmp_path / "mt.txt").read_bytes().decode() == written(config)

    def crash(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("appliance.exporting.movabletype.exporter.format_entry", crash)
    with pytest.raises(KeyboardInterrupt):
        export(config, "blog", tmp_path / "other.txt")
    assert [path.name for path in tmp_path.iterdir() if "txt" in path.name] == ["mt.txt"]


def test_more_than_a_batch(database: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.exporting.movabletype.exporter.BATCH", 3)
    site = sites.sync(database)["blog"]
    for number in (3, 1, 8, 2, 7, 5, 4, 6):
        row = add(site, f"Nr {number}", f"2026-01-{number:02}", tags=[f"t{number}", "all"], categories=[["c"]])
        comments.add_imported(row, "Eve", f"on {number}", created_at=number)
    first = written(database)
    assert re.findall(r"TITLE: Nr (\d)", first) == list("12345678")
    assert re.findall(r"on (\d)", first) == list("12345678")
    assert again(database, first, tmp_path / "mt.txt") == first


# Everything an author may write, and the format's own words and lines above all.
_LINES = st.one_of(
    st.sampled_from(
        [
            "-----", "--------", "----- ", "--------  ", "------", "BODY:", "EXTENDED BODY:", "COMMENT:", "PING:",
            "TITLE: x", "AUTHOR: x", "URL: y", "DATE: 01/01/2001", "", " ", "    code", "<!-- more -->", "<!--more-->",
            "```", "<p>a</p>", "- item", "<div>", "<pre>", "&lt;&amp;", "&#45;----", "CF50_X:", "&copy", "{{ x }}",
            "[a]: /b", "> q",
        ]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
)  # fmt: skip
_TEXTS = st.lists(_LINES, max_size=8).flatmap(
    lambda lines: st.sampled_from(["\n", "\r\n"]).map(lambda e: e.join(lines))
)
_NAMES = st.one_of(
    st.sampled_from(
        ["a", "A", "a b", "a,b", "-----", "--------", '"', "'x", "a\"b'c, d", "@me", "BODY:", "ü", "  a  "]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12),
)
_MOMENTS = st.integers(0, 40).map(lambda n: 1_792_880_000 + n * 1_801)  # around the end of summer time


@dataclass(frozen=True)
class Said:
    name: str
    text: str
    at: int
    url: str


@dataclass(frozen=True)
class Post:
    data: EntryData
    comments: list[Said] = field(default_factory=list)
    pings: list[Said] = field(default_factory=list)


_SAID = st.builds(Said, _NAMES, _TEXTS, _MOMENTS, st.sampled_from(["", "https://x.example/?a=1&b"]))
_DATA = st.builds(
    EntryData,
    title=st.one_of(_NAMES, st.just("")),
    slug=st.integers(0, 10**9).map(str),
    published_at=_MOMENTS,
    text=_TEXTS,
    status=st.sampled_from(["draft", "published", "scheduled"]),
    format=st.sampled_from(["markdown", "html"]),
    excerpt=st.one_of(st.just(""), _TEXTS),
    allow_comments=st.booleans(),
    authors=st.lists(_NAMES, max_size=2),
    categories=st.lists(st.lists(_NAMES, min_size=1, max_size=2), max_size=3),
    tags=st.lists(_NAMES, max_size=4),
    address=st.one_of(st.none(), st.integers(0, 10**9).map(lambda n: f"old/{n}.html")),
    extra=st.dictionaries(
        st.sampled_from(["keywords", "image", "CF1_x", "a_b", "title", "unique_url", "private_tags", "weight"]),
        st.one_of(_NAMES, _TEXTS, st.integers(), st.booleans(), st.lists(_NAMES, max_size=2)),
        max_size=3,
    ),
)
_POSTS = st.lists(st.builds(Post, _DATA, st.lists(_SAID, max_size=2), st.lists(_SAID, max_size=2)), max_size=3)


@pytest.fixture
def berlin(make_config: Callable[..., Config]) -> Iterator[Config]:
    config = make_config(
        sites=[{"name": "blog", "title": "A Blog", "url": "https://blog.example/", "timezone": "Europe/Berlin"}]
    )
    opened = db.connect(config)
    db.execute("PRAGMA synchronous = OFF")
    yield config
    opened.close()


def plant(site: Site, posts: list[Post]) -> None:
    for post in posts:
        try:
            row, _ = entries.save(site, post.data)
        except ContentError:
            continue  # two of one name
        for said in post.comments:
            try:
                comments.add_imported(row, said.name, said.text, email=said.name, url=said.url, created_at=said.at)
            except ContentError:
                continue  # nothing is said
        for said in post.pings:
            Ping.create(entry=row, title=said.name, url=said.url, blog_name=said.name, text=said.text, at=said.at)


@settings(
    max_examples=60, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(posts=_POSTS)
def test_export_import_and_export_again_is_the_same(berlin: Config, tmp_path: Path, posts: list[Post]) -> None:
    empty()
    plant(sites.sync(berlin)["blog"], posts)
    first = written(berlin)
    assert again(berlin, first, tmp_path / "mt.txt") == first


@pytest.mark.skipif(not (DATA / "rust-blog").is_dir(), reason="the sample blog is not here")
def test_a_real_blog_comes_back(config: Config, tmp_path: Path) -> None:
    import_folder(config, "blog", DATA / "rust-blog")
    seen = (Entry.title, Entry.slug, Entry.day, Entry.html, Entry.excerpt)
    plain = Entry.select(*seen).where(Entry.kind == "entry", ~Entry.late_bound)
    before = set(plain.tuples())
    first = written(config)
    assert first.count("\n--------\n") == 750
    assert again(config, first, tmp_path / "mt.txt") == first
    assert len(before) > 700
    assert before <= set(Entry.select(*seen).tuples())


def test_an_export_changes_nothing(config: Config, site: Site) -> None:
    add(site)
    Change.delete().execute()
    before = db.execute("SELECT total_changes()").fetchone()
    written(config)
    assert db.execute("SELECT total_changes()").fetchone() == before

"""A change asks for the pages that show some of what changed, and for no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance import db
from appliance.content import comments, entries, sites
from tests.local_site import ENTRY, LocalSite, archive, index
from tests.planning.conftest import OpenSite

MANIFEST = "".join(
    [
        index("index.html", "counts.html", "paginate = 2"),
        index("titles.html", "titles.html"),
        index("about.html", "about.html"),
        index("recent.html", "recent.html"),
        index("tags.html", "tags.html"),
        archive("entry", "{slug}/index.html", "entry.html"),
        archive("monthly", "{year}/{month}/index.html", "titles.html"),
        archive("yearly", "{year}/index.html", "counts.html"),
        archive("tag", "tag/{tag}/index.html", "titles.html"),
    ]
)
FILES = {
    "entry.html": ENTRY
    + "{% for c in entry.comments %}{{ c.html }}{% endfor %}{{ entry.previous.title if entry.previous }}",
    "counts.html": "{% for e in listing.entries %}{{ e.title }} {{ e.comment_count }};{% endfor %}\n",
    "titles.html": "{% for e in listing.entries %}{{ e.title }};{% endfor %}\n",
    "about.html": "{% import 'macros.html' as m %}{{ m.hello(site.title) }}{{ static('a.css') }}",
    "macros.html": "{% macro hello(name) %}Hello {{ name }}{% endmacro %}",
    "recent.html": "{% for e in site.recent(2) %}{{ e.url }} {{ e.summary }}{% endfor %}{{ site.settings.tagline }}",
    "tags.html": "{% for t in site.tags() %}{{ t.name }} {{ t.count }}{% endfor %}",
    "static/a.css": "a",
}  # fmt: skip
SETTINGS = '[settings]\ntagline = "t"\n'


def asked(shop: LocalSite) -> set[str]:
    """Publish; the paths that wait, after which they are built."""
    shop.publish()
    waiting = {row[0] for row in db.execute("SELECT key FROM job WHERE state = 'pending'").fetchall()}
    before = shop.tree()
    shop.drain()
    after = shop.tree()
    assert {p for p in before.keys() | after.keys() if before.get(p) != after.get(p)} <= waiting
    return waiting


@pytest.fixture
def shop(open_site: OpenSite) -> LocalSite:
    made = open_site(SETTINGS + MANIFEST, FILES)
    for n in range(1, 7):
        made.save(f"Post {n}", f"2026-0{n}-01", slug=f"post-{n}", tags=["odd"] if n % 2 else [], text=f"Text {n}.")
    made.run()
    return made


def entry(shop: LocalSite, slug: str) -> entries.Entry:
    return entries.Entry.get(entries.Entry.slug == slug)


@pytest.mark.conformance("B10")
def test_a_comment_asks_for_its_page_and_those_that_show_its_count(shop: LocalSite) -> None:
    comments.add(entry(shop, "post-2"), "Ada", "Hello")  # the second of six: on the oldest page of two
    assert asked(shop) == {"post-2/index.html", "page/2/index.html", "2026/index.html"}


def test_a_title_asks_for_what_shows_it(shop: LocalSite) -> None:
    row = entry(shop, "post-3")
    shop.save("New title", "2026-03-01", entry=row, slug="post-3", tags=["odd"], text="Text 3.")
    assert asked(shop) == {
        "post-3/index.html", "post-4/index.html", "page/3/index.html", "titles.html", "2026/index.html",
        "2026/03/index.html", "tag/odd/index.html",
    }  # fmt: skip


def test_a_text_asks_for_its_page_and_what_shows_its_beginning(shop: LocalSite) -> None:
    shop.save("Post 6", "2026-06-01", entry=entry(shop, "post-6"), slug="post-6", text="Other text.")
    assert asked(shop) == {"post-6/index.html", "recent.html"}


def test_an_entry_that_leaves_a_tag_asks_for_its_listing_and_the_list_of_tags(shop: LocalSite) -> None:
    shop.save("Post 1", "2026-01-01", entry=entry(shop, "post-1"), slug="post-1", text="Text 1.")
    assert asked(shop) == {"post-1/index.html", "tag/odd/index.html", "tags.html"}


def test_a_withdrawn_entry_takes_its_archives_and_a_page_that_is_no_longer_needed_along(shop: LocalSite) -> None:
    entries.delete(entry(shop, "post-6"))
    waiting = asked(shop)
    assert waiting >= {
        "post-6/index.html",
        "2026/06/index.html",
        "index.html",
        "page/2/index.html",
        "page/3/index.html",
    }
    assert not {"about.html", "post-1/index.html", "2026/01/index.html", "tag/odd/index.html"} & waiting
    assert not [path for path in ("post-6", "2026/06") if (shop.docroot / path).exists()]


def test_the_newest_entry_is_new_only_where_it_is_shown(shop: LocalSite) -> None:
    shop.save("Seven", "2026-07-01", slug="seven", text="Text.")
    waiting = asked(shop)
    assert {"seven/index.html", "recent.html", "2026/07/index.html", "2026/index.html", "index.html"} <= waiting
    assert (
        not {
            "page/2/index.html",
            "page/3/index.html",
            "about.html",
            "tags.html",
            "post-1/index.html",
            "2026/01/index.html",
            "tag/odd/index.html",
        }
        & waiting
    )


def edit_theme(shop: LocalSite, name: str, text: str) -> None:
    (shop.folder / "theme" / name).write_text(text, "utf-8")


@pytest.mark.parametrize(
    ("name", "text", "pages"),
    [
        ("macros.html", "{% macro hello(name) %}Bye {{ name }}{% endmacro %}", {"about.html"}),
        ("tags.html", "None", {"tags.html"}),
        ("static/a.css", "b", {"about.html", "theme/a.css"}),
        ("entry.html", "{{ entry.title }}", {f"post-{n}/index.html" for n in range(1, 7)}),
    ],
)
def test_a_template_asks_for_what_uses_it(shop: LocalSite, name: str, text: str, pages: set[str]) -> None:
    edit_theme(shop, name, text)
    assert {path for path in asked(shop) if not path.startswith("theme/")} == {p for p in pages if p != "theme/a.css"}


def test_a_setting_asks_for_what_reads_it(shop: LocalSite) -> None:
    edit_theme(shop, "theme.toml", (shop.folder / "theme" / "theme.toml").read_text().replace('"t"', '"other"'))
    assert asked(shop) - {"theme/a.css"} == {"recent.html"}
    assert "other" in shop.text("recent.html")


def test_a_build_that_reads_the_same_writes_no_dependencies(shop: LocalSite) -> None:
    def known() -> tuple[list[tuple[object, ...]], ...]:
        tables = ("reading", "recipe", "recipe_key", "answer")
        return tuple(sorted(db.execute(f"SELECT * FROM {table}").fetchall()) for table in tables)

    before = known()
    traced: list[str] = []
    real = db.execute

    def watch(sql: str, *values: object) -> object:
        if any(f"{verb} {table}" in sql for verb in ("INSERT INTO", "DELETE FROM") for table in ("reading", "recipe")):
            traced.append(sql)
        return real(sql, *values)

    pytest.MonkeyPatch().setattr(db, "execute", watch)
    try:
        shop.publish(everything=True, force=True)
        shop.drain()
    finally:
        pytest.MonkeyPatch().undo()
        db.execute = real
    assert known() == before
    assert [sql for sql in traced if "NOT EXISTS" not in sql] == []


def test_rows_of_dependencies_are_few(shop: LocalSite) -> None:
    rows = db.execute("SELECT (SELECT COUNT(*) FROM reading), (SELECT COUNT(*) FROM artifact WHERE wanted)").fetchone()
    assert 0 < rows[0] < 12 * rows[1]


def test_nothing_changed_renders_nothing(shop: LocalSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.building.builder.Builder._page_build", None)
    before = shop.journal()
    shop.publish(everything=True)
    shop.drain()
    assert shop.journal() == before


def test_a_file_somebody_removed_is_put_back(shop: LocalSite) -> None:
    Path(shop.docroot / "about.html").unlink()
    shop.run(everything=True)
    assert "Hello" in shop.text("about.html")


def test_content_that_is_mended_mends_what_failed(shop: LocalSite) -> None:
    edit_theme(shop, "titles.html", "{% for e in listing.entries %}{{ 10 // (e.title | length - 1) }};{% endfor %}")
    shop.run()
    late = shop.save("X", "2026-07-01", slug="late")
    shop.publish()
    shop.drain()
    assert set(shop.failed()) == {"titles.html", "2026/07/index.html"}
    comments.add(entry(shop, "post-1"), "Ada", "Hello")
    assert not {"titles.html", "2026/07/index.html"} & asked(shop), "what they read is as it was when they failed"
    shop.save("Late", "2026-07-01", entry=late, slug="late")
    assert {"titles.html", "2026/07/index.html"} <= asked(shop)
    assert (shop.failed(), shop.text("2026/07/index.html")) == ({}, "3;")


def test_a_template_that_was_missed_and_is_there_now_mends_what_failed(shop: LocalSite) -> None:
    edit_theme(shop, "about.html", "{% include 'late.html' %}")
    shop.publish()
    shop.drain()
    assert "late.html" in shop.failed()["about.html"]
    edit_theme(shop, "late.html", "Here")
    shop.publish()
    shop.drain()
    assert shop.text("about.html") == "Here"


def test_another_time_zone_asks_for_every_page(shop: LocalSite) -> None:
    moved = shop.config.sites[0].model_copy(update={"timezone": "Asia/Tokyo"})
    shop.config = shop.config.model_copy(update={"sites": [moved]})
    sites.sync(shop.config)
    assert {path for path in shop.paths() if path.endswith(".html")} <= asked(shop)


def test_what_failed_is_tried_again_with_a_change(shop: LocalSite) -> None:
    """What it read when it failed was never noted, so nothing else tells that this change mends it."""
    edit_theme(shop, "titles.html", "{% for e in listing.entries %}{{ e.extra.color }};{% endfor %}")
    shop.publish()
    shop.drain()
    failed = set(shop.failed())
    assert "2026/01/index.html" in failed
    shop.save("Post 1", "2026-01-01", entry=entry(shop, "post-1"), slug="post-1", extra={"color": "red"})
    shop.publish()
    shop.drain()
    assert shop.text("2026/01/index.html").strip() == "red;"

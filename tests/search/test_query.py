"""What a query finds: words, phrases and beginnings of words of what readers can see, newest first."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance import db
from appliance.config import Config
from appliance.content import entries
from appliance.content.models import Entry, Site
from appliance.search.query import CAP, SearchPage, find
from tests.local_site import LocalSite, local_site
from tests.search.conftest import THEME


def titles(blog: LocalSite, query: str, page: int = 1, size: int = 10) -> list[str]:
    return [found.title for found in find(blog.site, query, page, size).results]


def test_all_words_must_match_newest_first(blog: LocalSite) -> None:
    blog.save("Old", "2026-01-01", text="the harbour and a lantern")
    blog.save("New", "2026-03-01", text="a lantern in the harbour")
    blog.save("Between", "2026-02-01", text="only a harbour")
    blog.run()
    assert titles(blog, "harbour") == ["New", "Between", "Old"]
    assert titles(blog, "Lanterns HARBOUR") == ["New", "Old"]
    assert titles(blog, "harbour cable") == []


def test_a_result_tells_where_and_when(blog: LocalSite) -> None:
    entry = blog.save("A Title", "2026-01-01", text="It *was* a **quiet** harbour & more.")
    blog.run()
    (found,) = find(blog.site, "quiet").results
    assert (found.entry_id, found.title, found.path) == (entry.id, "A Title", "a-title.html")
    assert found.published_at == entry.published_at
    assert found.snippet == (("It was a ", False), ("quiet", True), (" harbour & more.", False))


def test_titles_are_searched_and_phrases_do_not_cross_them(blog: LocalSite) -> None:
    blog.save("Narrow Bridge", text="over the river")
    blog.run()
    assert titles(blog, "bridge") == ["Narrow Bridge"]
    assert titles(blog, '"narrow bridge"') == ["Narrow Bridge"]
    assert titles(blog, '"bridge over"') == []


def test_words_in_quotation_marks_follow_one_another(blog: LocalSite) -> None:
    blog.save("Adjacent", text="the old harbour")
    blog.save("Apart", text="the harbour is old, an older harbour")
    blog.run()
    assert titles(blog, '"old harbour"') == ["Adjacent"]
    assert titles(blog, "„old harbour“ the") == ["Adjacent"]
    assert titles(blog, '"old harbour') == ["Adjacent"]
    assert sorted(titles(blog, "old harbour")) == ["Adjacent", "Apart"]


@pytest.mark.parametrize("query", ["e-mail", "E‐Mail", "node.js"])
def test_joined_words_belong_together(blog: LocalSite, query: str) -> None:
    blog.save("Together", text="an e-mail about node.js")
    blog.save("Apart", text="mail with e, and js has a node")
    blog.run()
    assert titles(blog, query) == ["Together"]


def test_the_last_word_may_be_a_beginning_when_too_little_is_found(blog: LocalSite) -> None:
    for number in range(3):
        blog.save(f"Har {number}", text="har")
    blog.save("Harbour", "2026-12-01", text="harbour", status="published")
    blog.run()
    assert titles(blog, "har", size=3) == ["Har 2", "Har 1", "Har 0"]
    assert titles(blog, "har", size=4)[0] == "Harbour"
    assert titles(blog, "ha", size=4) == []
    assert titles(blog, "har 1", size=4) == ["Har 1"]


def test_languages_without_spaces(blog: LocalSite) -> None:
    blog.save("東京都の港", "2026-02-01", text="古い港は静かだ。")
    blog.save("京都", "2026-01-01", text="都の京")
    blog.run()
    assert titles(blog, "東京") == ["東京都の港"]
    assert titles(blog, "京都") == ["東京都の港", "京都"]
    assert titles(blog, "京") == ["東京都の港", "京都"]
    assert titles(blog, "東京都") == ["東京都の港"]
    assert titles(blog, "都京") == []
    assert titles(blog, "静かだ") == ["東京都の港"]


def test_accents_and_endings(blog: LocalSite) -> None:
    blog.save("Éclair", text="Die Häuser, ﬁrst Straße")
    blog.run()
    for query in ("eclair", "ÉCLAIRS", "hauser", "first", "STRASSE", "e\u0301clair"):
        assert titles(blog, query) == ["Éclair"], query


def test_what_readers_cannot_see_is_not_found(blog: LocalSite) -> None:
    for status in ("draft", "scheduled"):
        blog.save(status, "2026-02-01" if status == "draft" else "2100-01-01", text="secret", status=status)
    for title in ("Deleted", "Withdrawn", "Seen"):
        blog.save(title, text="secret")
    blog.run()
    assert sorted(titles(blog, "secret")) == ["Deleted", "Seen", "Withdrawn"]
    blog.save("Withdrawn", text="secret", status="draft", entry=Entry.get(Entry.title == "Withdrawn"))
    entries.delete(Entry.get(Entry.title == "Deleted"))
    assert titles(blog, "secret") == ["Seen"]
    blog.save("Seen", text="nothing", entry=Entry.get(Entry.title == "Seen"))
    assert titles(blog, "secret") == []
    blog.save("Not yet built", text="secret")
    assert titles(blog, "secret") == []
    blog.run()
    assert titles(blog, "secret") == ["Not yet built"]


def test_pages_are_found_and_other_sites_are_not(database: Config, tmp_path: Path) -> None:
    sites = [{"name": "blog"}, {"name": "other", "url": "https://blog.example/o/", "folder": "o"}]
    with local_site(tmp_path, THEME, database=database.database, web={"path": "/-/"}, sites=sites) as blog:
        other = Site.get(Site.name == "other")
        blog.save("Entry", text="harbour")
        blog.save("Page", text="harbour", kind="page")
        blog.save("Elsewhere", site=other, text="harbour")
        blog.run()
        assert sorted(titles(blog, "harbour")) == ["Entry", "Page"]
        (found,) = find(other, "harbour").results
        assert found.path == "o/elsewhere.html"


def test_pages_of_results(blog: LocalSite) -> None:
    for number in range(7):
        blog.save(f"Post {number}", f"2026-01-0{number + 1}", text="harbour")
    blog.run()
    assert titles(blog, "harbour", 1, 3) == ["Post 6", "Post 5", "Post 4"]
    assert titles(blog, "harbour", 3, 3) == ["Post 0"]
    assert titles(blog, "harbour", 4, 3) == []
    second = find(blog.site, "harbour", 2, 3)
    assert (second.total, second.more, second.page) == (7, False, 2)
    assert titles(blog, "harbour", -1, 3) == titles(blog, "harbour", 1, 3)


ODD = (
    "", "   ", '"', '""', "“”", "AND OR NOT", "* ^ : ( ) - + { } ~ | & ! <->", "\0", "a\0b", "'; DROP TABLE entry; --",
    "😀", "❤️", "...", "\ud800", "x" * 10_000, "harbour " * 2_000, '"' * 10_000, "_1", "|", "'", "\\", "%", "?", "%s",
    "NEAR(a b)", "words:harbour", "\u202e", "\u0301", "ﷺ", "½", "\u200d", "a" * 41, "☃︎", "1" * 500, "京" * 500,
)  # fmt: skip


@pytest.mark.parametrize("query", ODD, ids=[ascii(query)[:20] for query in ODD])
def test_odd_queries_find_nothing_and_raise_nothing(blog: LocalSite, query: str) -> None:
    blog.save("Harbour", text="lantern")
    blog.run()
    found = find(blog.site, query)
    assert found == SearchPage([], 0, False, 1) or "harbour" in query


def test_a_count_is_capped(blog: LocalSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.search.query.CAP", 3)
    monkeypatch.setattr("appliance.search.query._REACH", (2, 3))
    for number in range(6):
        blog.save(f"Post {number}", f"2026-01-0{number + 1}", text="harbour")
    blog.run()
    found = find(blog.site, "harbour", size=2)
    assert ([one.title for one in found.results], found.total, found.more) == (["Post 5", "Post 4"], 3, True)
    # Of those with the words only as many are looked at as the reach says.
    db.execute("UPDATE artifact SET digest = NULL WHERE subject IN (SELECT id FROM entry WHERE title > 'Post 0')")
    found = find(blog.site, "harbour")
    assert (found.results, found.total, found.more) == ([], 0, True)
    assert CAP == 1000

"""The index follows every change of an entry, whoever makes it, and is brought up to date in bounded steps."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import psycopg
import pytest

from appliance import db, housekeeping
from appliance.content import entries
from appliance.content.models import Entry, Site
from appliance.search import index, tokens
from appliance.search.query import find
from tests.local_site import LocalSite, local_site, moment
from tests.search.conftest import THEME


def documents() -> dict[str, str]:
    """The words of each indexed entry by its title."""
    query = "SELECT e.title, d.words FROM search_document d JOIN entry e ON e.id = d.entry_id"
    return dict(db.execute(query).fetchall())


def stale() -> list[int]:
    return [entry for (entry,) in db.execute("SELECT entry_id FROM search_stale ORDER BY entry_id").fetchall()]


def matches(word: str) -> list[int]:
    """What the index of the database says by itself, without a look at the documents."""
    if db.opened_config().database_url:  # type: ignore[union-attr]
        query = """SELECT entry_id FROM search_document
                   WHERE array_to_tsvector(string_to_array(btrim(words), ' ')) @@ CAST(? AS tsquery) ORDER BY 1"""
        return [entry for (entry,) in db.execute(query, [f"'{word}'"]).fetchall()]
    rows = db.execute("SELECT rowid FROM search_index WHERE search_index MATCH ?", [f'"{word}"']).fetchall()
    return sorted(number & (index._IDS - 1) for (number,) in rows)


def read_all() -> int:
    count = index.catch_up(60)
    assert index.next_due() is None
    return count


def fill(blog: LocalSite, count: int, text: str = "harbour", start: int = 1) -> None:
    """Insert entries as no code of ours does, so that only the triggers can notice."""
    at = moment("2026-01-01")
    rows = [
        {
            "site": blog.site, "status": "published", "title": f"Bulk {number}", "slug": f"bulk-{number}",
            "published_at": at + number, "modified_at": at, "day": "2026-01-01", "week": "2026-01-01",
            "html": f"<p>{text} number{number}</p>",
        }
        for number in range(start, start + count)
    ]  # fmt: skip
    with db.write():
        for some in db.chunks(rows, 200):
            Entry.insert_many(some).execute()


def test_an_edit_is_indexed_in_its_transaction(blog: LocalSite) -> None:
    with db.write():
        entry = blog.save("One", text="harbour")
        assert documents() == {}
    assert documents() == {"One": " one | harbour "}
    assert (matches("harbour"), stale()) == ([entry.id], [])
    blog.save("One", text="lantern", entry=entry)
    assert (matches("harbour"), matches("lantern"), stale()) == ([], [entry.id], [])


def test_what_is_rolled_back_is_not_indexed(blog: LocalSite) -> None:
    with db.write(rollback=True):
        blog.save("One", text="harbour")
    assert (documents(), matches("harbour"), stale()) == ({}, [], [])


@pytest.mark.parametrize(
    "statement",
    ["UPDATE entry SET status = 'draft'", "DELETE FROM entry", "DELETE FROM site WHERE name = 'blog'"],
)
def test_what_is_withdrawn_by_any_statement_is_gone_at_once(blog: LocalSite, statement: str) -> None:
    blog.save("One", text="harbour")
    assert len(matches("harbour")) == 1
    db.execute(statement)
    assert (documents(), matches("harbour"), stale()) == ({}, [], [])


@pytest.mark.parametrize(
    "change",
    ["title = 'lantern'", "html = '<p>lantern</p>'", "published_at = published_at + 1", "status = 'published'"],
)
def test_a_statement_of_anyone_makes_its_entry_stale(blog: LocalSite, change: str) -> None:
    entry = blog.save("One", text="harbour", status="draft" if "status" in change else "published")
    db.execute(f"UPDATE entry SET {change}")
    assert stale() == [entry.id]
    assert housekeeping_says(blog) == "1 entries read"
    assert stale() == []
    (number,) = db.execute("SELECT number FROM search_document").fetchone()
    assert number == index.document_number(Entry.get_by_id(entry.id).published_at, entry.id)


def test_what_is_not_searched_makes_nothing_stale(blog: LocalSite) -> None:
    blog.save("Draft", text="harbour", status="draft")
    entry = blog.save("One", text="harbour")
    db.execute("UPDATE entry SET summary = 'new', modified_at = 1, text = 'unrendered', title = title")
    db.execute("UPDATE entry SET title = 'Other' WHERE status = 'draft'")
    assert stale() == []
    assert matches("harbour") == [entry.id]


def housekeeping_says(blog: LocalSite) -> str:
    task = next(task for task in housekeeping.periodic_tasks(blog.config) if task.name == "search")
    assert task.next_time is not None
    assert task.next_time() == 0.0
    said = task.run()
    assert task.next_time() is None
    return said


def test_a_transaction_of_many_leaves_most_of_them_to_the_task(blog: LocalSite) -> None:
    with db.write():
        for number in range(index._AT_ONCE + 5):
            blog.save(f"Post {number}", text="harbour")
    assert len(stale()) == 5
    assert len(documents()) == index._AT_ONCE
    read_all()
    assert len(documents()) == index._AT_ONCE + 5


def test_a_long_entry_is_left_to_the_task(blog: LocalSite) -> None:
    entry = blog.save("Long", text="harbour " * (index._SHORT // 8 + 1))
    assert stale() == [entry.id]
    assert read_all() == 1
    assert matches("harbour") == [entry.id]


def test_the_end_of_an_endless_entry_is_not_searched(blog: LocalSite) -> None:
    """PostgreSQL refuses to index more than a megabyte of words."""
    words = " ".join("".join(letters) + "ö" * 30 for letters in itertools.product("abcdefghij", repeat=4))
    entry = blog.save("Endless", text=f"harbour {words} lantern")
    read_all()
    assert len(words) > index._WORDS
    assert (matches("harbour"), matches("lantern")) == ([entry.id], [])
    assert len(documents()["Endless"]) <= index._WORDS


def test_an_entry_without_words_has_no_document(blog: LocalSite) -> None:
    entry = blog.save("One", text="harbour")
    blog.save("☃", text="❤️ …", entry=entry, slug="one")
    assert (documents(), matches("harbour"), stale()) == ({}, [], [])


def test_an_installation_without_a_web_process_indexes_nothing(tmp_path: Path) -> None:
    with local_site(tmp_path, THEME) as quiet:
        quiet.save("One", text="harbour")
        assert (documents(), len(stale())) == ({}, 1)
        assert "search" not in {task.name for task in housekeeping.periodic_tasks(quiet.config)}
    with local_site(tmp_path, THEME, web={"path": "/-/"}) as searched:
        assert housekeeping_says(searched) == "1 entries read"
        assert len(matches("harbour")) == 1


def test_entries_from_before_the_index_are_read(blog: LocalSite) -> None:
    fill(blog, 1200)
    db.execute("DELETE FROM search_stale")  # as after the migration
    assert index.next_due() == 0.0
    assert read_all() == 1200
    assert len(matches("harbour")) == 1200
    assert read_all() == 0


def test_another_language_reads_the_site_again(blog: LocalSite) -> None:
    blog.save("One", text="houses")
    read_all()
    assert documents() == {"One": " one | hous "}
    Site.update(language="ja-JP").execute()
    read_all()
    assert documents() == {"One": " one | houses "}
    assert matches("hous") == []
    Site.update(language="ko").execute()
    assert index.next_due() is None


def test_another_way_to_divide_text_reads_all_again(blog: LocalSite, monkeypatch: pytest.MonkeyPatch) -> None:
    blog.save("One", text="harbour")
    read_all()
    monkeypatch.setattr(index, "VERSION", tokens.VERSION + 1)
    assert read_all() == 1
    # A host of the release before does not begin again, while hosts are upgraded one after another.
    monkeypatch.setattr(index, "VERSION", tokens.VERSION)
    assert index.next_due() is None


def test_reading_again_what_did_not_change_writes_nothing(blog: LocalSite) -> None:
    entry = blog.save("One", text="harbour")
    read_all()
    db.execute("UPDATE entry SET html = html || ' '")

    def written() -> object:
        if blog.config.database_url:
            return db.execute("SELECT xmin FROM search_document").fetchone()
        return db.execute("SELECT SUM(length(block)), COUNT(*) FROM search_index_data").fetchone()

    before = written()
    assert (stale(), read_all()) == ([entry.id], 1)
    assert written() == before


def test_the_task_ends_a_run_in_time_and_goes_on(blog: LocalSite) -> None:
    fill(blog, 300)
    assert index.catch_up(0.0) < 300
    assert index.catch_up(stopping=lambda: True) == 0
    assert index.next_due() == 0.0
    read_all()
    assert len(matches("harbour")) == 300


def test_what_changes_while_it_is_read_stays_stale(blog: LocalSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The words are made outside of a transaction. The words of an older text must not be saved after a newer one."""
    entry = blog.save("One", text="harbour")
    read_all()
    db.execute("UPDATE entry SET html = '<p>lantern</p>'")
    made, changed = index.document_words, threading.Event()

    def change() -> None:
        db.execute("UPDATE entry SET html = '<p>barn</p>'")
        db.disconnect()

    def slow(title: str, html: str, language: str) -> str:
        words = made(title, html, language)
        if not changed.is_set():
            changed.set()
            other = threading.Thread(target=change)
            other.start()
            other.join()
        return words

    monkeypatch.setattr(index, "document_words", slow)
    assert index._take_step() == 0
    assert (matches("lantern"), stale()) == ([], [entry.id])
    read_all()
    assert matches("barn") == [entry.id]


def test_two_hosts_read_at_once(blog: LocalSite) -> None:
    fill(blog, 400)
    counts: list[int] = []

    def run() -> None:
        counts.append(index.catch_up(60))
        db.disconnect()

    others = [threading.Thread(target=run) for _ in range(3)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    read_all()
    assert len(matches("harbour")) == 400
    assert sum(counts) >= 400 - index._STEP


@pytest.mark.parametrize("listed", [True, False], ids=["on the list", "not on the list"])
def test_reading_waits_for_nobody_who_deletes(blog: LocalSite, listed: bool) -> None:
    """Who deletes an entry would wait for the task, and the task for the entry."""
    if not blog.config.database_url:
        pytest.skip("one process writes at a time")
    first, second = blog.save("One", text="harbour"), blog.save("Two", text="harbour")
    read_all()
    if listed:
        db.execute("DELETE FROM search_document")
        db.execute("UPDATE entry SET html = html || ' lantern'")
    else:
        Site.update(language="ja").execute()
    with psycopg.connect(blog.config.database_url) as other:
        other.execute("SELECT 1 FROM entry WHERE id = %s FOR UPDATE", [first.id])  # as DELETE does at first
        assert index.catch_up(60) == 0
        other.execute("DELETE FROM entry WHERE id IN (%s, %s)", [first.id, second.id])
    read_all()
    assert documents() == {}


def test_entries_of_one_second_and_of_far_times(blog: LocalSite) -> None:
    """Later ids come first within a second; a time that does not fit counts as the farthest that does."""
    for number, at in enumerate((-20_000_000_000, -5, 0, 0, 20_000_000_000), 1):
        blog.save(f"Post {number}", text="harbour", slug=f"post-{number}")
        db.execute("UPDATE entry SET published_at = ? WHERE title = ?", [at, f"Post {number}"])
    read_all()
    blog.run()
    assert [found.title for found in find(blog.site, "harbour").results] == [f"Post {n}" for n in (5, 4, 3, 2, 1)]
    numbers = [index.document_number(at, entry) for at, entry in ((-(2**40), 1), (-1, 2**28 - 1), (0, 1), (2**40, 1))]
    assert numbers == sorted(numbers)
    assert numbers[0] >= -(2**63)
    assert numbers[-1] < 2**63


def test_deleting_an_entry_through_content(blog: LocalSite) -> None:
    entry = blog.save("One", text="harbour")
    entries.delete(entry)
    assert (documents(), matches("harbour"), stale()) == ({}, [], [])

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from appliance import clock
from appliance.config import Config
from appliance.content import assets, comments, entries, entry_edits, schedule, sites, term_edits, term_names
from appliance.content.aspects import Aspect
from appliance.content.entries import EntryData
from appliance.content.models import Alias, Asset, Change, Comment, Entry, Site, Tag
from appliance.errors import ContentError

WHOLE = EntryData(
    title="Hello", slug="hello", published_at=1_700_000_000, text="Hi [you](../you.md).\n\nMore.", excerpt="*Own*.",
    summary="Said.", authors=["Ann", "Bob"], categories=[["News", "Local"], ["Art"]], tags=["b", "a"],
    aliases=["old/hello.html"], extra={"mood": "good"}, allow_comments=False, unpublish_at=4_000_000_000,
)  # fmt: skip


class Found:
    """What an importer knew of the files around."""

    def address(self, reference: str) -> str | None:
        return "appliance:entry/7#x" if reference == "../you.md" else None

    def tag(self, text: str) -> str | None:
        return None


@pytest.fixture
def site(database: Config) -> Site:
    return sites.sync(database)["blog"]


@pytest.fixture
def whole(site: Site) -> Entry:
    entry = entries.save(site, WHOLE, resolver=Found())[0]
    Change.delete().execute()
    return entry


def changes() -> list[tuple[str, Aspect]]:
    rows = list(Change.select().order_by(Change.id))
    Change.delete().execute()
    return [(row.event, Aspect(row.aspects)) for row in rows]


def test_an_edit_without_a_difference_changes_nothing(whole: Entry) -> None:
    assert not entry_edits.edit(whole)[1]
    assert not entry_edits.edit(whole, title=" Hello ", tags=["b", "A"])[1]
    assert changes() == []


def test_fields_that_are_not_named_stay(whole: Entry) -> None:
    before = Entry.get_by_id(whole.id).__data__
    entry, changed = entry_edits.edit(whole, title="Hello again", actor="ada")
    assert changed
    after = Entry.get_by_id(whole.id).__data__
    assert {name for name in after if after[name] != before[name]} == {"title", "modified_at"}
    assert changes() == [("entry edited", Aspect.TITLE | Aspect.MODIFIED)]
    assert (entry.title, after["modified_at"] >= before["modified_at"]) == ("Hello again", True)
    kept = replace(WHOLE, excerpt="", summary="", authors=["ann", "bob"], categories=[["news", "local"], ["art"]])
    assert entry_edits.entry_data(entry) == replace(kept, title="Hello again")


def test_a_new_text_keeps_resolved_references_and_the_own_excerpt(whole: Entry) -> None:
    entry, _ = entry_edits.edit(whole, text="Dear [you](../you.md) and [me](../me.md).")
    assert entry.html == '<p>Dear <a href="appliance:entry/7#x">you</a> and <a href="../me.md">me</a>.</p>\n'
    assert (entry.excerpt, entry.summary, entry.late_bound) == ("<p><em>Own</em>.</p>", "Said.", True)
    assert changes() == [("entry edited", Aspect.TEXT | Aspect.MODIFIED)]
    entry, _ = entry_edits.edit(entry, excerpt="", summary="")
    assert entry.summary == "Dear you and me."
    entry, _ = entry_edits.edit(entry, text="Another.")
    assert (entry.excerpt, entry.summary, entry.late_bound) == ("<p>Another.</p>", "Another.", False)


def test_terms_whose_slugs_are_not_of_their_names_stay(site: Site, whole: Entry) -> None:
    term_edits.rename(term_names.find_term(site, "tag", "b"), name="Bees")
    term_edits.rename(term_names.find_term(site, "category", "News"), name="Reports", slug="press")
    before = sorted(tag.id for tag in Tag.select())
    changes()
    entry_edits.edit(whole, title="New")
    assert changes() == [("entry edited", Aspect.TITLE | Aspect.MODIFIED)]
    entry_edits.edit(whole, tags=["Bees", "c"])
    assert [tag.id for tag in Tag.select().order_by(Tag.id)][:2] == before
    assert Tag.select().count() == 3
    assert Alias.select().count() == 1


def test_a_new_entry_is_a_draft_with_a_free_slug(site: Site) -> None:
    first = entry_edits.add(site, "Hello, World!", "Hi")
    assert (first.slug, first.status, first.kind) == ("hello-world", "draft", "entry")
    assert abs(first.published_at - clock.now()) < 60
    assert [entry_edits.add(site, "Hello World").slug for _ in range(2)] == ["hello-world-2", "hello-world-3"]
    page = entry_edits.add(site, "Hello World", folder="about/us")
    assert (page.kind, page.slug, page.folder) == ("page", "hello-world", "about/us")
    with pytest.raises(ContentError, match="“Other” has the name “hello-world” on"):
        entry_edits.add(site, "Other", slug="hello-world")
    long = entry_edits.add(site, "ä" * 300)
    again = entry_edits.add(site, "ä" * 300)
    assert again.slug.startswith(long.slug[:100])
    assert again.slug.endswith("-2")
    assert len(again.slug.encode()) <= 180


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ({"title": " "}, "needs a title"), ({"slug": "Not a slug"}, "write it like not-a-slug"),
        ({"slug": ""}, "cannot be part of an address"), ({"status": "gone"}, "“gone” is no status"),
        ({"kind": "post"}, "“post” is no kind of an entry; use one of entry, page"),
        ({"format": "rst"}, "“rst” is no format"), ({"folder": "a"}, "only pages are in folders"),
        ({"tags": ["a", " "]}, "one of the tags of “Hello” has no name"), ({"categories": [[]]}, "a category of"),
        ({"address": "../x"}, "“../x” cannot be an address below the site"),
        ({"aliases": ["a//b"]}, "cannot be an address"),
        ({"unpublish_at": 5}, "would be withdrawn before"), ({"kind": "page", "folder": "../x"}, "part of an address"),
    ],
)  # fmt: skip
def test_invalid_values_are_refused_before_anything_is_written(whole: Entry, named: dict[str, Any], told: str) -> None:
    before = Entry.get_by_id(whole.id).__data__
    with pytest.raises(ContentError, match=told):
        entry_edits.edit(whole, **named)
    assert (Entry.get_by_id(whole.id).__data__, changes()) == (before, [])


def test_a_comment_is_edited(whole: Entry) -> None:
    comment, _ = comments.add_imported(whole, "Joe", "Hi *you*", email="a@joe.example")
    changes()
    assert comments.edit(comment, text=" Ho ", url="https://joe.example/")
    assert changes() == [("comment edited", Aspect.COMMENTS)]
    assert (Comment.get().html, Comment.get().author_url, comment.text) == ("<p>Ho</p>", "https://joe.example/", "Ho")
    assert not comments.edit(comment, text="Ho", author_name="Joe")
    assert comments.edit(comment, email="b@joe.example")
    assert changes() == []
    for named, told in (
        ({"text": " "}, "empty"),
        ({"author_name": ""}, "needs a name"),
        ({"url": "x"}, "is not a web address"),
    ):
        with pytest.raises(ContentError, match=told):
            comments.edit(comment, **named)
    comments.delete(comment)
    with pytest.raises(ContentError, match="was removed"):
        comments.edit(comment, text="x")


def test_a_file_is_replaced_reassigned_and_moved(database: Config, site: Site, whole: Entry, tmp_path: Path) -> None:
    other = entry_edits.add(site, "Other")
    changes()

    def put(content: str, path: str, entry: Entry) -> Asset:
        (tmp_path / "file").write_text(content)
        return assets.add_file(database, site, tmp_path / "file", path, entry=entry)[0]

    first = put("one", "a.txt", whole)
    assert put("two", "a.txt", whole).id == first.id
    put("two", "a.txt", other)
    put("two", "b.txt", whole)
    rows = [(c.event, c.entry_id) for c in Change.select().where(Change.subject == "asset").order_by(Change.id)]
    assert rows == [
        ("asset added", whole.id), ("asset edited", whole.id), ("asset edited", other.id),
        ("asset left an entry", whole.id), ("asset added", whole.id),
    ]  # fmt: skip
    changes()
    with pytest.raises(ContentError, match=r"another file has the address “b\.txt”"):
        assets.move(first, "b.txt")
    with pytest.raises(ContentError, match="cannot be the address"):
        assets.move(first, "/b.txt")
    assert not assets.move(first, "a.txt")
    assert assets.move(first, "c/a.txt")
    change = Change.get()
    assert (change.event, change.previous, Asset.get_by_id(first.id).path) == (
        "asset moved",
        '{"path": "a.txt"}',
        "c/a.txt",
    )


def test_publishing_now_means_now(site: Site) -> None:
    now = int(clock.now())
    entry = entry_edits.add(site, "Later", status="scheduled", published_at=now + 9000)
    assert entry_edits.publish(entry)
    assert not entry_edits.publish(entry)
    assert abs(Entry.get_by_id(entry.id).published_at - now) < 60
    assert entry_edits.unpublish(entry)
    old = entry_edits.add(site, "Old", published_at=now - 9000, unpublish_at=now - 100)
    entry_edits.publish(old)
    assert schedule.apply_due(site) == 0
    assert Entry.get_by_id(old.id).published_at == now - 9000
    with pytest.raises(ContentError, match="“Old” cannot be scheduled for a time that has passed"):
        entry_edits.schedule(old, now - 5)
    assert entry_edits.schedule(old, now + 500)
    assert Entry.get_by_id(old.id).status == "scheduled"
    entries.delete(old)
    with pytest.raises(ContentError, match="“Old” was removed"):
        entry_edits.edit(old, title="x")

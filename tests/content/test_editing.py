from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from appliance import clock
from appliance.config import Config
from appliance.content import assets, comments, editing, entries, schedule, sites, term_edits, term_names
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
    return [(row.what, Aspect(row.aspects)) for row in rows]


def test_naming_nothing_new_changes_nothing(whole: Entry) -> None:
    assert not editing.edit(whole)[1]
    assert not editing.edit(whole, title=" Hello ", tags=["b", "A"])[1]
    assert changes() == []


def test_what_is_not_named_stays(whole: Entry) -> None:
    before = Entry.get_by_id(whole.id).__data__
    entry, changed = editing.edit(whole, title="Hello again", actor="ada")
    assert changed
    after = Entry.get_by_id(whole.id).__data__
    assert {name for name in after if after[name] != before[name]} == {"title", "modified_at"}
    assert changes() == [("entry edited", Aspect.TITLE | Aspect.MODIFIED)]
    assert (entry.title, after["modified_at"] >= before["modified_at"]) == ("Hello again", True)
    kept = replace(WHOLE, excerpt="", summary="", authors=["ann", "bob"], categories=[["news", "local"], ["art"]])
    assert editing.data_of(entry) == replace(kept, title="Hello again")


def test_a_new_text_keeps_meanings_and_the_authors_own_words(whole: Entry) -> None:
    entry, _ = editing.edit(whole, text="Dear [you](../you.md) and [me](../me.md).")
    assert entry.html == '<p>Dear <a href="appliance:entry/7#x">you</a> and <a href="../me.md">me</a>.</p>\n'
    assert (entry.excerpt, entry.summary, entry.late_bound) == ("<p><em>Own</em>.</p>", "Said.", True)
    assert changes() == [("entry edited", Aspect.TEXT | Aspect.MODIFIED)]
    entry, _ = editing.edit(entry, excerpt="", summary="")
    assert entry.summary == "Dear you and me."
    entry, _ = editing.edit(entry, text="Another.")
    assert (entry.excerpt, entry.summary, entry.late_bound) == ("<p>Another.</p>", "Another.", False)


def test_terms_whose_slugs_are_not_of_their_names_stay(site: Site, whole: Entry) -> None:
    term_edits.rename(term_names.find(site, "tag", "b"), name="Bees")
    term_edits.rename(term_names.find(site, "category", "News"), name="Reports", slug="press")
    before = sorted(tag.id for tag in Tag.select())
    changes()
    editing.edit(whole, title="New")
    assert changes() == [("entry edited", Aspect.TITLE | Aspect.MODIFIED)]
    editing.edit(whole, tags=["Bees", "c"])
    assert [tag.id for tag in Tag.select().order_by(Tag.id)][:2] == before
    assert Tag.select().count() == 3
    assert Alias.select().count() == 1


def test_a_new_entry_is_a_draft_of_now_with_a_free_slug(site: Site) -> None:
    first = editing.add(site, "Hello, World!", "Hi")
    assert (first.slug, first.status, first.kind) == ("hello-world", "draft", "entry")
    assert abs(first.published_at - clock.now()) < 60
    assert [editing.add(site, "Hello World").slug for _ in range(2)] == ["hello-world-2", "hello-world-3"]
    page = editing.add(site, "Hello World", folder="about/us")
    assert (page.kind, page.slug, page.folder) == ("page", "hello-world", "about/us")
    with pytest.raises(ContentError, match="“Other” has the name “hello-world” on"):
        editing.add(site, "Other", slug="hello-world")
    long = editing.add(site, "ä" * 300)
    again = editing.add(site, "ä" * 300)
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
def test_what_makes_no_sense_is_refused_before_anything_is_touched(
    whole: Entry, named: dict[str, Any], told: str
) -> None:
    before = Entry.get_by_id(whole.id).__data__
    with pytest.raises(ContentError, match=told):
        editing.edit(whole, **named)
    assert (Entry.get_by_id(whole.id).__data__, changes()) == (before, [])


def test_a_comment_is_edited(whole: Entry) -> None:
    comment = comments.add(whole, "Joe", "Hi *you*", email="a@joe.example")
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
    with pytest.raises(ContentError, match="is gone"):
        comments.edit(comment, text="x")


def test_a_file_is_replaced_handed_on_and_moved(database: Config, site: Site, whole: Entry, tmp_path: Path) -> None:
    other = editing.add(site, "Other")
    changes()

    def put(content: str, path: str, entry: Entry) -> Asset:
        (tmp_path / "file").write_text(content)
        return assets.add_file(database, site, tmp_path / "file", path, entry=entry)[0]

    first = put("one", "a.txt", whole)
    assert put("two", "a.txt", whole).id == first.id
    put("two", "a.txt", other)
    put("two", "b.txt", whole)
    rows = [(c.what, c.entry_id) for c in Change.select().where(Change.subject == "asset").order_by(Change.id)]
    assert rows == [
        ("asset added", whole.id), ("asset edited", whole.id), ("asset edited", other.id),
        ("asset left an entry", whole.id), ("asset added", whole.id),
    ]  # fmt: skip
    changes()
    with pytest.raises(ContentError, match=r"“b\.txt” is that of another file"):
        assets.move(first, "b.txt")
    with pytest.raises(ContentError, match="cannot be the address"):
        assets.move(first, "/b.txt")
    assert not assets.move(first, "a.txt")
    assert assets.move(first, "c/a.txt")
    change = Change.get()
    assert (change.what, change.was, Asset.get_by_id(first.id).path) == ("asset moved", '{"path": "a.txt"}', "c/a.txt")


def test_publishing_now_means_now(site: Site) -> None:
    now = int(clock.now())
    entry = editing.add(site, "Later", status="scheduled", published_at=now + 9000)
    assert editing.publish(entry)
    assert not editing.publish(entry)
    assert abs(Entry.get_by_id(entry.id).published_at - now) < 60
    assert editing.unpublish(entry)
    old = editing.add(site, "Old", published_at=now - 9000, unpublish_at=now - 100)
    editing.publish(old)
    assert schedule.turn(site) == 0
    assert Entry.get_by_id(old.id).published_at == now - 9000
    with pytest.raises(ContentError, match="“Old” cannot be scheduled for a moment that is past"):
        editing.schedule(old, now - 5)
    assert editing.schedule(old, now + 500)
    assert Entry.get_by_id(old.id).status == "scheduled"
    entries.delete(old)
    with pytest.raises(ContentError, match="“Old” is gone"):
        editing.edit(old, title="x")

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance import db
from appliance.config import Config
from appliance.content import entries, sites, term_edits, term_names
from appliance.content.entries import EntryData
from appliance.content.entry_relations import EntryRelations
from appliance.content.models import Author, Category, Change, Entry, EntryCategory, Site, Tag
from appliance.content.terms import slugify, update_category
from appliance.errors import ContentError


@pytest.fixture
def site(database: Config) -> Site:
    return sites.sync(database)["blog"]


def save(site: Site, slug: str, **data: object) -> Entry:
    entry, _ = entries.save(site, EntryData(slug.title(), slug, 1_700_000_000, **data))  # type: ignore[arg-type]
    return entry


def recorded() -> list[tuple[str, str, int | None, int | None, dict[str, object]]]:
    """What was recorded since the last call."""
    rows = list(Change.select().order_by(Change.id))
    Change.delete().execute()
    return [(c.event, c.subject, c.subject_id, c.entry_id, json.loads(c.previous or "{}")) for c in rows]


def names(site: Site, entry: Entry) -> tuple[list[str], list[str], list[str]]:
    links = EntryRelations.stored(entry)
    return (
        [Author.get_by_id(key).name for key in links.authors],
        [term_names.full_name(Category.get_by_id(key)) for key in links.categories],
        [Tag.get_by_id(key).name for key in links.tags],
    )


@pytest.mark.parametrize("kind", ["author", "tag"])
def test_a_new_name_keeps_the_slug(site: Site, kind: str) -> None:
    entry = save(site, "one", **{f"{kind}s": ["Rust"]})
    term = term_names.find_term(site, kind, "rust")
    recorded()
    assert term_edits.rename(term, name=" Rust  language ")
    assert recorded() == [(f"{kind} renamed", kind, term.id, None, {})]
    again = term_names.find_term(site, kind, "Rust language")
    assert (again.id, again.name, again.slug) == (term.id, "Rust language", "rust")
    assert not term_edits.rename(term, name="Rust language", slug="rust")
    assert term_edits.rename(term, slug="rust-language", actor="ada")
    assert recorded() == [(f"{kind} renamed", kind, term.id, None, {"path": "rust"})]
    save(site, "two", **{f"{kind}s": ["Rust language", "rust-language"]})
    assert recorded()[-1][0] == "entry added"
    assert term_names.model_of(kind).select().count() == 1
    assert entry.id in [row.entry_id for row in term_names.links_of(kind).select()]  # type: ignore[arg-type]


def test_an_entry_that_names_a_renamed_term_makes_no_second_one(site: Site) -> None:
    save(site, "one", tags=["Rust"], categories=[["News", "Local"]])
    term_edits.rename(term_names.find_term(site, "tag", "Rust"), name="Rust language")
    term_edits.rename(term_names.find_term(site, "category", "News"), name="Reports", slug="press")
    term_edits.rename(term_names.find_term(site, "category", "Reports/Local"), name="Near us")
    save(site, "two", tags=["Rust language"], categories=[["Reports", "Near us"], ["Press", "Abroad"]])
    assert sorted(c.path for c in Category.select()) == ["press", "press/abroad", "press/local"]
    assert Tag.select().count() == 1


def test_a_category_moves_with_all_below_it(site: Site) -> None:
    save(site, "one", categories=[["News", "Local", "Harbour"], ["Newsletter"], ["Art"]])
    news, art = term_names.find_term(site, "category", "news"), term_names.find_term(site, "category", "Art")
    assert isinstance(art, Category)
    recorded()
    assert term_edits.rename(news, name="Reports", slug="reports", parent=art)
    regrouped = ("category regrouped", "category", art.id, None, {})
    assert recorded() == [("category renamed", "category", news.id, None, {"path": "news"}), regrouped]
    assert sorted(c.path for c in Category.select()) == [
        "art", "art/reports", "art/reports/local", "art/reports/local/harbour", "newsletter",
    ]  # fmt: skip
    assert term_edits.rename(news, parent=None)
    assert recorded() == [("category moved", "category", news.id, None, {"path": "art/reports"}), regrouped]
    with pytest.raises(ContentError, match="“Reports” cannot be below itself"):
        below = term_names.find_term(site, "category", "reports/local/harbour")
        term_edits.rename(news, parent=below)  # type: ignore[arg-type]


def test_ambiguous_names_are_refused(site: Site) -> None:
    save(site, "one", tags=["Rust", "Go"], categories=[["News", "Go"], ["Go"]])
    go = term_names.find_term(site, "tag", "go")
    for name, slug in [("rust", None), (None, "rust"), ("RUST", "golang")]:
        with pytest.raises(ContentError, match=r"would be confused with the tag “Rust” \(rust\); merge"):
            term_edits.rename(go, name=name, slug=slug)
    with pytest.raises(ContentError, match="the tag “Go” needs a name"):
        term_edits.rename(go, name="  ")
    with pytest.raises(ContentError, match="“Go Lang” cannot be a slug; write it like go-lang"):
        term_edits.rename(go, slug="Go Lang")
    with pytest.raises(ContentError, match="confused with the category “Go”"):
        term_edits.rename(term_names.find_term(site, "category", "News/Go"), parent=None)
    with pytest.raises(ContentError, match="contains a slash"):
        term_edits.rename(term_names.find_term(site, "category", "News"), name="a/b")
    with pytest.raises(ContentError, match="no tag “Rusty” on the site blog; did you mean “Rust”"):
        term_names.find_term(site, "tag", "Rusty")
    with pytest.raises(ContentError, match="“series” is no kind of term"):
        term_names.find_term(site, "series", "x")
    assert Tag.get_by_id(go.id).slug == "go"


def test_a_category_of_a_source_cannot_be_edited(site: Site) -> None:
    save(site, "one", categories=[["News", "Local"], ["Art"]])
    local = term_names.find_term(site, "category", "News/Local")
    update_category(
        local.id, name="Near", address=None, description="", always=False, source="notes", source_path="local/_index.md"
    )
    news, art = term_names.find_term(site, "category", "News"), term_names.find_term(site, "category", "Art")
    recorded()
    refusal = "the category “News/Near” comes from the source “notes”, file local/_index.md; edit it there"
    for edit in (
        lambda: term_edits.rename(local, name="X"),
        lambda: term_edits.rename(news, slug="x"),
        lambda: term_edits.merge(news, art),
        lambda: term_edits.delete(news),
    ):
        with pytest.raises(ContentError, match=refusal):
            edit()
    assert recorded() == []
    assert term_edits.rename(news, name="Reports")


def test_merged_authors_keep_the_better_place(site: Site) -> None:
    both = save(site, "both", authors=["Ann B.", "Bob", "Ann"])
    one = save(site, "one", authors=["Bob", "Ann B."], status="draft")
    none = save(site, "none", authors=["Ann"])
    gone, into = term_names.find_term(site, "author", "Ann B."), term_names.find_term(site, "author", "Ann")
    recorded()
    assert term_edits.merge(gone, into, "ada") == 2
    assert recorded() == [
        ("entry’s authors merged", "entry", both.id, both.id, {}),
        ("entry’s authors merged", "entry", one.id, one.id, {}),
        ("author merged", "author", gone.id, None, {"into": into.id}),
    ]
    assert [names(site, entry)[0] for entry in (both, one, none)] == [["Ann", "Bob"], ["Bob", "Ann"], ["Ann"]]
    assert [a.name for a in Author.select().order_by(Author.name)] == ["Ann", "Bob"]
    with pytest.raises(ContentError, match="was removed"):
        term_edits.merge(gone, into)


def test_a_merge_moves_the_categories_below(site: Site) -> None:
    entry = save(site, "one", categories=[["Press", "Local"], ["News", "Local"], ["News"], ["Press", "Far", "Away"]])
    press, news = term_names.find_term(site, "category", "Press"), term_names.find_term(site, "category", "News")
    recorded()
    term_edits.merge(press, news)
    said = [(what, was) for what, _, _, _, was in recorded()]
    assert ("category moved", {"path": "press/far"}) in said
    assert [what for what, _ in said].count("category merged") == 2
    assert [what for what, _ in said].count("category regrouped") == 4
    assert sorted(c.path for c in Category.select()) == ["news", "news/far", "news/far/away", "news/local"]
    assert names(site, entry)[1][0] == "News/Local"
    assert sorted(names(site, entry)[1]) == ["News", "News/Far/Away", "News/Local"]
    with pytest.raises(ContentError, match="is below “News” and would go with it"):
        term_edits.merge(news, term_names.find_term(site, "category", "news/local"))
    with pytest.raises(ContentError, match="into itself"):
        term_edits.merge(news, news)


def test_a_category_merged_into_the_one_above_gives_way_to_its_own_child(site: Site) -> None:
    save(site, "one", categories=[["News", "News", "News"]])
    deepest = term_names.find_term(site, "category", "news/news/news")
    term_edits.merge(
        term_names.find_term(site, "category", "news/news"), term_names.find_term(site, "category", "news")
    )
    assert {c.id: c.path for c in Category.select()}[deepest.id] == "news/news"
    term_edits.delete(term_names.find_term(site, "category", "news"))
    assert [(c.id, c.path, c.parent_id) for c in Category.select()] == [(deepest.id, "news", None)]


def test_a_removal_records_the_categories_above(site: Site) -> None:
    save(site, "one", categories=[["News", "Local", "Harbour"], ["Art"]])
    above = [term_names.find_term(site, "category", name).id for name in ("News", "News/Local")]
    recorded()
    term_edits.delete(term_names.find_term(site, "category", "News/Local/Harbour"))
    assert [key for what, _, key, _, _ in recorded() if what == "category regrouped"] == above
    term_edits.merge(
        term_names.find_term(site, "category", "News/Local"), term_names.find_term(site, "category", "Art")
    )
    assert [key for what, _, key, _, _ in recorded() if what == "category regrouped"] == above[:1]


def test_a_removed_term_leaves_its_entries(site: Site) -> None:
    one = save(site, "one", authors=["Ann"], categories=[["News", "Local"], ["News"], ["Art"]], tags=["a", "b"])
    recorded()
    for kind, named, article in (("author", "Ann", "an"), ("tag", "a", "a")):
        term = term_names.find_term(site, kind, named)
        assert term_edits.delete(term) == 1
        assert recorded() == [
            (f"entry lost {article} {kind}", "entry", one.id, one.id, {}),
            (f"{kind} removed", kind, term.id, None, {}),
        ]
    term_edits.delete(term_names.find_term(site, "category", "News/Local"))
    term_edits.delete(term_names.find_term(site, "category", "News"))
    assert names(site, one) == ([], ["Art"], ["b"])
    assert EntryCategory.get().is_primary
    save(site, "two", categories=[["News", "Art"]])
    with pytest.raises(ContentError, match="confused with the category “Art”"):
        term_edits.delete(term_names.find_term(site, "category", "News"))


def check(site: Site) -> None:
    """What holds of terms whatever was done to them."""
    paths = {c.id: c for c in Category.select()}
    for category in paths.values():
        above = paths[category.parent_id].path + "/" if category.parent_id is not None else ""
        assert category.path == above + category.slug
    for kind in term_names.TERM_KINDS:
        table = f"entry_{kind}"
        doubled = db.execute(f"SELECT entry_id FROM {table} GROUP BY entry_id, {kind}_id HAVING COUNT(*) > 1")
        assert doubled.fetchall() == []
        late = db.execute(
            f"""SELECT entry_id FROM {table} JOIN entry ON entry.id = entry_id WHERE {table}.live_at IS DISTINCT FROM
                CASE WHEN status = 'published' AND kind = 'entry' THEN published_at END"""
        )
        assert late.fetchall() == []
    primaries = db.execute("SELECT SUM(CASE WHEN is_primary THEN 1 ELSE 0 END) FROM entry_category GROUP BY entry_id")
    assert {count for (count,) in primaries.fetchall()} <= {1}


WORDS = st.sampled_from(["a", "b", "c", "A b", "a/b", "b/a", "a/b/c", "c/c", "a/a"])
STEPS = st.one_of(
    st.tuples(st.just("save"), st.lists(WORDS, max_size=3), WORDS),
    st.tuples(st.sampled_from(["rename", "move", "merge", "delete"]), WORDS, WORDS),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=12), kind=st.sampled_from(term_names.TERM_KINDS))
def test_any_edits_keep_the_invariants(site: Site, steps: Sequence[tuple[str, str, str]], kind: str) -> None:
    with db.write():
        for model in (Entry, Author, Tag, Change):
            model.delete().execute()
        Category.update(parent=None).execute()
        Category.delete().execute()
    for number, (step, first, second) in enumerate(steps):
        before = Change.select().count()
        state = _state()
        try:
            _take(site, step, kind, first, second, number)
        except ContentError:
            assert _state() == state
        assert (_state() != state) == (Change.select().count() != before)
        check(site)


def _take(site: Site, step: str, kind: str, first: str, second: str, number: int) -> None:
    if step == "save":
        named = [word.split("/") for word in first] if kind == "category" else list(first)
        field = "categories" if kind == "category" else f"{kind}s"
        save(site, f"n{number}", status="draft" if second == "a" else "published", **{field: named})
        return
    term = term_names.find_term(site, kind, first)
    if step == "rename":
        term_edits.rename(term, name=second, slug=slugify(second) if number % 2 else None)
    elif step == "delete":
        term_edits.delete(term)
    elif step == "merge":
        term_edits.merge(term, term_names.find_term(site, kind, second))
    elif kind == "category":
        above = term_names.find_term(site, kind, second) if number % 3 else None
        term_edits.rename(term, parent=above)  # type: ignore[arg-type]


def _state() -> list[object]:
    tables = ["entry", "author", "tag", "entry_author", "entry_tag", "entry_category"]
    columns = "id, path, name, parent_id"
    return [
        *(sorted(db.execute(f"SELECT * FROM {table}").fetchall(), key=str) for table in tables),
        sorted(db.execute(f"SELECT {columns} FROM category").fetchall(), key=str),
    ]

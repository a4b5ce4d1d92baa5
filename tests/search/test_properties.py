"""Whatever happens, the index is what a fresh one would be; and whatever is asked, both databases find the same."""

from __future__ import annotations

import itertools

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from appliance import db
from appliance.content import entries
from appliance.content.models import Entry, Site
from appliance.search import index
from appliance.search.query import find
from appliance.search.terms import parse
from tests.local_site import LocalSite
from tests.search import oracle

WORDS = ("harbour", "harbours", "hare", "old", "older", "the", "Éclair", "eclairs", "東京都", "京", "都", "E-Mail", "❤️")
number = st.integers(0, 5)
text = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)

#: What anybody may do to an entry.
CHANGES = (
    "title = 'hare'", "html = '<p>old</p>'", "status = 'published'",
    "status = 'draft'", "status = 'draft', html = ''",
)  # fmt: skip
MOSTLY = st.sampled_from([True, True, False])


def empty() -> None:
    for table in ("entry", "artifact", "search_state", "change", "job"):
        db.execute(f"DELETE FROM {table}")


class Edits(RuleBasedStateMachine):
    """Edits by our code and by statements of anyone, committed, rolled back or in one transaction; reading at times."""

    blog: LocalSite

    @initialize()
    def begin(self) -> None:
        empty()
        Site.update(language="en").execute()
        self.names = itertools.count()
        index.catch_up(60)

    def _entry(self, which: int) -> Entry | None:
        known = list(Entry.select().order_by(Entry.id))
        return known[which % len(known)] if known else None

    def _add(self, text: str, status: str) -> None:
        name = f"post-{next(self.names)}"
        self.blog.save(text[:20] or "Untitled", text=text, status=status, slug=name)

    @rule(text=text, status=st.sampled_from(["published", "published", "draft"]), kept=MOSTLY)
    def add(self, text: str, status: str, kept: bool) -> None:
        with db.write(rollback=not kept):
            self._add(text, status)

    @rule(which=number, text=text, status=st.sampled_from(["published", "draft"]), day=st.integers(1, 3))
    def edit(self, which: int, text: str, status: str, day: int) -> None:
        if (entry := self._entry(which)) is not None:
            self.blog.save(
                text[:20] or "Untitled", f"2026-01-0{day}", entry=entry, text=text, status=status, slug=entry.slug
            )

    @rule(which=number)
    def delete(self, which: int) -> None:
        if (entry := self._entry(which)) is not None:
            entries.delete(entry)

    @rule(text=text, count=st.integers(index._AT_ONCE - 1, index._AT_ONCE + 3))
    def add_many(self, text: str, count: int) -> None:
        with db.write():
            for _ in range(count):
                self._add(text, "published")

    @rule(which=number, changes=st.lists(st.sampled_from(CHANGES), min_size=1, max_size=3), kept=MOSTLY)
    def change(self, which: int, changes: list[str], kept: bool) -> None:
        with db.write(rollback=not kept):
            for change in changes:
                if (entry := self._entry(which)) is not None:
                    db.execute(f"UPDATE entry SET {change} WHERE id = ?", [entry.id])

    @rule(which=number)
    def move(self, which: int) -> None:
        db.execute("UPDATE entry SET published_at = published_at + 1 WHERE id >= ?", [which])

    @rule(which=number)
    def delete_by_statement(self, which: int) -> None:
        db.execute("DELETE FROM entry WHERE id = ?", [which])

    @rule(status=st.sampled_from(["draft", "published"]), which=number)
    def change_many(self, status: str, which: int) -> None:
        db.execute("UPDATE entry SET status = ? WHERE id >= ?", [status, which])

    @rule(language=st.sampled_from(["en", "de", "ja"]), after_reading=MOSTLY)
    def change_language(self, language: str, after_reading: bool) -> None:
        """All entries are then read again, which would hide a change that was not noticed."""
        if after_reading:
            self.read_all()
        Site.update(language=language).execute()

    @rule()
    def read_some(self) -> None:
        index.catch_up(0.0)

    @rule()
    def read_all(self) -> None:
        index.catch_up(60)
        assert oracle.stored() == oracle.expected()
        assert index.next_due() is None

    @invariant()
    def nothing_withdrawn_is_kept(self) -> None:
        kept = "SELECT COUNT(*) FROM search_document d JOIN entry e ON e.id = d.entry_id WHERE e.status <> 'published'"
        assert db.execute(kept).fetchone() == (0,)

    def teardown(self) -> None:
        if hasattr(self, "names"):
            self.read_all()


def test_the_index_is_what_a_fresh_one_is(blog: LocalSite) -> None:
    class Here(Edits):
        pass

    Here.blog = blog
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


QUERY_WORDS = (
    *WORDS, "har", "ol", "eclair", "東", "東京", '"old harbour"', '"the', '"', "mail", "e-mail", "harbour-old", "zzz",
    "«京",
)  # fmt: skip
#: A page for each entry, as if it were built.
_PAGES = """
INSERT INTO artifact (site_id, path, type, template, subject, period, page, per_page, is_permalink, priority, every,
                      wanted, plan, digest, version, build, marked, built)
SELECT site_id, slug, kind, '', id, '', 1, 0, true, 0, 0, true, 0, 'built', 0, 'queue', 0, 0 FROM entry
"""
query = st.lists(st.sampled_from(QUERY_WORDS), max_size=4).map(" ".join) | st.text(max_size=12)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(texts=st.lists(text, max_size=8), queries=st.lists(query, min_size=4, max_size=12), size=st.integers(1, 4))
@example(texts=["old harbour", "harbour old", "hare"], queries=["har", '"old harbour"'], size=2)
def test_a_query_finds_what_a_look_at_every_entry_finds(
    blog: LocalSite, texts: list[str], queries: list[str], size: int
) -> None:
    """The same entries on each database, since the examples are the same."""
    empty()
    for position, text in enumerate(texts):
        blog.save(text[:9] or "Untitled", f"2026-01-0{position // 2 + 1}", text=text, slug=f"post-{position}")
    index.catch_up(60)
    db.execute(_PAGES)
    for asked in queries:
        known = oracle.found(blog.site, asked, size)
        for page in (1, 2, 3):
            answer = find(blog.site, asked, page, size)
            assert [one.entry_id for one in answer.results] == known[(page - 1) * size : page * size], asked
            assert (answer.total, answer.more) == (len(known), False)


@settings(max_examples=300, deadline=None)
@given(asked=st.text(max_size=200))
def test_words_of_a_query_can_be_quoted_for_both_databases(asked: str) -> None:
    for language in ("en", "ja", "", "tr", "x" * 30, "\0"):
        terms = parse(asked, language)
        assert all(term.words and all(term.words) for term in terms.all)
        for word in (*terms.words, *terms.beginnings):
            assert not set(word) & set("\"'\\ _|\0"), word

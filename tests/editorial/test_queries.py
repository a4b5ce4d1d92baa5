"""Lists of content: what they hold is what a plain reading says, page by page, on each database, at any size."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance import db, editorial
from appliance.config import Config
from appliance.content.models import Asset, Author, Category, Comment, Entry, EntryTag, Site, Tag
from appliance.editorial import AssetFilter, CommentFilter, EntryFilter, TermFilter
from appliance.editorial.queries import entries as entry_queries
from appliance.editorial.queries.comments import COMMENT_ORDERS
from appliance.editorial.queries.entries import ENTRY_ORDERS
from appliance.errors import ContentError, CursorError
from appliance.paging import Count, Group, Page, all_rows
from tests import growth

TITLES = ["Ärger", "apfel", "Banana", "100%", "under_score", "x" * 200 + "a", "x" * 200 + "b", "", "Ωmega"]


@pytest.fixture
def site(database: Config) -> Site:
    Site.create(name="other", title="Other", url="https://other.example/", folder="other")
    return Site.create(name="blog", title="A Blog", url="https://blog.example/")


def add(site: Site, number: int, chance: random.Random) -> int:
    """An entry of chance, with what hangs on it."""
    at = chance.choice([5, 5, 7, 1000 + number])
    entry = Entry.create(
        site=site, kind=chance.choice(["entry", "entry", "page"]),
        status=chance.choice(["draft", "scheduled", "published"]),
        title=chance.choice(TITLES), slug=f"n{number}", published_at=at, modified_at=chance.choice([at, 9]),
        day="1970-01-01", week="1970-01-01", text=chance.choice(["", "Needle", "100% hay"]),
    )  # fmt: skip
    tag = chance.choice([None, *Tag.select().where(Tag.site == site)])
    if tag:
        EntryTag.create(entry=entry, tag=tag)
    Comment.create(
        entry=entry, status=chance.choice(["approved", "pending", "spam"]), author_name=chance.choice(["Ida", "Bo"]),
        text=chance.choice(["Needle", "hay"]), html="", created_at=at,
    )  # fmt: skip
    Asset.create(
        site=site, entry=chance.choice([None, entry]), path=f"{chance.choice(TITLES)}/{number}.png", digest="d", size=1,
        media_type=chance.choice(["image/png", "text/plain"]),
    )  # fmt: skip
    return int(entry.id)


def fill(site: Site, numbers: range, chance: random.Random) -> None:
    with db.write():
        for number in numbers:
            add(chance.choice([site, site, site, Site.get(Site.name == "other")]), number, chance)


def has(text: str, *wheres: str) -> bool:
    return any(text.lower() in where.lower() for where in wheres)


def expected_entries(site: Site, wanted: EntryFilter, order: str) -> list[int]:
    """What a filter means, read plainly."""
    tagged = {link.entry_id for link in EntryTag.select().join(Tag).where(Tag.name == wanted.tag)}
    rows = [
        row
        for row in Entry.select().where(Entry.site == site)
        if (not wanted.status or row.status == wanted.status)
        and (not wanted.kind or row.kind == wanted.kind)
        and (not wanted.tag or row.id in tagged)
        and (wanted.since == "" or row.published_at >= int(wanted.since))
        and (wanted.until == "" or row.published_at < int(wanted.until))
        and (not wanted.text or has(wanted.text, row.title, row.text))
    ]
    if order == "title":  # sorted as the database sorts texts
        found = Entry.select(Entry.id).where(Entry.site == site)
        place = {row.id: n for n, row in enumerate(found.order_by(db_title(), Entry.id))}
        return sorted((row.id for row in rows), key=place.__getitem__)
    keys: dict[str, Callable[[Any], Any]] = {
        "date": lambda row: (-row.published_at, -row.id), "oldest": lambda row: (row.published_at, row.id),
        "modified": lambda row: (-row.modified_at, -row.id), "id": lambda row: row.id,
    }  # fmt: skip
    return [row.id for row in sorted(rows, key=keys[order])]


def db_title() -> Any:
    from peewee import fn

    return fn.SUBSTR(Entry.title, 1, 120)


wanted_entries = st.builds(
    EntryFilter, status=st.sampled_from(["", "draft", "published"]), kind=st.sampled_from(["", "entry", "page"]),
    tag=st.sampled_from(["", "", "rare", "often"]), since=st.sampled_from(["", "", 7]),
    until=st.sampled_from(["", "", 1010]), text=st.sampled_from(["", "", "needle", "100%", "ÄRGER", "_"]),
)  # fmt: skip


def quietly(examples: int) -> Any:
    return settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def emptied(site: Site) -> None:
    with db.write():
        for model in (EntryTag, Comment, Asset, Entry, Tag):
            model.delete().execute()
        for name in ("often", "rare"):
            Tag.create(site=site, name=name, slug=name)


@quietly(40)
@given(
    st.integers(0, 2**32),
    wanted_entries,
    st.sampled_from(sorted(ENTRY_ORDERS)),
    st.integers(1, 9),
    st.sampled_from([1, 3, 10_000]),
)
def test_all_pages_of_entries_while_others_write(
    database: Config, site: Site, seed: int, wanted: EntryFilter, order: str, size: int, reach: int
) -> None:
    """Every entry that stands throughout comes exactly once, in order, whatever is added and deleted meanwhile."""
    emptied(site)
    if "ÄRGER" in wanted.text and not growth.is_server(database):
        wanted = replace(wanted, text="Ärger")  # to SQLite only the case of ASCII letters is one
    chance = random.Random(seed)
    fill(site, range(30), chance)
    before = expected_entries(site, wanted, order)
    seen: list[int] = []
    new = iter(range(100, 10_000))

    def read(after: str | None) -> Page[Any]:
        page = editorial.list_entries(database, "blog", wanted, order=order, size=size, after=after)
        if after is None and reach == 10_000:
            assert page.total == Count(len(before))
        with db.write():
            add(site, next(new), chance)
            victim = chance.choice([row.id for row in Entry.select(Entry.id)])
            Entry.delete().where(Entry.id == victim).execute()
        return page

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entry_queries, "REACH", reach)
        patch.setattr(entry_queries, "TEXT_REACH", reach)
        pages = 0
        after: str | None = None
        while True:
            page = read(after)
            assert len(page.rows) <= size
            seen += [row.id for row in page.rows]
            pages += 1
            after = page.next
            if after is None or pages > 400:
                break
    assert pages <= 400
    assert len(seen) == len(set(seen))
    standing = [key for key in before if Entry.select().where(Entry.id == key).exists()]
    assert [key for key in seen if key in set(standing)] == standing


@quietly(40)
@given(
    st.integers(0, 2**32), st.sampled_from(["", "pending"]), st.sampled_from(["", "ida"]),
    st.sampled_from(["", "needle"]),
    st.sampled_from(["", 6]), st.sampled_from(sorted(COMMENT_ORDERS)), st.integers(1, 7), st.booleans(),
)  # fmt: skip
def test_all_pages_of_comments(
    database: Config, site: Site, seed: int, status: str, author: str, text: str, since: Any, order: str, size: int,
    on_entry: bool,
) -> None:  # fmt: skip
    emptied(site)
    fill(site, range(25), random.Random(seed))
    entry = Entry.select().where(Entry.site == site).first() if on_entry else None
    wanted = CommentFilter(entry, status, author, text, since)
    expected = [
        row.id
        for row in Comment.select(Comment, Entry).join(Entry).where(Entry.site == site)
        .order_by(Comment.created_at, Comment.id)
        if (not status or row.status == status) and (not author or has(author, row.author_name))
        and (not text or has(text, row.text)) and (since == "" or row.created_at >= since)
        and (entry is None or row.entry_id == entry.id)
    ]  # fmt: skip
    found = list(
        all_rows(lambda after: editorial.list_comments(database, "blog", wanted, order=order, size=size, after=after))
    )
    assert [row.id for row in found] == (expected if order == "oldest" else expected[::-1])
    assert editorial.list_comments(database, "blog", wanted, size=1).total == Count(len(expected))
    assert all(row == editorial.get_comment(database, "blog", row.id) for row in found)


@quietly(25)
@given(st.integers(0, 2**32), st.sampled_from(["", "png", "1", "%"]), st.sampled_from(["", "image"]), st.integers(1, 7))
def test_all_pages_of_files(database: Config, site: Site, seed: int, path: str, media: str, size: int) -> None:
    emptied(site)
    fill(site, range(25), random.Random(seed))
    wanted = AssetFilter(path, None, media)
    expected = [
        row.id
        for row in Asset.select().where(Asset.site == site).order_by(Asset.path)
        if path.lower() in row.path.lower() and row.media_type.startswith(media)
    ]
    found = list(all_rows(lambda after: editorial.list_assets(database, "blog", wanted, size=size, after=after)))
    assert [row.id for row in found] == expected
    owned = [row for row in found if row.entry]
    for row in owned[:2]:
        of_entry = editorial.list_assets(database, "blog", replace(wanted, entry=row.entry))
        assert [one.id for one in of_entry.rows] == [one.id for one in owned if one.entry == row.entry]


def test_terms_page_by_page(database: Config, site: Site) -> None:
    emptied(site)
    news = Category.create(site=site, name="News", slug="news", path="news")
    Category.create(site=site, name="Local", slug="local", path="news/local", parent=news)
    Category.create(site=site, name="Arts", slug="arts", path="arts")
    Author.create(site=site, name="Ida", slug="ida")
    fill(site, range(20), random.Random(1))
    for kind, slugs in (("category", ["arts", "news", "local"]), ("tag", ["often", "rare"]), ("author", ["ida"])):
        rows = list(all_rows(lambda c, kind=kind: editorial.list_terms(database, "blog", kind, size=1, after=c)))  # type: ignore[misc]
        assert [row.slug for row in rows] == slugs
        assert editorial.list_terms(database, "blog", kind).total == Count(len(slugs))
        assert [editorial.get_term(database, "blog", kind, row.name) for row in rows] == rows
    assert [row.name for row in editorial.list_terms(database, "blog", "category").rows] == [
        "Arts",
        "News",
        "News/Local",
    ]
    (row,) = editorial.list_terms(database, "blog", "tag", TermFilter("FTE")).rows
    assert row.entries == Count(EntryTag.select().join(Tag).where(Tag.name == "often").count())
    with pytest.raises(ContentError, match="no kind of term"):
        editorial.list_terms(database, "blog", "series")


def test_counts_by_site_kind_and_state(database: Config, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    emptied(site)
    fill(site, range(40), random.Random(2))
    rows = list(Entry.select().where(Entry.site == site))
    counts = editorial.count_entries(database)
    for kind in ("entry", "page"):
        for status in ("draft", "scheduled", "published"):
            number = sum((row.kind, row.status) == (kind, status) for row in rows)
            assert counts.groups.get(Group("blog", kind, status), Count(0)) == Count(number)
    assert counts.total == Count(len(rows))
    comments = editorial.count_comments(database).by_state()
    for status in ("pending", "approved", "spam"):
        on_site = Comment.select().join(Entry).where(Entry.site == site, Comment.status == status).count()
        assert comments.get(status, Count(0)) == Count(on_site)
    assert editorial.count_assets(database).total == Count(Asset.select().where(Asset.site == site).count())
    assert editorial.count_terms(database).by_kind() == {"tag": Count(2)}


def test_a_cursor_of_another_order_is_refused(database: Config, site: Site) -> None:
    fill(site, range(10), random.Random(3))
    cursor = editorial.list_entries(database, "blog", order="date", size=1).next
    assert cursor
    with pytest.raises(CursorError):
        editorial.list_entries(database, "blog", order="oldest", size=1, after=cursor)
    with pytest.raises(CursorError):
        editorial.list_comments(database, "blog", size=1, after=cursor)


_ENTRIES = """
INSERT INTO entry (site_id, kind, status, title, slug, folder, published_at, modified_at, day, week, format, text, html,
                   excerpt, summary, late_bound, allow_comments, extra)
WITH RECURSIVE n (i) AS (SELECT CAST(? AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < ?)
SELECT ?, 'entry', 'published', 'Title ' || i, 's' || i, '', i, i, '1970-01-01', '1970-01-01', 'markdown',
       'some text', '', '', '', FALSE, TRUE, '{}' FROM n
"""
_COMMENTS = """
INSERT INTO comment (entry_id, status, author_name, author_email, author_url, text, html, created_at)
SELECT id, 'approved', 'Ida', '', '', 'said', '', published_at FROM entry WHERE published_at BETWEEN ? AND ?
"""
_ASSETS = """
INSERT INTO asset (site_id, path, digest, size, media_type)
SELECT site_id, 'files/' || id || '.png', 'd', 1, 'image/png' FROM entry WHERE published_at BETWEEN ? AND ?
"""
_LINKS = """
INSERT INTO entry_tag (entry_id, tag_id, position)
SELECT id, ?, 0 FROM entry WHERE published_at BETWEEN ? AND ?
"""


def grow(site: Site, first: int, last: int) -> None:
    often = Tag.get(Tag.slug == "often").id
    with db.write():
        db.execute(_ENTRIES, [first, last, site.id])
        db.execute(_COMMENTS, [first, last])
        db.execute(_ASSETS, [first, last])
        db.execute(_LINKS, [often, first, last])
    if "Postgres" in type(db.backend()).__name__:
        db.execute("ANALYZE")


@pytest.fixture
def large(database: Config, site: Site) -> Iterator[Site]:
    emptied(site)
    rare = Entry.create(
        site=site,
        kind="page",
        status="draft",
        title="Rare",
        slug="rare",
        published_at=1,
        modified_at=1,
        day="",
        week="",
    )
    EntryTag.create(entry=rare, tag=Tag.get(Tag.slug == "rare"))
    grow(site, 10, 12_000)
    yield site


def looks(config: Config, site: Site) -> dict[str, Callable[[], Any]]:
    """What a dashboard asks for: the first page, one from the middle, with and without filters, and counts."""
    middle = {
        name: keyset_cursor(name, values)
        for name, values in {
            "date": (6000, 6000), "oldest": (6000, 6000), "modified": (6000, 6000), "title": ("Title 6000", 6000),
            "id": (6000,),
        }.items()
    }  # fmt: skip

    def entries(**given: Any) -> Callable[[], Any]:
        order, after = given.pop("order", "date"), given.pop("after", None)
        return lambda: editorial.list_entries(config, "blog", EntryFilter(**given), order=order, after=after)

    lists = {f"entries by {order}": entries(order=order) for order in ENTRY_ORDERS}
    lists |= {
        f"entries by {order} from the middle": entries(order=order, after=middle[order]) for order in ENTRY_ORDERS
    }
    lists |= {f"pages by {order}": entries(order=order, kind="page") for order in ENTRY_ORDERS}
    return lists | {
        "drafts": entries(status="draft"),
        "a rare tag": entries(tag="rare"),
        "a frequent tag": entries(tag="often"),
        "a period": entries(since=5000, until=5100),
        "a text nobody wrote": entries(text="nowhere"),
        "comments": lambda: editorial.list_comments(config, "blog"),
        "comments that wait": lambda: editorial.list_comments(config, "blog", CommentFilter(status="pending")),
        "comments nobody wrote": lambda: editorial.list_comments(config, "blog", CommentFilter(text="nowhere")),
        "comments on an entry": lambda: editorial.list_comments(config, "blog", CommentFilter(entry="rare")),
        "files": lambda: editorial.list_assets(config, "blog"),
        "files nobody has": lambda: editorial.list_assets(config, "blog", AssetFilter("nowhere")),
        "tags": lambda: editorial.list_terms(config, "blog", "tag"),
        "number of entries": lambda: editorial.count_entries(config),
        "number of comments": lambda: editorial.count_comments(config),
        "number of files": lambda: editorial.count_assets(config),
        "number of terms": lambda: editorial.count_terms(config),
    }


def keyset_cursor(name: str, values: tuple[Any, ...]) -> str:
    from appliance.paging import encode_cursor

    return encode_cursor(name, values)


def test_no_page_costs_more_with_four_times_as_many_entries(
    database: Config, large: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps of the machine on SQLite; on PostgreSQL the rows that its plans take from tables."""

    def costs() -> dict[str, int]:
        found = looks(database, large)
        if growth.is_server(database):
            return {name: growth.rows_read(monkeypatch, look) for name, look in found.items()}
        return {name: growth.steps(look) for name, look in found.items()}

    before = costs()
    grow(large, 12_001, 48_000)
    after = costs()
    assert {name: (before[name], after[name]) for name in before if after[name] > 1.5 * before[name] + 50} == {}


def test_no_page_walks_through_all_rows(database: Config, large: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    if growth.is_server(database):
        pytest.skip("a server may walk through a table as far as a count goes")
    for name, look in looks(database, large).items():
        if " by id" in name:
            continue  # the table itself is in this order
        for plan in growth.plans(monkeypatch, look):
            for table in ("entry", "comment", "asset"):
                assert not growth.walks(plan, table), (name, plan)

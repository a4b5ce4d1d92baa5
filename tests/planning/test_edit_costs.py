"""Planning an edit costs what it touches: on a site with eight times the entries, the database reads no more rows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from appliance import db
from appliance.content import comments, entries, entry_edits, term_edits
from appliance.content.models import Category, Entry
from appliance.planning import sitemaps
from tests import growth
from tests.conftest import empty
from tests.local_site import LocalSite, archive, index, moment
from tests.planning.conftest import OpenSite

MANIFEST = (
    "[redirect]\n"
    + index("index.html", "recent.html")
    + index("facts.html", "facts.html")
    + index("sitemap.xml", "sitemap.xml", "sitemap = true")
    + archive("entry", "{category}/{slug}.html")
    + "".join(archive(kind, f"{kind}/{{{kind}}}.html") for kind in ("author", "category", "tag"))
    + archive("monthly", "{year}/{month}/index.html")
    + archive("category-monthly", "category/{category}/{year}/{month}.html")
)
FILES = {
    "entry.html": "{{ entry.title }}",
    "listing.html": "{{ listing.total }}",
    "recent.html": "{% for e in site.recent(3) %}{{ e.title }} {{ e.url }};{% endfor %}",
    "facts.html": """\
{% for t in site.categories() + site.tags() + site.authors() %}{{ t.name }} {{ t.count }};{% endfor %}
{% for p in site.archives('monthly') %}{{ p.url }} {{ p.count }};{% endfor %}""",
    "sitemap.xml": "{% for u, at in sitemaps + urls %}{{ u }}{% endfor %}",
}
FEW, MANY = 150, 1200
#: Of either site, as many entries are in the category that is edited as a whole.
SMALL = 20


def filled(shop: LocalSite, count: int) -> LocalSite:
    """A planned site, of which the lists that any page may show are built. A tenth of its entries have moved once."""
    with db.write():
        for n in range(count):
            group = ["Small"] if n < SMALL else ["Large", "Deep"]
            shop.save(
                f"Post {n}", f"20{n % 20:02}-{n % 12 + 1:02}-0{n % 9 + 1}", slug=f"p-{n}", categories=[group],
                authors=["Ada"], tags=["tide"],
            )  # fmt: skip
    shop.publish()
    build(shop)
    with db.write():
        for entry in Entry.select().order_by(Entry.id.desc()).limit(count // 10):
            entry_edits.edit(entry, slug=f"moved-{entry.id}")
    shop.publish()
    build(shop)
    return shop


def build(shop: LocalSite) -> None:
    """Build the lists; all else counts as built."""
    db.execute("DELETE FROM job WHERE key NOT IN ('facts.html', 'index.html')")
    shop.drain()
    db.execute("DELETE FROM artifact WHERE NOT wanted")
    db.execute("UPDATE artifact SET built = marked, digest = 'd', size = 1")
    if growth.is_server(shop.config):
        db.execute("ANALYZE")  # as its autovacuum does by itself


def some(count: int = 1, category: str = "Large/Deep") -> list[Entry]:
    """Entries from the middle of the site that are in a category."""
    found = Entry.select().where(Entry.slug.startswith("p-")).order_by(Entry.id)
    if category == "Small":
        return list(found.limit(count))
    return list(found.offset(SMALL + Entry.select().count() // 3).limit(count))


def add(shop: LocalSite, day: str) -> None:
    shop.save("New", day, slug="new", categories=[["Large", "Deep"]], authors=["Ada"], tags=["tide"])


EDITS: dict[str, Callable[[LocalSite], object]] = {
    "the newest entry": lambda shop: add(shop, "2026-01-01"),
    "an old entry": lambda shop: add(shop, "2005-06-03"),
    "a date": lambda _: entry_edits.edit(some()[0], published_at=moment("2011-03-04")),
    "a title": lambda _: entry_edits.edit(some()[0], title="Other"),
    "a slug": lambda _: entry_edits.edit(some()[0], slug="other"),
    "tags": lambda _: entry_edits.edit(some()[0], tags=["fog"]),
    "a comment": lambda _: comments.add(some()[0], "Ada", "Yes."),
    "a deletion": lambda _: entries.delete(some()[0]),
    "deletions": lambda _: [entries.delete(entry) for entry in some(40)],
    "a category's name": lambda _: term_edits.rename(category("Small"), name="Little"),
    "a category's slug": lambda _: term_edits.rename(category("Small"), slug="little"),
    "a category's parent": lambda _: term_edits.rename(category("Small"), parent=category("Large")),
}


_CONTENT = ("job", "publication", "change", "artifact", "planned", "move", "entry", "category", "author", "tag")


def category(name: str) -> Category:
    return Category.get(Category.name == name)


def read(shop: LocalSite, edit: Callable[[LocalSite], object]) -> int:
    """How much the database reads to plan an edit: rows, or hundreds of steps of SQLite."""
    found = 0

    def body() -> None:
        nonlocal found
        edit(shop)
        if growth.is_server(shop.config):
            db.execute("SET LOCAL enable_seqscan = off")  # as on a site too large for that
            before = _rows_read()
            shop.publish()
            found = _rows_read() - before
        else:
            found = growth.steps(shop.publish)

    growth.undone(body)
    return found


def _rows_read() -> int:
    sums = "SUM(COALESCE(seq_tup_read, 0) + COALESCE(idx_tup_fetch, 0))"
    return int(db.execute(f"SELECT {sums} FROM pg_stat_xact_user_tables").fetchone()[0])


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> dict[str, str]:
    if request.param == "sqlite":
        return {}
    return {"database": empty(request.getfixturevalue("_postgres_url"))}


def test_an_edit_of_a_large_site_is_planned_as_one_of_a_small_site(
    open_site: OpenSite, database: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sitemaps, "BLOCK_SIZE", 40)
    shop = filled(open_site(MANIFEST, FILES, **database), FEW)
    few = {name: read(shop, edit) for name, edit in EDITS.items()}
    with db.write():
        for table in _CONTENT:
            db.execute(f"DELETE FROM {table}")
    filled(shop, MANY)
    many = {name: read(shop, edit) for name, edit in EDITS.items()}
    assert {name: (few[name], many[name]) for name in EDITS if many[name] > 1.5 * few[name] + 50} == {}

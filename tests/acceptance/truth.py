"""A small site under every kind of change, for the oracle of all incremental work."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from appliance import db, publishing
from appliance.content import assets, comments, entries, entry_edits, sites, term_edits
from appliance.content.models import Asset, Author, Category, Comment, Entry, Tag
from appliance.errors import ContentError
from tests.building.test_pages import picture
from tests.local_site import EVERY_ARCHIVE, LocalSite, archive, index, local_site, moment, tree, write_theme

MANIFEST = (
    '[static]\nfolder = "static"\n[redirect]\n[thumbnails]\nwidths = [20]\n[settings]\ntagline = "none"\n'
    + index("index.html", more="paginate = 2")
    + index("feed.xml", "feed.xml", "feed = true\nentries = 3")
    + index("sitemap.xml", "sitemap.xml", "sitemap = true")
    + index("facts.html", "facts.html")
    + index("clock.html", "clock.html")
    + "".join(archive(kind, path, more="paginate = 2") for kind, path in EVERY_ARCHIVE.items())
    + archive("entry", "by-author/{author}/{category}/{slug}-{id}.html", "print.html")
)
TERM = "{{ t.name }} {{ t.url }} {{ t.count }}"
FILES = {
    "entry.html": """\
{% import 'macros.html' as m %}
{{ m.title(entry) }} {{ entry.published | iso }} {{ entry.modified | iso }} {{ entry.html }} {{ entry.summary }}
{{ entry.previous.title if entry.previous }} {{ entry.next.url if entry.next }} {{ entry.allow_comments }}
{% for t in entry.categories + entry.tags + entry.authors %}TERM;{% endfor %}
{% for c in entry.comments recursive %}{{ c.author }}{{ c.html }}({{ loop(c.replies) }}){% endfor %}
""".replace("TERM", TERM),
    "print.html": "{{ entry.title }} {{ entry.category.name if entry.category }} {{ site.title }}",
    "macros.html": "{% macro title(entry) %}<b>{{ entry.title }}</b>{% endmacro %}",
    "listing.html": """\
{{ listing.type }} {{ listing.page }}/{{ listing.pages }} {{ listing.total }}
{{ listing.previous_url }} {{ listing.next_url }}
{% set who = listing.category or listing.tag or listing.author %}
{{ who.name ~ who.slug if who }} {{ listing.period.start if listing.period }}
{% import 'macros.html' as m %}{% from 'macros.html' import title %}
{% for e in listing.entries %}{{ title(e) }} {{ m.title(e) }} {% include 'card.html' %};{% endfor %}
""",
    "card.html": """\
{{ e.title }} {{ e.url }} {{ e.excerpt }} {{ e.comment_count }} {{ site.title }}
{% for t in e.categories + e.tags + e.authors %}{{ t.name }} {{ t.url }};{% endfor %}
""",
    "facts.html": """\
{% for e in site.recent(3) %}{{ e.title }} {{ e.comment_count }};{% endfor %}
{% for t in site.categories() + site.tags() + site.tags(2) + site.authors() %}TERM;{% endfor %}
{% for k in ('daily', 'weekly', 'monthly', 'yearly') %}
{% for p in site.archives(k) %}{{ p.url }} {{ p.count }};{% endfor %}
{% endfor %}
{% for p in site.pages() %}{{ p.title }} {{ p.url }};{% endfor %}
{{ static('a.css') }} {{ site.settings.tagline }} {{ theme.name }}
""".replace("TERM", TERM),
    "clock.html": "{{ site.now('1h') | iso }} {{ site.now() | iso }}",
    "static/a.css": "a",
    "feed.xml": "{% for e in listing.entries %}{{ e.absolute_url }} {{ e.html | absolute }}{% endfor %}",
    "sitemap.xml": """\
{% for u, at in sitemaps %}{{ u }}{% endfor %}{% for u, at in urls %}{{ u }} {{ at | iso if at else '' }}
{% endfor %}""",
}  # fmt: skip

DAYS = ("2025-12-31", "2026-01-01", "2026-01-02", "2026-01-07", "2026-02-01")
#: Paths that something else has or may have: index templates, the theme's files, listings and their pages, entries,
#: smaller copies of pictures, parts of sitemaps, former addresses, and files that are folders elsewhere.
CLASHES = (
    "index.html", "theme/a.css", "feed.xml", "tag/a/index.html", "monthly/2026/01/index.html", "page/2/index.html",
    "2026/01/s-1/index.html", "files/0-20w.png", "sitemap-entry-1.xml", "old/1.html", "tag", "2026", "files",
    "old/1.html/index.html", "2026/01/s-2-2/index.html", "2026/01/S-1/index.html",
)  # fmt: skip
CATEGORIES: tuple[list[str], ...] = (["News"], ["News", "Local"], ["News-x"], ["Art"])
_WHAT_FOLLOWS = (
    "job_trigger", "job", "throttle", "reading", "artifact", "recipe_key", "recipe", "answer", "planned", "publication",
    "placement", "listing_total",
)  # fmt: skip


class World:
    """A site, what happens to it, and what a rebuild from nothing would make of it."""

    def __init__(self, shop: LocalSite) -> None:
        self.shop = shop
        self.ahead = 0.0

    def begin(self, posts: int) -> None:
        """Entries with terms, comments, links to each other and pictures; the last one is a page."""
        for n in range(posts):
            self.add(n, n, "published", "page" if n == 4 else "entry")
            for field in ("categories", "tags", "authors"):
                self.edit(n, field, n)
            self.comment(n, 2 * n)
        self.upload(0, 7)
        for n in range(0, posts, 2):
            self.link(n, n + 1)

    def add(self, title: int, day: int, status: str, kind: str) -> None:
        named = {"published_at": moment(DAYS[day]), "status": status, "kind": kind}
        self._do(lambda: entry_edits.add(self.shop.site, f"Title {title}", f"Text {title}.", **named))

    def edit(self, which: int, field: str, value: int) -> None:
        entry = _pick(Entry, which)
        if entry is None:
            return
        named = {
            "title": f"Other {value}", "text": f"More **{value}**.\n\nAnd more.", "slug": f"s-{value}",
            "published_at": moment(DAYS[value % 5]) + 3600 * value, "summary": f"In short {value}",
            "categories": CATEGORIES[value % 4 :][:3], "tags": ["a", "b", "c"][value % 4 :],
            "authors": ["Ada", "Bo", "Cy"][value % 4 :], "status": ("draft", "published", "scheduled")[value % 3],
            "kind": ("entry", "page")[value % 2], "folder": ("", "docs")[value % 2], "allow_comments": value % 2 == 0,
            "aliases": [f"old/{value}.html"][: value % 3], "address": (None, f"at/{value}", None)[value % 3],
            "unpublish_at": (None, int(db.now()) + 7200)[value % 2], "extra": {"k": value},
        }[field]  # fmt: skip
        if field == "status" and named == "scheduled":
            self._do(
                lambda: entry_edits.edit(entry, status="scheduled", published_at=int(db.now()) + 1800 + 3600 * value)
            )
        else:
            self._do(lambda: entry_edits.edit(entry, **{field: named}))

    def link(self, which: int, other: int) -> None:
        """Let an entry point at another one, at a picture and at a category."""
        entry, target = _pick(Entry, which), _pick(Entry, other)
        if entry is None or target is None:
            return
        asset, category = _pick(Asset, other), _pick(Category, other)
        text = f'<a href="appliance:entry/{target.id}">there</a>'
        text += f'<img src="appliance:asset/{asset.id}">' if asset else ""
        text += f'<a href="appliance:category/{category.id}">c</a>' if category else ""
        with suppress(ContentError):
            entries.save(self.shop.site, entry_edits.entry_data(entry).__class__(**_html(entry, text)), entry=entry)
            db.execute("UPDATE entry SET late_bound = ? WHERE id = ?", [True, entry.id])

    def delete(self, which: int) -> None:
        if entry := _pick(Entry, which):
            entries.delete(entry)

    def comment(self, which: int, value: int) -> None:
        if entry := _pick(Entry, which):
            last = Comment.select().where(Comment.entry == entry).order_by(Comment.id.desc()).first()
            parent = last if value % 3 == 0 else None
            said = {"parent": parent, "status": ("approved", "pending")[value % 2]}
            comments.add_imported(entry, f"R {value}", f"Says {value}", **said)

    def moderate(self, which: int, value: int) -> None:
        if comment := _pick(Comment, which):
            if value == 3:
                comments.delete(comment)
            else:
                comments.set_status(comment, ("approved", "pending", "spam")[value % 3])

    def term(self, kind: str, which: int, what: str, value: int) -> None:
        model = {"author": Author, "category": Category, "tag": Tag}[kind]
        term, other = _pick(model, which), _pick(model, value)
        if term is None:
            return
        if what == "name":
            self._do(lambda: term_edits.rename(term, name=f"N{value}"))
        elif what == "slug":
            self._do(lambda: term_edits.rename(term, slug=f"slug-{value}"))
        elif what == "merge" and other is not None:
            self._do(lambda: term_edits.merge(term, other))
        elif what == "delete":
            self._do(lambda: term_edits.delete(term))
        elif what == "parent" and kind == "category":
            self._do(lambda: term_edits.rename(term, parent=other))

    def upload(self, which: int, value: int) -> None:
        """Put a file on the site, one in two as an entry's own."""
        owner = _pick(Entry, which + value) if value // 2 % 2 else None
        if value % 2:
            self.shop.upload(f"files/{which}.png", picture(18 + value), entry=owner)
        else:
            self.shop.upload(f"files/{which}.txt", f"{value}".encode(), entry=owner)

    def clash(self, how: str, which: int, where: int) -> None:
        """Let an upload, an entry, a page or a former address want a path that something else has."""
        path, entry = CLASHES[where % len(CLASHES)], _pick(Entry, which)
        if how == "upload":
            self._do(lambda: self.shop.upload(path, f"{where}".encode()))
        elif entry is not None:
            named = {"address": {"address": path}, "alias": {"aliases": [path]}, "name": {"slug": f"s-{where % 3}"}}[
                how
            ]
            self._do(lambda: entry_edits.edit(entry, **named))

    def remove_upload(self, which: int) -> None:
        if asset := _pick(Asset, which):
            assets.delete(asset)

    def theme(self, what: str, value: int) -> None:
        folder = self.shop.folder / "theme"
        if what == "toml":
            changed = MANIFEST.replace('"none"', f'"{value}"')
            if value % 3 == 0:
                changed = changed.replace('"yearly/{year}', '"per-year/{year}')
            if value % 3 == 1:
                changed = changed.replace("paginate = 2", "paginate = 3")
            write_theme(folder, changed, {})
        elif what == "static/a.css":
            (folder / what).write_text(f"{value}", "utf-8")
        else:
            (folder / what).write_text(FILES[what] + f"<!-- {value % 3} -->", "utf-8")

    def settings(self, field: str, value: int) -> None:
        shop = self.shop
        update = {
            "title": f"Site {value}", "timezone": ("UTC", "Asia/Tokyo", "Europe/Berlin")[value % 3],
            "settings": {"tagline": f"t{value}"}, "empty_archives": value % 2 == 0,
            "week_starts": ("monday", "sunday")[value % 2],
        }[field]  # fmt: skip
        changed = shop.config.sites[0].model_copy(update={field: update})
        shop.config = shop.config.model_copy(update={"sites": [changed]})
        sites.sync(shop.config)

    def pass_time(self, hours: int) -> None:
        self.ahead += 3600.0 * hours
        db.backend().now_at(self.ahead)

    def publish(self) -> None:
        self.shop.publish(allow_removals=True)

    def settle(self) -> None:
        """Publish and drain: what is written must be what differs."""
        before, last = self.shop.tree(), _newest()
        self.shop.publish(allow_removals=True)
        self.shop.drain(retries=4)  # a file may have to wait until the folder of its name is empty
        assert self.shop.failed() == {}
        after = self.shop.tree()
        rows = db.execute("SELECT path, op FROM publication WHERE id > ? ORDER BY id", [last]).fetchall()
        written = [path for path, op in rows if op == "put"]
        assert sorted(written) == sorted(path for path in after if before.get(path) != after[path])
        deleted = [path for path, op in rows if op == "delete"]
        assert sorted(deleted) == sorted(path for path in before if path not in after)

    def rebuilt(self) -> dict[str, bytes]:
        """The docroot that is made of the content alone, everything else forgotten; all of that is undone."""
        folder = Path(tempfile.mkdtemp(dir=self.shop.folder))
        where = {"docroot": folder / "www", "staging": folder / ".staging"}
        other = LocalSite(self.shop.folder, self.shop.config.model_copy(update=where))
        try:
            with suppress(_Undone), db.write():
                for table in _WHAT_FOLLOWS:
                    db.execute(f"DELETE FROM {table}")
                publishing.publish(other.config)
                other.drain()
                assert other.failed() == {}
                raise _Undone
            return tree(folder / "www")
        finally:
            close(other)
            shutil.rmtree(folder)

    def _do(self, edit: object) -> None:
        with suppress(ContentError):  # a name that is taken, a category below itself
            edit()  # type: ignore[operator]


class _Undone(Exception):  # noqa: N818 - not an error
    pass


def close(shop: LocalSite) -> None:
    """End what a local site's builder started."""
    if shop.kind is not None:
        shop.kind.perform.__self__._builder.close()  # type: ignore[attr-defined]
        shop.kind = None


def _html(entry: Entry, text: str) -> dict[str, object]:
    data = entry_edits.entry_data(entry)
    return {name: getattr(data, name) for name in data.__slots__} | {"text": text, "format": "html"}


def _newest() -> int:
    return int(db.execute("SELECT COALESCE(MAX(id), 0) FROM publication").fetchone()[0])


def _pick(model: type, which: int) -> object:
    rows = list(model.select().order_by(model.id))  # type: ignore[attr-defined]
    return rows[which % len(rows)] if rows else None


@contextmanager
def world(database: str | None) -> Iterator[World]:
    """An installation in memory-backed storage where there is one: hypothesis makes many."""
    shm = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=shm if shm.is_dir() else None))
    more = {"database": database} if database else {}
    try:
        with local_site(folder, MANIFEST, FILES, sites=[{"timezone": "Europe/Berlin"}], **more) as shop:
            made = World(shop)
            yield made
            db.backend().now_at(0.0)
    finally:
        shutil.rmtree(folder)

"""One truth: after any sequence of edits the docroot is byte for byte what a rebuild from nothing gives."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance import db
from appliance.content import assets, comments, entries, terms
from appliance.content.models import Asset, Comment, Entry
from tests.building.test_pages import picture
from tests.workshop import EVERY_ARCHIVE, Workshop, archive, index, workshop

MANIFEST = (
    '[static]\nfolder = "static"\n[redirect]\n[thumbnails]\nwidths = [20]\n'
    + index("index.html", more="paginate = 2")
    + index("feed.xml", "feed.xml", "feed = true\nentries = 3")
    + index("sitemap.xml", "sitemap.xml", "sitemap = true")
    + index("facts.html", "facts.html")
    + "".join(archive(kind, path, more="paginate = 2") for kind, path in EVERY_ARCHIVE.items())
)
TERM = "{{ t.name }} {{ t.url }} {{ t.count }}"
ENTRY = """\
{{ entry.title }} {{ entry.published | iso }} {{ entry.modified | iso }} {{ entry.html }} {{ entry.summary }}
{{ entry.previous.title if entry.previous }} {{ entry.next.url if entry.next }}
{% for t in entry.categories + entry.tags + entry.authors %}TERM;{% endfor %}
{% for c in entry.comments recursive %}{{ c.author }}{{ c.html }}({{ loop(c.replies) }}){% endfor %}
""".replace("TERM", TERM)
LISTING = """\
{{ listing.type }} {{ listing.page }}/{{ listing.pages }} {{ listing.total }}
{{ listing.previous_url }} {{ listing.next_url }}
{% for e in listing.entries %}{{ e.title }} {{ e.url }} {{ e.excerpt }} {{ e.comment_count }};{% endfor %}
"""
FACTS = """\
{% for e in site.recent(3) %}{{ e.title }};{% endfor %}
{% for t in site.categories() + site.tags() + site.authors() %}TERM;{% endfor %}
{% for k in ('daily', 'weekly', 'monthly', 'yearly') %}
{% for p in site.archives(k) %}{{ p.url }} {{ p.count }};{% endfor %}
{% endfor %}
{% for p in site.pages() %}{{ p.title }} {{ p.url }};{% endfor %}
""".replace("TERM", TERM)
FILES = {
    "entry.html": ENTRY, "listing.html": LISTING, "facts.html": FACTS, "static/a.css": "a",
    "feed.xml": "{% for e in listing.entries %}{{ e.absolute_url }} {{ e.html | absolute }}{% endfor %}",
    "sitemap.xml": "{% for u, at in urls %}{{ u }} {{ at | iso if at else '' }}\n{% endfor %}",
}  # fmt: skip

DAYS = ("2025-12-31", "2026-01-01", "2026-01-02", "2026-01-07", "2026-02-01")
CATEGORIES = (["News"], ["News", "Local"], ["News-x"], ["Art"])
number = st.integers(0, 7)


@dataclass(frozen=True)
class Edit:
    """One edit: what is done, to which entry, and with what."""

    what: str
    which: int
    value: int
    #: Whether readers see it before the next edit.
    publish: bool


EDITS = st.lists(
    st.builds(
        Edit,
        st.sampled_from([
            "save", "save", "save", "redate", "rename", "draft", "delete", "categories", "terms", "page", "comment",
            "answer", "moderate", "uncomment", "upload", "remove", "picture", "link", "alias", "describe", "theme",
        ]),
        number, number, st.booleans(),
    ),
    min_size=1, max_size=10,
)  # fmt: skip


def apply(shop: Workshop, edit: Edit) -> None:
    """Do one edit, if there is what it is about."""
    slug = f"e{edit.which}"
    entry: Entry | None = Entry.get_or_none(Entry.source_path == slug)
    given = {
        "text": f"Text {edit.value} of **{slug}**.", "slug": slug, "source": "here", "source_path": slug,
        "modified_at": 1_800_000_000 + edit.value,
    }  # fmt: skip
    day = entry.day if entry else DAYS[edit.which % len(DAYS)]
    title = f"Title {edit.which}"
    value = edit.value
    if edit.what in ("comment", "answer", "moderate", "uncomment", "delete"):
        if entry is not None:
            talk(edit, entry)
    elif edit.what == "save":
        shop.save(title, day, **given)
    elif edit.what == "redate":
        shop.save(title, DAYS[value % len(DAYS)], **given)
    elif edit.what == "rename":
        shop.save(f"Renamed {value}", day, **{**given, "slug": f"renamed-{edit.which}-{value}"})
    elif edit.what == "draft":
        shop.save(title, day, status="draft", **given)
    elif edit.what == "categories":
        shop.save(title, day, categories=CATEGORIES[value % 4 :], **given)
    elif edit.what == "terms":
        shop.save(title, day, tags=["a", "b", "c"][value % 4 :], authors=["Ada", "Bo"][value % 3 :], **given)
    elif edit.what == "page":
        shop.save(title, day, kind="page", folder=["", "docs"][value % 2], **given)
    elif edit.what == "alias":
        shop.save(title, day, aliases=[f"old/{edit.which}-{value}.html"], **given)
    elif edit.what == "link":
        target = Entry.get_or_none(Entry.source_path == f"e{value}")
        asset = Asset.select().first()
        text = f'<a href="appliance:entry/{target.id if target else 0}">there</a>'
        if asset:
            text += f'<img src="appliance:asset/{asset.id}">'
        shop.save(title, day, format="html", **{**given, "text": text})
        db.execute("UPDATE entry SET late_bound = ? WHERE source_path = ?", [True, slug])
    else:
        furnish(shop, edit)


def talk(edit: Edit, entry: Entry) -> None:
    """Edits of what hangs on an entry."""
    last = Comment.select().where(Comment.entry == entry).order_by(Comment.id.desc()).first()
    if edit.what == "delete":
        entries.delete(entry)
    elif edit.what == "comment":
        comments.add(
            entry, f"Reader {edit.value}", f"Says {edit.value}", status=["approved", "pending"][edit.value % 2]
        )
    elif last is not None and edit.what == "answer":
        comments.add(entry, "Answerer", "No", parent=last)
    elif last is not None and edit.what == "moderate":
        comments.set_status(last, ("approved", "pending", "spam")[edit.value % 3])
    elif last is not None:
        comments.delete(last)


def furnish(shop: Workshop, edit: Edit) -> None:
    """Edits of files, terms and the theme."""
    if edit.what == "upload":
        shop.upload(f"files/{edit.which}.txt", f"{edit.value}".encode())
    elif edit.what == "picture":
        shop.upload(f"files/{edit.which}.png", picture(30 + edit.value))
    elif edit.what == "describe":
        found = terms.Terms(shop.site).category(CATEGORIES[edit.value % 4])
        always = edit.which % 2 == 0
        terms.describe_category(found, name=f"C{edit.which}", address=None, description="D", always=always)
    elif edit.what == "theme":
        (shop.folder / "theme" / "static" / "a.css").write_text(str(edit.value))
    elif edit.what == "remove" and (asset := Asset.select().first()):
        assets.delete(asset)


def rebuilt(shop: Workshop) -> dict[str, bytes]:
    """The docroot after everything but the content was forgotten."""
    shutil.rmtree(shop.docroot)
    with db.write():
        for table in ("artifact", "publication", "job", "planned"):
            db.execute(f"DELETE FROM {table}")
    shop.kind.perform.__self__._builder.close()  # type: ignore[union-attr, attr-defined]
    shop.kind = None
    shop.run()
    return shop.tree()


@contextmanager
def house() -> Iterator[Workshop]:
    """An installation in memory-backed storage where there is one: hypothesis makes many."""
    shm = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=shm if shm.is_dir() else None))
    try:
        with workshop(folder, MANIFEST, FILES, sites=[{"timezone": "Europe/Berlin"}]) as shop:
            yield shop
    finally:
        shutil.rmtree(folder)


@settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], print_blob=False
)
@given(edits=EDITS)
def test_incremental_publishing_equals_a_rebuild(edits: list[Edit]) -> None:
    with house() as shop:
        for edit in edits:
            apply(shop, edit)
            if edit.publish:
                shop.run()
        shop.run()
        published = shop.tree()
        journalled = {path: version for path, op, version in shop.journal() if op == "put"}
        for path in published:
            assert int((shop.docroot / path).stat().st_mtime) == journalled[path]
        assert published == rebuilt(shop)

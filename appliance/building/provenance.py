"""Where a published file comes from: what makes it, what it read when it was built, and what last had it built.

Nothing here is worked out anew but the page of a listing: it is what the last build wrote down, so it says why the
file is as it is, not why it might be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from appliance import db
from appliance.building.addresses import url_of
from appliance.building.docroot import Docroot
from appliance.config import Config
from appliance.content.aspects import in_words
from appliance.content.models import Site
from appliance.errors import ContentError
from appliance.planning.moves import MOVED
from appliance.planning.pages import Asked, digest, entries_of
from appliance.planning.paths import address_path, fault_of
from appliance.planning.plan import PUBLISH
from appliance.queue import selection
from appliance.queue.selection import Selection, Shown, Text

#: Paths among which those like an unknown one are sought.
_LIKE: Final = 5000


@dataclass(frozen=True, slots=True)
class EntryRead:
    """An entry of which a file shows something."""

    id: int
    title: str
    #: In words; empty for the entry whose page it is, which is read whole.
    aspects: str


@dataclass(frozen=True, slots=True)
class ListingShown:
    """The page of a listing that a file shows."""

    page: int
    #: Entries a page; 0 for all on one.
    per_page: int
    #: Entries of the whole listing now.
    total: int
    #: The entries on this page now.
    entries: list[EntryRead]
    #: Whether these are the entries it had when the file was built.
    as_built: bool


@dataclass(frozen=True)
class Provenance:
    """All that is known of one file. Moments are seconds since the epoch on the database's clock."""

    path: str
    url: str
    site: str
    #: An archive type, 'index', 'asset', 'thumbnail', 'static', 'sitemap' or 'redirect'.
    type: str
    #: The template below the theme's folder; for a static file its name there, for a thumbnail its width.
    template: str
    #: Whose page it is, in words; empty for index templates.
    about: str
    period: str
    #: 'queue', 'now' or 'hand'; see the theme's `build`.
    build: str
    priority: int
    every: float
    #: False for a file that is to be deleted or is gone.
    wanted: bool
    #: Whether something it shows changed since it was built.
    stale: bool
    #: Changes of its site that are not planned yet, and may concern it.
    unplanned: int
    #: Whether the docroot of this host has it as it was published.
    in_place: bool
    version: int
    digest: str | None
    size: int | None
    #: When it was last published, where the journal still knows.
    published_at: float | None
    #: What it read that other files read too, by sort: 'templates', 'files', 'settings', 'lists', 'times'.
    shared: Mapping[str, Sequence[str]] = field(default_factory=dict)
    entries: Sequence[EntryRead] = ()
    #: Paths of uploaded files, and of categories, that its texts point at.
    uploads: Sequence[str] = ()
    categories: Sequence[str] = ()
    listing: ListingShown | None = None
    #: The newest job for it, the newest that changed it, and the one that waits or runs now.
    last: Shown | None = None
    changed: Shown | None = None
    waiting: Shown | None = None


def of(config: Config, named: str) -> Provenance:
    """What is known of the file with this path below the docroot, or this address.

    Raises:
        ContentError: there is none; the sentence names those most like it.
    """
    with db.snapshot():
        row = _row(named)
        if row is None:
            raise ContentError(_unknown(named))
        site = Site.get_by_id(row["site_id"])
        return _known(config, site, row)


_COLUMNS: Final = (
    "id", "site_id", "path", "type", "template", "subject", "period", "page", "per_page", "priority", "every",
    "wanted", "digest", "size", "version", "build", "marked", "built", "recipe", "shown",
)  # fmt: skip


def _row(named: str) -> dict[str, Any] | None:
    paths = [path for path in dict.fromkeys(_candidates(named)) if fault_of(path) is None]  # no other is published
    rows = db.execute(
        f"SELECT {', '.join(_COLUMNS)} FROM artifact WHERE path IN ({db.marks(len(paths)) or 'NULL'})", paths
    ).fetchall()
    found = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
    return min(found, key=lambda row: (not row["wanted"], paths.index(row["path"])), default=None)


def _candidates(named: str) -> Iterator[str]:
    """The paths below the docroot that a path or an address may mean."""
    plain = named.strip().partition("#")[0]
    if "://" not in plain:
        for below in (plain.strip("/"), plain.partition("?")[0].strip("/")):
            yield from (below, address_path(below), unquote(below), address_path(unquote(below)))
        return
    host = plain.partition("?")[0].partition("://")[2]
    for site in Site.select():
        start = site.url.partition("://")[2]
        if f"{host}/".startswith(start):
            below, folder = unquote(host[len(start) :]), f"{site.folder}/" if site.folder else ""
            yield from (folder + below.strip("/"), folder + address_path(below))
    yield plain


def _unknown(named: str) -> str:
    """Why there is nothing to tell, with the paths that are most like the one named."""
    wanted = next(_candidates(named))
    wanted = "" if fault_of(wanted) else wanted
    last = next((part for part in reversed(wanted.split("/")) if part and part != "index.html"), wanted)
    rows = db.execute(
        "SELECT path FROM artifact WHERE wanted ORDER BY CASE WHEN replace(path, ?, '') <> path THEN 0 ELSE 1 END, id"
        " LIMIT ?",
        [last, _LIKE],
    ).fetchall()
    like = get_close_matches(wanted, [path for (path,) in rows], n=3, cutoff=0.5)
    told = f"; like it are {', '.join(like)}" if like else "; name a path below the docroot, or a whole address"
    return f"There is no file “{named}”{told}."


def _known(config: Config, site: Site, row: Mapping[str, Any]) -> Provenance:
    last, changed, waiting = _jobs(row["path"])
    docroot = Docroot(config.docroot, config.staging_folder)
    root = "/" + site.url.split("//", 1)[1].partition("/")[2]
    same = ("path", "type", "template", "period", "build", "priority", "every", "version", "digest", "size")
    return Provenance(
        **{name: row[name] for name in same},
        url=site.url[: -len(root)] + url_of(row["path"], site.folder, root),
        site=site.name,
        about=_about(row["type"], row["subject"], row["period"]),
        wanted=bool(row["wanted"]),
        stale=row["marked"] > row["built"],
        unplanned=_unplanned(site),
        in_place=row["digest"] is not None and docroot.holds(row["path"], row["size"], row["version"]),
        published_at=_published_at(row["path"]),
        shared=_shared(row["recipe"]),
        entries=_entries(row),
        uploads=_pointed_at(row["id"], "f", "asset"),
        categories=_pointed_at(row["id"], "c", "category"),
        listing=_listing(site, row),
        last=last, changed=changed, waiting=waiting,
    )  # fmt: skip


def _unplanned(site: Site) -> int:
    row = db.execute("SELECT COUNT(*) FROM change WHERE site_id = ? AND NOT planned", [site.id]).fetchone()
    return int(row[0])


def _published_at(path: str) -> float | None:
    row = db.execute("SELECT at FROM publication WHERE path = ? ORDER BY id DESC LIMIT 1", [path]).fetchone()
    return float(row[0]) if row else None


def _jobs(path: str) -> tuple[Shown | None, Shown | None, Shown | None]:
    """The newest job for a path, the newest that changed its file, and the one that waits or runs."""
    chosen = Selection(kinds=[PUBLISH], keys=[Text("equals", path)])
    jobs = selection.find(chosen, "-id", 200)
    kinds = (
        jobs[:1],
        [job for job in jobs if job.outcome == "changed"],
        [job for job in jobs if job.state in ("pending", "running")],
    )
    last, changed, waiting = (selection.show(some[0].id) if some else None for some in kinds)
    return last, changed, waiting


_SUBJECTS: Final = {
    "entry": "SELECT title FROM entry WHERE id = ?",
    "page": "SELECT title FROM entry WHERE id = ?",
    "asset": "SELECT path FROM asset WHERE id = ?",
    "thumbnail": "SELECT path FROM asset WHERE id = ?",
    "category": "SELECT path FROM category WHERE id = ?",
    "author": "SELECT name FROM author WHERE id = ?",
    "tag": "SELECT name FROM tag WHERE id = ?",
}


def _about(kind: str, subject: int | None, period: str) -> str:
    """What a file is of, in words."""
    if subject is None:
        return ""
    if kind == "redirect":
        moved = period == MOVED
        query = (
            "SELECT type, subject FROM move WHERE id = ?"
            if moved
            else "SELECT 'entry', entry_id FROM alias WHERE id = ?"
        )
        found = db.execute(query, [subject]).fetchone()
        return f"a former address of {_about(found[0], found[1], '')}" if found else ""
    what = kind.partition("-")[0]
    row = db.execute(_SUBJECTS[what], [subject]).fetchone()
    named = {"thumbnail": "upload", "asset": "upload"}.get(what, what)
    return f"{named} {subject} “{row[0]}”" if row else f"{named} {subject}, which is gone"


_SORTS: Final = {
    "template": "templates", "static": "files", "site": "settings", "setting": "settings", "theme": "settings",
    "thumbnails": "settings", "now": "times",
}  # fmt: skip


def _shared(recipe: int | None) -> dict[str, list[str]]:
    """What a recipe reads, in words, by sort."""
    found: dict[str, list[str]] = {sort: [] for sort in ("templates", "files", "settings", "lists", "times")}
    rows = db.execute("SELECT key FROM recipe_key WHERE recipe_id = ? ORDER BY key", [recipe or 0]).fetchall()
    for (key,) in rows:
        what, _, named = key.partition(":")
        found[_SORTS.get(what, "lists")].append(_key_in_words(what, named))
    return {sort: names for sort, names in found.items() if names}


def _key_in_words(what: str, named: str) -> str:
    if what in ("template", "static"):
        return named
    if what == "site":
        return f"site.{named}"
    if what == "setting":
        return f"site.settings.{named}" if named else "all of site.settings"
    if what == "theme":
        return "the theme's name and version"
    if what == "thumbnails":
        return "the widths of pictures"
    if what == "now":
        return f"when it is, to {named}"
    if what == "recent":
        count, _, aspects = named.partition(":")
        return f"the {count} newest entries" + (f": {in_words(int(aspects), 'and')}" if int(aspects) else "")
    if what == "tags" and named:
        return f"the {named} most used tags"
    return f"all {named} archives" if what == "archives" else f"all {what}"


def _entries(row: Mapping[str, Any]) -> list[EntryRead]:
    """The entries of which a file shows something; first the one whose page it is."""
    own = []
    if row["type"] in ("entry", "page"):
        found = db.execute("SELECT id, title FROM entry WHERE id = ?", [row["subject"]]).fetchone()
        own = [EntryRead(found[0], found[1], "")] if found else []
    rows = db.execute(
        """SELECT r.subject, e.title, r.aspects FROM reading r LEFT JOIN entry e ON e.id = r.subject
           WHERE r.artifact_id = ? AND r.kind = 'e' ORDER BY r.subject""",
        [row["id"]],
    ).fetchall()
    return own + [EntryRead(key, title or "", in_words(aspects, "and")) for key, title, aspects in rows]


def _pointed_at(artifact: int, kind: str, table: str) -> list[str]:
    rows = db.execute(
        f"""SELECT t.path FROM reading r JOIN {table} t ON t.id = r.subject
            WHERE r.artifact_id = ? AND r.kind = ? ORDER BY t.path""",
        [artifact, kind],
    ).fetchall()
    return [path for (path,) in rows]


def _listing(site: Site, row: Mapping[str, Any]) -> ListingShown | None:
    if row["shown"] is None:
        return None
    asked = Asked(site.id, row["type"], row["subject"], row["period"])
    now = entries_of(asked, ZoneInfo(site.timezone), row["page"], row["per_page"])
    titles: dict[int, str] = {}
    for start in range(0, len(now.ids), 500):
        some = now.ids[start : start + 500]
        titles |= dict(db.execute(f"SELECT id, title FROM entry WHERE id IN ({db.marks(len(some))})", some).fetchall())
    entries = [EntryRead(key, titles.get(key, ""), "") for key in now.ids]
    return ListingShown(row["page"], row["per_page"], now.total, entries, digest(now) == row["shown"])

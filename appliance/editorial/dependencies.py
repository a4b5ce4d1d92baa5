"""What the last build of a file read: the dependencies that have it built again when they change.

Everything is what the build recorded, so it explains the file as it is. A file may show any number of entries; whoever
shows them to people says how many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from appliance import db
from appliance.content.aspects import describe
from appliance.content.models import Site
from appliance.planning import dependency_keys
from appliance.planning.permalinks import page_url
from appliance.planning.redirects import MOVED


@dataclass(frozen=True, slots=True)
class EntryUse:
    """An entry that a file shows something of."""

    id: int
    title: str
    #: In words; empty for the entry of its own page, which is read whole.
    aspects: str


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file of a site, how it is made and what it shows. Times are seconds since the epoch."""

    path: str
    url: str
    site: str
    #: An archive type, 'index', 'asset', 'thumbnail', 'static', 'sitemap' or 'redirect'.
    type: str
    #: The template below the theme's folder. For a static file its name, for a thumbnail its width.
    template: str
    #: What it is the page of, in words; empty for index templates.
    about: str
    #: The entry that it is the page of.
    entry: int | None
    period: str
    wanted: bool
    #: Whether something that it shows has changed since it was built.
    stale: bool
    version: int
    digest: str | None
    size: int | None
    published_at: float | None
    #: Dependencies that it shares with other files, by sort: 'templates', 'files', 'settings', 'lists', 'times'.
    shared: Mapping[str, Sequence[str]]
    #: The first entries, uploads and categories that it shows, at most one more than were asked for.
    entries: Sequence[EntryUse]
    uploads: Sequence[str]
    categories: Sequence[str]


#: More than there are.
_ALL: Final = 2**31 - 1
_FACTS: Final = """
SELECT id, site_id, type, template, subject, period, wanted, marked > built, version, digest, size, recipe
FROM artifact WHERE path = ?
"""


def find_file(path: str, most: int) -> FileFacts | None:
    """Return the file at a path and what it shows, `most` + 1 things of each sort at most; None if there is none."""
    with db.snapshot():
        row = db.execute(_FACTS, [path]).fetchone()
        if row is None:
            return None
        key, site_id, kind, template, subject, period, wanted, stale, version, digest, size, dependency_set = row
        site = Site.get_by_id(site_id)
        return FileFacts(
            path, page_url(site, path), site.name, kind, template, about(kind, subject, period),
            subject if kind in ("entry", "page") else None, period, bool(wanted), bool(stale), version, digest, size,
            published_at(path), shared_keys(dependency_set), entries_shown(key, kind, subject, most + 1),
            linked_paths(key, "f", "asset", most + 1), linked_paths(key, "c", "category", most + 1),
        )  # fmt: skip


def published_at(path: str) -> float | None:
    """When the file was published last, in seconds since the epoch; None if the journal no longer tells."""
    row = db.execute("SELECT at FROM publication WHERE path = ? AND latest", [path]).fetchone()
    return float(row[0]) if row else None


_SUBJECTS: Final = {
    "entry": "SELECT title FROM entry WHERE id = ?",
    "page": "SELECT title FROM entry WHERE id = ?",
    "asset": "SELECT path FROM asset WHERE id = ?",
    "thumbnail": "SELECT path FROM asset WHERE id = ?",
    "category": "SELECT path FROM category WHERE id = ?",
    "author": "SELECT name FROM author WHERE id = ?",
    "tag": "SELECT name FROM tag WHERE id = ?",
}


def about(kind: str, subject: int | None, period: str) -> str:
    """What a file is the page of, in words."""
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
        return f"a former address of {about(found[0], found[1], '')}" if found else ""
    type_name = kind.partition("-")[0]
    row = db.execute(_SUBJECTS[type_name], [subject]).fetchone()
    named = {"thumbnail": "upload", "asset": "upload"}.get(type_name, type_name)
    return f"{named} {subject} “{row[0]}”" if row else f"{named} {subject}, which is gone"


def shared_keys(dependency_set: int | None) -> dict[str, list[str]]:
    """The keys of a dependency set in words, by sort."""
    by_sort: dict[str, list[str]] = {sort: [] for sort in dependency_keys.SORTS}
    rows = db.execute("SELECT key FROM recipe_key WHERE recipe_id = ? ORDER BY key", [dependency_set or 0]).fetchall()
    for (key,) in rows:
        by_sort[dependency_keys.sort_of(key)].append(dependency_keys.describe_key(key))
    return {sort: names for sort, names in by_sort.items() if names}


def entries_shown(artifact: int, kind: str, subject: int | None, most: int = _ALL) -> list[EntryUse]:
    """The first entries that a file shows something of; the one of its own page comes first."""
    own = []
    if kind in ("entry", "page"):
        found = db.execute("SELECT id, title FROM entry WHERE id = ?", [subject]).fetchone()
        own = [EntryUse(found[0], found[1], "")] if found else []
    rows = db.execute(
        """SELECT r.subject, e.title, r.aspects FROM reading r LEFT JOIN entry e ON e.id = r.subject
           WHERE r.artifact_id = ? AND r.kind = 'e' ORDER BY r.subject LIMIT ?""",
        [artifact, most - len(own)],
    ).fetchall()
    return own + [EntryUse(key, title or "", describe(aspects, "and")) for key, title, aspects in rows]


def linked_paths(artifact: int, kind: str, table: str, most: int = _ALL) -> list[str]:
    """The first paths of the uploads (`f`, asset) or categories (`c`, category) that the texts of a file link to."""
    rows = db.execute(
        f"""SELECT t.path FROM reading r JOIN {table} t ON t.id = r.subject
            WHERE r.artifact_id = ? AND r.kind = ? ORDER BY t.path LIMIT ?""",
        [artifact, kind, most],
    ).fetchall()
    return [path for (path,) in rows]

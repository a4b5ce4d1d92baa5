"""Where a published file comes from: how it is made, what its build read, and which job built it last.

Everything but the listing page is what the last build recorded, so it explains why the file is as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final
from zoneinfo import ZoneInfo

from appliance import db
from appliance.building.docroot import Docroot
from appliance.config import Config
from appliance.content.models import Site
from appliance.editorial.dependencies import EntryUse, about, entries_shown, linked_paths, published_at, shared_keys
from appliance.editorial.page_paths import candidate_paths
from appliance.errors import ContentError
from appliance.planning.listings import ListingQuery, listing_digest, listing_page
from appliance.planning.permalinks import page_url
from appliance.planning.plan import PUBLISH
from appliance.queue import administration
from appliance.queue.administration import JobDetails, JobFilter, TextFilter

#: Number of paths that are searched for ones similar to an unknown path.
_SIMILAR_CANDIDATES: Final = 5000


@dataclass(frozen=True, slots=True)
class ListingUse:
    """The listing page that a file shows."""

    #: Its number, and how many pages the listing has.
    page: int
    pages: int
    #: Entries on each page; 0 means all on one.
    per_page: int
    #: Current number of entries in the whole listing.
    total: int
    #: The entries that are on this page now.
    entries: list[EntryUse]
    #: Whether these are the entries that the page had when it was built.
    as_built: bool


@dataclass(frozen=True)
class Provenance:
    """Everything known about one file. Times are seconds since the epoch on the database's clock."""

    path: str
    url: str
    site: str
    #: An archive type, 'index', 'asset', 'thumbnail', 'static', 'sitemap' or 'redirect'.
    type: str
    #: The template below the theme's folder. For a static file its name, for a thumbnail its width.
    template: str
    #: What it is the page of, in words; empty for index templates.
    about: str
    period: str
    #: 'queue', 'now' or 'hand'; see `build` in the theme's manifest.
    build: str
    priority: int
    every: float
    #: False for a file that is to be deleted or is gone.
    wanted: bool
    #: Whether something that it shows has changed since it was built.
    stale: bool
    #: Number of changes on its site that are not planned yet and may concern it.
    unplanned: int
    #: Whether the docroot of this host has it as it was published.
    in_place: bool
    version: int
    digest: str | None
    size: int | None
    #: When it was last published, if the journal still has that.
    published_at: float | None
    #: Dependencies that it shares with other files, by sort: 'templates', 'files', 'settings', 'lists', 'times'.
    shared: Mapping[str, Sequence[str]] = field(default_factory=dict)
    entries: Sequence[EntryUse] = ()
    #: Paths of the uploaded files, and of the categories, that its texts link to.
    uploads: Sequence[str] = ()
    categories: Sequence[str] = ()
    listing: ListingUse | None = None
    #: The newest job for it, the newest one that changed it, and the one that is pending or running.
    last: JobDetails | None = None
    changed: JobDetails | None = None
    waiting: JobDetails | None = None


def find_provenance(config: Config, path_or_url: str) -> Provenance:
    """Everything known about the file with this path below the docroot, or with this URL.

    Raises:
        ContentError: there is no such file; the message names similar ones.
    """
    with db.snapshot():
        row = _row(path_or_url)
        if row is None:
            raise ContentError(_unknown(path_or_url))
        site = Site.get_by_id(row["site_id"])
        return _provenance(config, site, row)


_COLUMNS: Final = (
    "id, site_id, path, type, template, subject, period, page, per_page, from_oldest, priority, every, wanted,"
    " digest, size, version, build, marked, built, recipe, shown, counted"
)


def _row(path_or_url: str) -> dict[str, Any] | None:
    paths = candidate_paths(path_or_url)
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM artifact WHERE path IN ({db.placeholders(len(paths)) or 'NULL'})", paths
    ).fetchall()
    found = [dict(zip(_COLUMNS.split(", "), row, strict=True)) for row in rows]
    return min(found, key=lambda row: (not row["wanted"], paths.index(row["path"])), default=None)


def _unknown(path_or_url: str) -> str:
    """The message for an unknown file, with similar paths."""
    wanted = next(iter(candidate_paths(path_or_url)), "")
    last = next((part for part in reversed(wanted.split("/")) if part and part != "index.html"), wanted)
    rows = db.execute(
        "SELECT path FROM artifact WHERE wanted ORDER BY CASE WHEN replace(path, ?, '') <> path THEN 0 ELSE 1 END, id"
        " LIMIT ?",
        [last, _SIMILAR_CANDIDATES],
    ).fetchall()
    similar = get_close_matches(wanted, [path for (path,) in rows], n=3, cutoff=0.5)
    suggestion = (
        f"; similar paths are {', '.join(similar)}"
        if similar
        else "; name a path below the docroot, or a whole address"
    )
    return f"There is no file “{path_or_url}”{suggestion}."


def _provenance(config: Config, site: Site, row: Mapping[str, Any]) -> Provenance:
    last, changed, waiting = _jobs(row["path"])
    docroot = Docroot(config.docroot, config.staging_folder)
    same = ("path", "type", "template", "period", "build", "priority", "every", "version", "digest", "size")
    return Provenance(
        **{name: row[name] for name in same},
        url=page_url(site, row["path"]),
        site=site.name,
        about=about(row["type"], row["subject"], row["period"]),
        wanted=bool(row["wanted"]),
        stale=row["marked"] > row["built"],
        unplanned=_unplanned(site),
        in_place=row["digest"] is not None and docroot.holds(row["path"], row["size"], row["version"]),
        published_at=published_at(row["path"]),
        shared=shared_keys(row["recipe"]),
        entries=entries_shown(row["id"], row["type"], row["subject"]),
        uploads=linked_paths(row["id"], "f", "asset"),
        categories=linked_paths(row["id"], "c", "category"),
        listing=_listing(site, row),
        last=last,
        changed=changed,
        waiting=waiting,
    )


def _unplanned(site: Site) -> int:
    row = db.execute("SELECT COUNT(*) FROM change WHERE site_id = ? AND NOT planned", [site.id]).fetchone()
    return int(row[0])


def _jobs(path: str) -> tuple[JobDetails | None, JobDetails | None, JobDetails | None]:
    """The newest job for a path, the newest one that changed its file, and the one that is pending or running."""
    chosen = JobFilter(kinds=[PUBLISH], keys=[TextFilter("equals", path)])
    jobs = administration.find(chosen, "-id", 200)
    kinds = (
        jobs[:1],
        [job for job in jobs if job.outcome == "changed"],
        [job for job in jobs if job.state in ("pending", "running")],
    )
    last, changed, waiting = (administration.show(some[0].id) if some else None for some in kinds)
    return last, changed, waiting


def _listing(site: Site, row: Mapping[str, Any]) -> ListingUse | None:
    if row["shown"] is None:
        return None
    query = ListingQuery(site.id, row["type"], row["subject"], row["period"])
    page, per_page, from_oldest = row["page"], row["per_page"], row["from_oldest"]
    current = listing_page(query, ZoneInfo(site.timezone), page, per_page, from_oldest=from_oldest)
    titles: dict[int, str] = {}
    for start in range(0, len(current.ids), 500):
        some = current.ids[start : start + 500]
        titles |= dict(
            db.execute(f"SELECT id, title FROM entry WHERE id IN ({db.placeholders(len(some))})", some).fetchall()
        )
    entries = [EntryUse(key, titles.get(key, ""), "") for key in current.ids]
    as_built = listing_digest(current) == row["shown"] and row["counted"] in (None, current.counted)
    return ListingUse(page, current.pages, per_page, current.total, entries, as_built)

"""The variables of templates that are not about one entry: listings, sitemaps and redirects.

A sitemap lists the URLs of all pages (https://www.sitemaps.org/protocol.html). It is split once there are many: a part
has the pages of one type with subject ids in one block, so that a page that comes or goes moves no other page to
another part.
"""

from __future__ import annotations

import os.path
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from markupsafe import Markup

from appliance import clock, db
from appliance.building.dependency_tracking import TrackedListing, TrackedPeriod
from appliance.building.kept_posts import KeptPosts
from appliance.building.loaders import ArtifactRow, SiteContext
from appliance.building.views import Listing, Person, Post, Term
from appliance.planning.archives import page_path, path_prefix, period_start, split_type
from appliance.planning.listings import ListingPage, ListingQuery, listing_page
from appliance.planning.paths import Subject
from appliance.planning.permalinks import OF_ENTRY, find_path
from appliance.planning.redirects import MOVED
from appliance.planning.sitemaps import BLOCK_SIZE, IS_LISTED


def load_listings(
    context: SiteContext, artifacts: Sequence[ArtifactRow], kept: KeptPosts
) -> dict[str, tuple[Listing, ListingPage]]:
    """The listing that each artifact shows, with the ids of its entries, by path.

    The entries of all listings are loaded together, or taken from those that are kept.
    """
    pages = {a.path: _load_page(context, a) for a in artifacts}
    wanted = _ids_on(pages)
    posts = kept.load(context, wanted)
    # While many entries come in, all that a page should show may wait for its address. It shows the others until then.
    if missing := wanted - posts.keys():
        short = [a for a in artifacts if not a.from_oldest and not missing.isdisjoint(pages[a.path].ids)]
        pages |= {a.path: _load_page(context, a, addressed=True) for a in short}
        posts = kept.load(context, _ids_on(pages))
    # Only what is shown counts as shown: an entry that no plan has given an address yet is on the page once one has.
    pages = {path: page._replace(ids=tuple(i for i in page.ids if i in posts)) for path, page in pages.items()}
    return {a.path: (_listing(context, a, pages[a.path], posts), pages[a.path]) for a in artifacts}


def _load_page(context: SiteContext, a: ArtifactRow, *, addressed: bool = False) -> ListingPage:
    query = ListingQuery(a.site, a.type, a.subject, a.period)
    return listing_page(query, context.zone, a.page, a.per_page, from_oldest=a.from_oldest, addressed=addressed)


def _ids_on(pages: Mapping[str, ListingPage]) -> set[int]:
    return {i for page in pages.values() for i in page.ids}


def _listing(context: SiteContext, artifact: ArtifactRow, page: ListingPage, posts: dict[int, Post]) -> Listing:
    term, kind = split_type(artifact.type)
    if not _is_paged(context, artifact):
        page = page._replace(pages=1, newer=None, older=None)
    around = _pages_around(context, artifact, [number for number in (page.newer, page.older) if number])
    return TrackedListing(
        type=artifact.type,
        entries=tuple(posts[i] for i in page.ids if i in posts),
        total=page.total,
        url=context.url(artifact.path),
        page=artifact.page,
        pages=page.pages,
        previous_url=around.get(page.newer or 0),
        next_url=around.get(page.older or 0),
        category=_term(context, "category", artifact) if term == "category" else None,
        tag=_term(context, "tag", artifact) if term == "tag" else None,
        author=_author(context, artifact) if term == "author" else None,
        period=TrackedPeriod(kind, period_start(artifact.period), context.url(artifact.path), page.total)
        if kind
        else None,
    )


def _is_paged(context: SiteContext, artifact: ArtifactRow) -> bool:
    if artifact.type != "index" or artifact.page > 1 or artifact.from_oldest:
        return True
    # An index template without pagination shows the newest entries and has no further pages.
    folder = path_prefix(context.site)
    outputs = (o for o in context.theme.outputs if o.type == "index" and o.per_page)
    return any(folder + output.first.path(Subject()) == artifact.path for output in outputs)


_NEAR = """
SELECT page, path FROM artifact
WHERE type = ? AND subject IS NOT DISTINCT FROM ? AND period = ? AND site_id = ? AND template = ? AND per_page = ?
  AND wanted AND page IN (%s)
ORDER BY length(path) DESC, path
"""


def _pages_around(context: SiteContext, artifact: ArtifactRow, wanted: Sequence[int]) -> dict[int, str]:
    """The URLs of the pages with these numbers, even if an author has something else at one of them."""
    a = artifact
    if not wanted:
        return {}
    for output in context.theme.outputs:
        if (output.type, output.template, output.per_page) == (a.type, a.template, a.per_page):
            at = partial(page_path, context.site, output, a.subject, a.period)
            if at(a.page) == a.path:
                return {page: context.url(path) for page in wanted if (path := at(page)) is not None}
    return _pages_there(context, a, wanted)  # its term was renamed, and the page is about to move


def _pages_there(context: SiteContext, a: ArtifactRow, wanted: Sequence[int]) -> dict[int, str]:
    rows = db.execute(
        _NEAR % db.placeholders(len(wanted)),
        [a.type, a.subject, a.period, a.site, a.template, a.per_page, *wanted],
    ).fetchall()
    # Several maps may use one template for one subject; the nearest pages belong to the same map.
    rows.sort(key=lambda row: len(os.path.commonpath([row[1], a.path])))
    return {page: context.url(path) for page, path in rows}


def _permalink(context: SiteContext, kind: str, subject: int | None) -> str | None:
    path = find_path(kind, subject)
    return context.url(path) if path is not None else None


def _term(context: SiteContext, kind: str, artifact: ArtifactRow) -> Term | None:
    columns = "name, slug, path, description" if kind == "category" else "name, slug, slug, ''"
    row = db.execute(f"SELECT {columns} FROM {kind} WHERE id = ?", [artifact.subject]).fetchone()
    if row is None or artifact.subject is None:
        return None
    name, slug, path, about = row
    url = _permalink(context, kind, artifact.subject)
    return Term(artifact.subject, name, slug, path, url, Markup(about), depth=path.count("/"))


def _author(context: SiteContext, artifact: ArtifactRow) -> Person | None:
    row = db.execute("SELECT name, slug, url, about FROM author WHERE id = ?", [artifact.subject]).fetchone()
    if row is None or artifact.subject is None:
        return None
    name, slug, website, about = row
    return Person(artifact.subject, name, slug, _permalink(context, "author", artifact.subject), website, Markup(about))


_ADDRESSES = f"""
SELECT a.path, e.modified_at FROM artifact a
LEFT JOIN entry e ON a.type IN ('entry', 'page') AND e.id = a.subject
WHERE a.site_id = ? AND {IS_LISTED}
"""
_IN_ORDER = "ORDER BY a.path"


def sitemap_variables(context: SiteContext, artifact: ArtifactRow) -> dict[str, Any]:
    """The variables of a sitemap's template, `urls` and `sitemaps`: lists of (absolute URL, modification time or None).

    The first file of a split sitemap has only `sitemaps`, which are the parts. Every other file has only `urls`.
    """
    parts = []
    if artifact.type == "index":
        rows = db.execute(
            "SELECT path FROM artifact WHERE site_id = ? AND type = 'sitemap' AND wanted ORDER BY path",
            [artifact.site],
        ).fetchall()
        parts = [(context.absolute(context.url(path)), None) for (path,) in rows]
    if parts:
        return {"sitemaps": parts, "urls": []}
    found = _addresses(artifact)
    urls = [
        (context.absolute(context.url(path)), clock.to_datetime(at, context.zone) if at is not None else None)
        for path, at in found
    ]
    return {"sitemaps": [], "urls": urls}


def _addresses(artifact: ArtifactRow) -> list[tuple[str, int | None]]:
    if artifact.type != "sitemap":
        return list(db.execute(_ADDRESSES + _IN_ORDER, [artifact.site]).fetchall())
    first = (artifact.page - 1) * BLOCK_SIZE
    within = "a.subject >= ? AND a.subject < ?" if artifact.page > 1 else "(a.subject IS NULL OR a.subject < ?)"
    bounds = [first, first + BLOCK_SIZE] if artifact.page > 1 else [BLOCK_SIZE]
    query = f"{_ADDRESSES} AND a.type = ? AND {within} {_IN_ORDER}"
    return list(db.execute(query, [artifact.site, artifact.period, *bounds]))


_ALIASES = f"""
SELECT x.id, p.path FROM alias x JOIN entry e ON e.id = x.entry_id JOIN {OF_ENTRY} WHERE x.id IN (%s)
"""
_MOVES = """
SELECT m.id, a.path FROM move m
JOIN artifact a ON (a.type = m.type OR (a.type IN ('entry', 'page') AND m.type IN ('entry', 'page')))
 AND a.subject = m.subject AND a.is_permalink AND a.wanted
WHERE m.id IN (%s)
"""


def redirect_targets(redirects: Sequence[ArtifactRow]) -> list[str | None]:
    """The path that each redirect leads to, or None when its target is not published."""
    found: dict[tuple[str, int | None], str] = {}
    for period, query in (("", _ALIASES), (MOVED, _MOVES)):
        ids = [a.subject for a in redirects if a.period == period]
        if ids:
            rows = db.execute(query % db.placeholders(len(ids)), ids).fetchall()
            found |= {(period, key): path for key, path in rows}
    found |= {(MOVED, key): path for key, path in _dropped_page_targets(redirects)}
    return [found.get((a.period, a.subject)) for a in redirects]


def _dropped_page_targets(redirects: Sequence[ArtifactRow]) -> list[tuple[int, str]]:
    """(id of the former address, path) of the redirects from pages of listings that are gone."""
    ids = [a.subject for a in redirects if a.period == MOVED]
    rows = db.execute(
        f"""SELECT m.id, a.path FROM move m JOIN site s ON s.id = m.site_id
            JOIN artifact a ON a.path = CASE WHEN s.folder = '' THEN m.target ELSE s.folder || '/' || m.target END
            WHERE m.id IN ({db.placeholders(len(ids)) or "NULL"}) AND m.target IS NOT NULL AND a.wanted""",
        ids,
    )
    return list(rows.fetchall())

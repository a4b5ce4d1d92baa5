"""The listings of a batch: which entries each page shows, and what the page is about."""

from __future__ import annotations

import os.path
from collections.abc import MutableMapping, Sequence

from markupsafe import Markup

from appliance import db
from appliance.building import loading
from appliance.building.artifacts import Made
from appliance.building.loading import Place
from appliance.building.reads import NotedListing, noted_post
from appliance.building.views import Listing, Period, Person, Post, Term
from appliance.planning.archives import split_type, start_of
from appliance.planning.pages import Asked, Shown, entries_of
from appliance.planning.paths import Subject


def listings(
    place: Place, artifacts: Sequence[Made], totals: MutableMapping[Asked, int]
) -> dict[str, tuple[Listing, Shown]]:
    """The listing each artifact shows, by path, and which entries; the entries of all are loaded together.

    `totals` keeps how many entries listings have.
    """
    shown = {
        a.path: entries_of(Asked(a.site, a.type, a.subject, a.period), place.zone, a.page, a.per_page, totals)
        for a in artifacts
    }
    posts = loading.posts(place, sorted({i for s in shown.values() for i in s.ids}), view=noted_post())
    return {a.path: (_listing(place, a, shown[a.path], posts), shown[a.path]) for a in artifacts}


def _listing(place: Place, artifact: Made, shown: Shown, posts: dict[int, Post]) -> Listing:
    term, kind = split_type(artifact.type)
    pages = max(1, -(-shown.total // artifact.per_page)) if artifact.per_page and _is_paged(place, artifact) else 1
    around = _pages_around(place, artifact) if pages > 1 else {}
    return NotedListing(
        type=artifact.type,
        entries=tuple(posts[i] for i in shown.ids if i in posts),
        total=shown.total,
        url=place.url(artifact.path),
        page=artifact.page,
        pages=pages,
        previous_url=around.get(artifact.page - 1),
        next_url=around.get(artifact.page + 1),
        category=_term(place, "category", artifact) if term == "category" else None,
        tag=_term(place, "tag", artifact) if term == "tag" else None,
        author=_author(place, artifact) if term == "author" else None,
        period=Period(kind, start_of(artifact.period), place.url(artifact.path), shown.total) if kind else None,
    )


def _is_paged(place: Place, artifact: Made) -> bool:
    if artifact.type != "index" or artifact.page > 1:
        return True
    # An index template that is not paginated shows its newest entries and has no further pages.
    folder = f"{place.site.folder}/" if place.site.folder else ""
    outputs = (o for o in place.theme.outputs if o.type == "index" and o.per_page)
    return any(folder + output.first.path(Subject()) == artifact.path for output in outputs)


_NEAR = """
SELECT page, path FROM artifact
WHERE type = ? AND subject IS NOT DISTINCT FROM ? AND period = ? AND site_id = ? AND template = ? AND per_page = ?
  AND wanted AND page IN (?, ?)
ORDER BY length(path) DESC, path
"""


def _pages_around(place: Place, artifact: Made) -> dict[int, str]:
    a = artifact
    rows = db.execute(
        _NEAR, [a.type, a.subject, a.period, a.site, a.template, a.per_page, a.page - 1, a.page + 1]
    ).fetchall()
    # Several maps may use one template for one subject: the pages of this one are those nearest to it.
    rows.sort(key=lambda row: len(os.path.commonpath([row[1], a.path])))
    return {page: place.url(path) for page, path in rows}


def _permalink(place: Place, kind: str, subject: int | None) -> str | None:
    row = db.execute(
        "SELECT path FROM artifact WHERE type = ? AND subject = ? AND is_permalink AND wanted",
        [kind, subject],
    ).fetchone()
    return place.url(row[0]) if row else None


def _term(place: Place, kind: str, artifact: Made) -> Term | None:
    columns = "name, slug, path, description" if kind == "category" else "name, slug, slug, ''"
    row = db.execute(f"SELECT {columns} FROM {kind} WHERE id = ?", [artifact.subject]).fetchone()
    if row is None or artifact.subject is None:
        return None
    name, slug, path, about = row
    url = _permalink(place, kind, artifact.subject)
    return Term(artifact.subject, name, slug, path, url, Markup(about), depth=path.count("/"))


def _author(place: Place, artifact: Made) -> Person | None:
    row = db.execute("SELECT name, slug, url, about FROM author WHERE id = ?", [artifact.subject]).fetchone()
    if row is None or artifact.subject is None:
        return None
    name, slug, website, about = row
    return Person(artifact.subject, name, slug, _permalink(place, "author", artifact.subject), website, Markup(about))

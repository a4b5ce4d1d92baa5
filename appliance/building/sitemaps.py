"""Sitemaps: the addresses of all pages, split once there are many (https://www.sitemaps.org/protocol.html)."""

from __future__ import annotations

from typing import Any

from appliance import clock, db
from appliance.building.artifacts import Made
from appliance.building.loading import Place

_ADDRESSES = """
SELECT a.path, e.modified_at FROM artifact a
LEFT JOIN entry e ON a.type IN ('entry', 'page') AND e.id = a.subject
WHERE a.site_id = ? AND a.wanted AND a.is_permalink AND a.type NOT IN ('asset')
  AND a.path LIKE '%.html' AND NOT (a.type = 'index' AND a.path LIKE '%404.html')
ORDER BY a.path
"""


def sitemap(place: Place, artifact: Made) -> dict[str, Any]:
    """What a sitemap's template gets: `urls`, (absolute address, moment of the last change or None), or `sitemaps`.

    The first file of a sitemap that is split names the other ones (`sitemaps`, in the same form) and
    holds no addresses.
    """
    parts = []
    if artifact.type == "index":
        rows = db.execute(
            "SELECT path FROM artifact WHERE site_id = ? AND type = 'sitemap' AND wanted ORDER BY page",
            [artifact.site],
        ).fetchall()
        parts = [(place.absolute(place.url(path)), None) for (path,) in rows]
    if parts:
        return {"sitemaps": parts, "urls": []}
    found = db.execute(f"{_ADDRESSES} {_bounds(artifact)}", [artifact.site]).fetchall()
    urls = [
        (place.absolute(place.url(path)), clock.local(at, place.zone) if at is not None else None) for path, at in found
    ]
    return {"sitemaps": [], "urls": urls}


def _bounds(artifact: Made) -> str:
    if artifact.type != "sitemap":
        return ""
    later = db.execute(
        "SELECT 1 FROM artifact WHERE site_id = ? AND type = 'sitemap' AND wanted AND page > ? LIMIT 1",
        [artifact.site, artifact.page],
    ).fetchone()
    # The number of files is planned from entries and pages; the last one takes the archives beyond them.
    size = artifact.per_page if later else 10 * artifact.per_page
    return f"LIMIT {size} OFFSET {(artifact.page - 1) * artifact.per_page}"

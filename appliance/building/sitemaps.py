"""Sitemaps: the addresses of all pages, in parts once there are many (https://www.sitemaps.org/protocol.html).

A part has the pages of one type whose subjects' ids are within a block, so that a page that comes or goes moves no
other from one part to the next.
"""

from __future__ import annotations

from typing import Any

from appliance import clock, db
from appliance.building.artifacts import Made
from appliance.building.loading import Place
from appliance.planning.sitemaps import BLOCK, LISTED

_ADDRESSES = f"""
SELECT a.path, e.modified_at FROM artifact a
LEFT JOIN entry e ON a.type IN ('entry', 'page') AND e.id = a.subject
WHERE a.site_id = ? AND {LISTED}
"""
_IN_ORDER = "ORDER BY a.path"


def sitemap(place: Place, artifact: Made) -> dict[str, Any]:
    """What a sitemap's template gets: `urls`, (absolute address, moment of the last change or None), or `sitemaps`.

    The first file of a sitemap that is split names the other ones (`sitemaps`, in the same form) and
    holds no addresses.
    """
    parts = []
    if artifact.type == "index":
        rows = db.execute(
            "SELECT path FROM artifact WHERE site_id = ? AND type = 'sitemap' AND wanted ORDER BY path",
            [artifact.site],
        ).fetchall()
        parts = [(place.absolute(place.url(path)), None) for (path,) in rows]
    if parts:
        return {"sitemaps": parts, "urls": []}
    found = _addresses(artifact)
    urls = [
        (place.absolute(place.url(path)), clock.local(at, place.zone) if at is not None else None) for path, at in found
    ]
    return {"sitemaps": [], "urls": urls}


def _addresses(artifact: Made) -> list[tuple[str, int | None]]:
    if artifact.type != "sitemap":
        return list(db.execute(_ADDRESSES + _IN_ORDER, [artifact.site]).fetchall())
    first = (artifact.page - 1) * BLOCK
    within = "a.subject >= ? AND a.subject < ?" if artifact.page > 1 else "(a.subject IS NULL OR a.subject < ?)"
    bounds = [first, first + BLOCK] if artifact.page > 1 else [BLOCK]
    query = f"{_ADDRESSES} AND a.type = ? AND {within} {_IN_ORDER}"
    return list(db.execute(query, [artifact.site, artifact.period, *bounds]))

"""Where redirects lead: to the entry or term that was at their address before."""

from __future__ import annotations

from collections.abc import Sequence

from appliance import db
from appliance.building.artifacts import Made
from appliance.planning.moves import MOVED

_ALIASES = """
SELECT x.id, a.path FROM alias x JOIN entry e ON e.id = x.entry_id
JOIN artifact a ON a.type = e.kind AND a.subject = e.id AND a.is_permalink AND a.wanted
WHERE x.id IN (%s)
"""
_MOVES = """
SELECT m.id, a.path FROM move m
JOIN artifact a ON (a.type = m.type OR (a.type IN ('entry', 'page') AND m.type IN ('entry', 'page')))
 AND a.subject = m.subject AND a.is_permalink AND a.wanted
WHERE m.id IN (%s)
"""


def redirect_targets(redirects: Sequence[Made]) -> list[str | None]:
    """The path each redirect leads to; None when what it leads to is not published."""
    found: dict[tuple[str, int | None], str] = {}
    for period, query in (("", _ALIASES), (MOVED, _MOVES)):
        ids = [a.subject for a in redirects if a.period == period]
        if ids:
            rows = db.execute(query % db.marks(len(ids)), ids).fetchall()
            found |= {(period, key): path for key, path in rows}
    return [found.get((a.period, a.subject)) for a in redirects]

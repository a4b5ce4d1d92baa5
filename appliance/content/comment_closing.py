"""Closing entries for comments when they have reached the age that the settings of a site name.

Guarantees that the form goes from a page by itself, without a build that looks at a clock: what a page shows follows
from one stored time for each site. When the next entry reaches the age, the schedule moves that time on and records a
change of the entries that it passes, so only their pages are built again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from appliance import db
from appliance.content import changes
from appliance.content.aspects import Aspect
from appliance.content.comment_models import CommentClosing
from appliance.content.models import Site

_DAY: Final = 86_400
#: A clock that is set back by no more seconds than these opens no entry again.
_SLACK: Final = 60
_EVER: Final = -(2**62)

_PASSED: Final = """
SELECT id FROM entry WHERE site_id = ? AND kind IN ('entry', 'page') AND status = 'published' AND allow_comments
AND published_at > ? AND published_at <= ?
"""
# One probe of the index `entry_order` for each site and kind.
_NEXT: Final = """
SELECT c.days * 86400 + (
    SELECT e.published_at FROM entry e
    WHERE e.site_id = c.site_id AND e.kind = ? AND e.status = 'published' AND e.published_at > c.until
      AND e.allow_comments
    ORDER BY e.published_at LIMIT 1)
FROM comment_closing c JOIN site s ON s.id = c.site_id WHERE s.name IN ({names})
"""


def is_closed(published_at: int, days: int) -> bool:
    """Whether an entry of this age takes no more comments. `days` is the age; 0 for no such rule."""
    return bool(days) and published_at <= _limit(days)


def set_days(site: Site, days: int) -> None:
    """Close the entries of a site that are older than `days` from now on, and open the others; 0 opens all.

    Call it in the transaction that changes the settings of the site.
    """
    known = CommentClosing.get_or_none(CommentClosing.site == site.id)
    before = known.until if known else _EVER
    if not days:
        CommentClosing.delete().where(CommentClosing.site == site.id).execute()
        _record(site, before, _EVER)
        return
    until = _limit(days)
    if known:
        CommentClosing.update(days=days, until=until).where(CommentClosing.site == site.id).execute()
    else:
        CommentClosing.insert(site=site.id, days=days, until=until).execute()
    _record(site, before, until)


def next_due(names: Sequence[str]) -> int | None:
    """When the next entry of the named sites closes, in seconds since the epoch; in the past if it is due already."""
    if not names:
        return None
    among, moments = db.placeholders(len(names)), list[int]()
    for kind in ("entry", "page"):
        rows = db.execute(_NEXT.format(names=among), [kind, *names]).fetchall()
        moments += [moment for (moment,) in rows if moment is not None]
    return min(moments, default=None)


def apply_due(site: Site) -> int:
    """Close the entries that are due; returns their number. Call it in a write transaction.

    A clock that ran ahead and was set back has closed entries too early; these are opened again.
    """
    known = CommentClosing.get_or_none(CommentClosing.site == site.id)
    if known is None:
        return 0
    until = _limit(known.days)
    if known.until - _SLACK <= until <= known.until:
        return 0
    CommentClosing.update(until=until).where(CommentClosing.site == site.id).execute()
    return _record(site, known.until, until)


def _limit(days: int) -> int:
    """The latest time of publication of an entry that is closed now."""
    return int(db.now()) - days * _DAY


def _record(site: Site, before: int, after: int) -> int:
    """Record a change of the entries between two limits."""
    event = "comments closed" if after > before else "comments opened"
    between = [site.id, min(before, after), max(before, after)]
    return changes.record_entries(site.id, event, _PASSED, between, "schedule", Aspect.OTHER)

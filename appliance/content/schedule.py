"""Publishing of scheduled entries, withdrawal of expired ones, and closing of old ones for comments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from appliance import audit, db
from appliance.actor import SCHEDULE
from appliance.content import changes, comment_closing, listing_index
from appliance.content.models import Site

#: Entries that are due at once with a row of the audit for each.
_FEW: Final = 100


def next_due(names: Sequence[str]) -> int | None:
    """The time when the next entry of the named sites is due to be published, withdrawn or closed for comments.

    In seconds since the epoch; in the past for an entry that is due already. None when none is.
    """
    sites = f"site_id IN (SELECT id FROM site WHERE name IN ({db.placeholders(len(names))}))"
    row = db.execute(
        f"""SELECT (SELECT MIN(published_at) FROM entry WHERE status = 'scheduled' AND {sites}),
                   (SELECT MIN(unpublish_at) FROM entry
                    WHERE status = 'published' AND unpublish_at IS NOT NULL AND {sites})""",
        [*names, *names],
    ).fetchone()
    moments = [*row, comment_closing.next_due(names)]
    return min((due for due in moments if due is not None), default=None)


def apply_due(site: Site) -> int:
    """Publish, withdraw and close the entries that are due, by the database's clock; returns their number."""
    with db.write():
        now = int(db.now())
        # The plus sign keeps SQLite from scanning the whole site instead of using the index of due entries.
        due = db.execute(
            """UPDATE entry SET status = 'published' WHERE +site_id = ? AND status = 'scheduled' AND published_at <= ?
               RETURNING id, title""",
            [site.id, now],
        ).fetchall()
        expired = db.execute(
            """UPDATE entry SET status = 'draft' WHERE +site_id = ? AND status = 'published'
               AND unpublish_at IS NOT NULL AND unpublish_at <= ? RETURNING id, title""",
            [site.id, now],
        ).fetchall()
        listing_index.update([entry for entry, _ in [*due, *expired]])
        for event, rows in (("scheduled entry published", due), ("expired entry withdrawn", expired)):
            for entry, _ in rows:
                changes.record(site, event, "entry", entry, entry, "schedule")
        _audit(site, "schedule.publish", due, {"status": "scheduled"}, {"status": "published"})
        _audit(site, "schedule.unpublish", expired, {"status": "published"}, {"status": "draft"})
        closed = comment_closing.apply_due(site)
    return len(due) + len(expired) + closed


def _audit(
    site: Site, action: str, entries: Sequence[tuple[int, str]], before: Mapping[str, Any], after: Mapping[str, Any]
) -> None:
    """Record what the schedule did, whoever had it look: a row for each entry, or one for very many."""
    if len(entries) > _FEW:
        ids = sorted(entry for entry, _ in entries)
        audit.record(action, "entry", site=site.name, before={**before, "ids": ids}, after=dict(after), actor=SCHEDULE)
        return
    for entry, title in entries:
        audit.record(action, "entry", entry, site=site.name, label=title, before=before, after=after, actor=SCHEDULE)

"""The passing of time: scheduled entries that are due are published, expired ones withdrawn."""

from __future__ import annotations

from appliance import db
from appliance.content import changes, order
from appliance.content.models import Site


def turn(site: Site) -> int:
    """Publish what is due and withdraw what has expired, by the database's clock; returns how many entries."""
    with db.write():
        now = int(db.now())
        due = db.execute(
            """UPDATE entry SET status = 'published' WHERE site_id = ? AND status = 'scheduled' AND published_at <= ?
               RETURNING id""",
            [site.id, now],
        ).fetchall()
        expired = db.execute(
            """UPDATE entry SET status = 'draft' WHERE site_id = ? AND status = 'published' AND unpublish_at <= ?
               RETURNING id""",
            [site.id, now],
        ).fetchall()
        order.keep([entry for (entry,) in [*due, *expired]])
        for what, rows in (("scheduled entry published", due), ("expired entry withdrawn", expired)):
            for (entry,) in rows:
                changes.record(site, what, "entry", entry, entry, "schedule")
    return len(due) + len(expired)

"""The passing of time: scheduled entries that are due are published, expired ones withdrawn."""

from __future__ import annotations

from collections.abc import Sequence

from appliance import db
from appliance.content import changes, order
from appliance.content.models import Site


def next_turn(names: Sequence[str]) -> int | None:
    """When the next entry of the named sites is to be published or withdrawn, on the database's clock.

    In the past when that is due already; None when there is none.
    """
    sites = f"site_id IN (SELECT id FROM site WHERE name IN ({db.marks(len(names))}))"
    row = db.execute(
        f"""SELECT (SELECT MIN(published_at) FROM entry WHERE status = 'scheduled' AND {sites}),
                   (SELECT MIN(unpublish_at) FROM entry
                    WHERE status = 'published' AND unpublish_at IS NOT NULL AND {sites})""",
        [*names, *names],
    ).fetchone()
    return min((moment for moment in row if moment is not None), default=None)


def turn(site: Site) -> int:
    """Publish what is due and withdraw what has expired, by the database's clock; returns how many entries."""
    with db.write():
        now = int(db.now())
        # The plus has planners read what is due by its own index, not all of the site.
        due = db.execute(
            """UPDATE entry SET status = 'published' WHERE +site_id = ? AND status = 'scheduled' AND published_at <= ?
               RETURNING id""",
            [site.id, now],
        ).fetchall()
        expired = db.execute(
            """UPDATE entry SET status = 'draft' WHERE +site_id = ? AND status = 'published'
               AND unpublish_at IS NOT NULL AND unpublish_at <= ? RETURNING id""",
            [site.id, now],
        ).fetchall()
        order.keep([entry for (entry,) in [*due, *expired]])
        for what, rows in (("scheduled entry published", due), ("expired entry withdrawn", expired)):
            for (entry,) in rows:
                changes.record(site, what, "entry", entry, entry, "schedule")
    return len(due) + len(expired)

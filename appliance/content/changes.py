"""The record of changes, from which planning learns what to publish again.

Guarantees that content and the note that it changed are of one transaction: nothing is changed without being
planned, nothing is planned that was rolled back.
"""

from __future__ import annotations

from appliance import clock
from appliance.content.models import Change, Site


def record(
    site: Site | int,
    what: str,
    subject: str,
    subject_id: int | None = None,
    entry_id: int | None = None,
    actor: str = "",
) -> None:
    """Note one change; call it inside the write transaction that makes the change.

    `what` is what a person would say (`entry edited`); `subject` is one of 'entry', 'comment', 'asset',
    'category', 'author', 'tag', 'site', 'theme'; `entry_id` the entry concerned, when there is one.
    """
    Change.insert(
        site=site if isinstance(site, int) else site.id,
        at=int(clock.now()),
        actor=actor,
        what=what,
        subject=subject,
        subject_id=subject_id,
        entry_id=entry_id,
    ).execute()

"""The record of changes, from which planning learns what to publish again.

Guarantees that content and the note that it changed are of one transaction: nothing is changed without being
planned, nothing is planned that was rolled back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from appliance import clock, db
from appliance.content.aspects import EVERYTHING, Aspect
from appliance.content.models import Change, Site


def record(
    site: Site | int,
    what: str,
    subject: str,
    subject_id: int | None = None,
    entry_id: int | None = None,
    actor: str = "",
    aspects: Aspect = EVERYTHING,
    was: Mapping[str, Any] | None = None,
) -> None:
    """Note one change; call it inside the write transaction that makes the change.

    `what` is what a person would say (`entry edited`); `subject` is one of 'entry', 'comment', 'asset',
    'category', 'author', 'tag', 'site', 'theme'; `entry_id` the entry concerned, when there is one, and `aspects`
    what of it is touched. `was` tells what nothing else tells afterwards: the `day` and `week` of an entry that was
    elsewhere, the term `into` which one was merged.
    """
    Change.insert(
        site=site if isinstance(site, int) else site.id,
        at=int(clock.now()),
        actor=actor,
        what=what,
        subject=subject,
        subject_id=subject_id,
        entry_id=entry_id,
        aspects=int(aspects),
        was=json.dumps(was) if was else "",
        told=subject != "comment",
    ).execute()


def record_entries(site_id: int, what: str, chosen: str, parameters: Sequence[Any], actor: str, aspects: Aspect) -> int:
    """Note one change to each entry of many, as `record` does for one; returns how many.

    `chosen` is fixed SQL that selects their ids, with `?` for `parameters`.
    """
    return int(
        db.execute(
            f"""INSERT INTO change
                    (site_id, at, actor, what, subject, subject_id, entry_id, aspects, was, planned, told)
                SELECT ?, ?, ?, ?, 'entry', id, id, ?, '', FALSE, TRUE FROM entry WHERE id IN ({chosen}) ORDER BY id""",
            [site_id, int(clock.now()), actor, what, int(aspects), *parameters],
        ).rowcount
    )


def prune(older_than: float, most: int = 2000) -> int:
    """Remove changes that are planned and told and so many seconds old; returns how many.

    The newest always stays: its number tells builders whether what they keep is of the present.
    At most `most` go in one transaction, so that nobody waits for long.
    """
    before, removed = int(clock.now() - older_than), 0
    while True:
        with db.write():
            gone = db.execute(
                """DELETE FROM change WHERE id IN
                   (SELECT id FROM change WHERE planned AND told AND at < ? AND id < (SELECT MAX(id) FROM change)
                    ORDER BY id LIMIT ?) RETURNING id""",
                [before, most],
            ).fetchall()
        removed += len(gone)
        if len(gone) < most:
            return removed

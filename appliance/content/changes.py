"""The change log of content, which planning reads to find out what to publish again.

A change is recorded in the transaction that makes it, so every committed change is planned and a rolled back one never
is. Functions registered with `subscribe` run inside that transaction too: this is how the job that plans a change is
enqueued together with the change, although content knows nothing of the queue.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from appliance import clock, db
from appliance.actor import current
from appliance.content.aspects import EVERYTHING, Aspect
from appliance.content.models import Change, Site
from appliance.db import rows

#: Called with the id of the site, the event and the actor of each change.
Subscriber = Callable[[int, str, str], None]
_subscribers: list[Subscriber] = []


def subscribe(subscriber: Subscriber) -> Subscriber:
    """Call `subscriber` for every change from now on, inside the transaction that makes the change."""
    _subscribers.append(subscriber)
    return subscriber


def _notify_subscribers(site_id: int, event: str, actor: str) -> None:
    for subscriber in _subscribers:
        subscriber(site_id, event, actor)


def record(
    site: Site | int,
    event: str,
    subject: str,
    subject_id: int | None = None,
    entry_id: int | None = None,
    actor: str = "",
    aspects: Aspect = EVERYTHING,
    previous: Mapping[str, Any] | None = None,
) -> None:
    """Record one change. Call it inside the write transaction that makes the change.

    Args:
        site: the site, or its id.
        event: what happened, in words: `entry edited`.
        subject: 'entry', 'comment', 'asset', 'category', 'author', 'tag', 'site' or 'theme'.
        subject_id: the id of the subject.
        entry_id: the id of the entry that the change affects, if any.
        actor: who made the change; empty for whoever `actor.acting` names.
        aspects: which aspects of the entry changed.
        previous: earlier values that are lost with the change but needed to plan it: the `day`, `week` and
            `published_at` of an entry, the `path` of a term or asset; for a merged term `into`, the id of the term
            that took its entries.
    """
    site_id, actor = site if isinstance(site, int) else site.id, actor or current().name
    rows.insert(
        Change,
        {
            "site": site_id,
            "at": int(clock.now()),
            "actor": actor,
            "event": event,
            "subject": subject,
            "subject_id": subject_id,
            "entry_id": entry_id,
            "aspects": int(aspects),
            "previous": json.dumps(previous) if previous else "",
            "notified": subject != "comment",
        },
    )
    _notify_subscribers(site_id, event, actor)


def record_entries(site_id: int, event: str, ids: str, parameters: Sequence[Any], actor: str, aspects: Aspect) -> int:
    """Record the same change for many entries in one statement; returns the number of entries.

    `ids` is constant SQL that selects the ids of the entries, with `?` for `parameters`.
    """
    actor = actor or current().name
    count = int(
        db.execute(
            f"""INSERT INTO change
                    (site_id, at, actor, what, subject, subject_id, entry_id, aspects, was, planned, told)
                SELECT ?, ?, ?, ?, 'entry', id, id, ?, '', FALSE, TRUE FROM entry WHERE id IN ({ids}) ORDER BY id""",
            [site_id, int(clock.now()), actor, event, int(aspects), *parameters],
        ).rowcount
    )
    if count:
        _notify_subscribers(site_id, event, actor)
    return count


class Recorded(NamedTuple):
    """One change of many that `record_many` records; its fields are as the arguments of `record`."""

    event: str
    subject: str
    subject_id: int
    entry_id: int | None = None
    aspects: Aspect = EVERYTHING
    previous: Mapping[str, Any] | None = None


def record_many(site_id: int, changes: Sequence[Recorded], actor: str) -> None:
    """Record changes of a site, other than of comments, in their order and with few statements. As `record`."""
    actor, now = actor or current().name, int(clock.now())
    for some in db.chunks(changes):
        values = [
            value
            for one in some
            for value in (
                site_id, now, actor, one.event, one.subject, one.subject_id, one.entry_id, int(one.aspects),
                json.dumps(one.previous) if one.previous else "", False, True,
            )
        ]  # fmt: skip
        db.execute(
            f"""INSERT INTO change
                    (site_id, at, actor, what, subject, subject_id, entry_id, aspects, was, planned, told)
                VALUES {db.placeholders(len(some), 11)}""",
            values,
        )
    for event in dict.fromkeys(one.event for one in changes):
        _notify_subscribers(site_id, event, actor)


def record_comments(site_id: int, event: str, comments: Sequence[tuple[int, int]], actor: str, aspects: Aspect) -> None:
    """Record the same change for many comments of a site, each given by its id and that of its entry."""
    actor, now = actor or current().name, int(clock.now())
    for some in db.chunks(comments, 50):
        values = [
            value
            for comment, entry in some
            for value in (site_id, now, actor, event, "comment", comment, entry, int(aspects), "", False, False)
        ]
        db.execute(
            f"""INSERT INTO change
                    (site_id, at, actor, what, subject, subject_id, entry_id, aspects, was, planned, told)
                VALUES {db.placeholders(len(some), 11)}""",
            values,
        )
    if comments:
        _notify_subscribers(site_id, event, actor)


def prune(older_than: float, batch: int = 2000) -> int:
    """Delete planned changes older than `older_than` seconds that nobody needs to be notified of; returns how many.

    The newest change always stays, because builders compare its id with their caches to see whether those are current.
    Each transaction deletes at most `batch` changes, so it blocks other writers only briefly.
    """
    before, removed = int(clock.now() - older_than), 0
    while True:
        with db.write():
            deleted = db.execute(
                """DELETE FROM change WHERE id IN
                   (SELECT id FROM change WHERE planned AND told AND at < ? AND id < (SELECT MAX(id) FROM change)
                    ORDER BY id LIMIT ?) RETURNING id""",
                [before, batch],
            ).fetchall()
        removed += len(deleted)
        if len(deleted) < batch:
            return removed

"""Requests to build previews: whatever changes an entry that a link shows asks for its preview to be built again.

Guarantees that a link shows the entry as it is: the request is made in the transaction that changes the entry, whoever
changes it, so no change is lost however a process ends. Any number of changes while a build waits make one build.

    changes.record ─► before the commit: count the request and enqueue the job ─► a worker builds (`previews.build_job`)
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

from appliance import db
from appliance.config import QueueSettings
from appliance.content import changes
from appliance.queue.enqueue import Cause, JobRequest, enqueue

#: The kind of job that builds a preview. The key of the job is `SITE/ENTRY`, with the id of the entry.
PREVIEW: Final = "preview"
#: Higher than the priority of any artifact, since somebody waits, and lower than that of plans.
_PRIORITY: Final = 15
#: Seconds to gather further changes that come while a preview is being built.
_GATHER: Final = 0.5

#: The previews that the changes of a site concern: those of the entries, and all of them if a change is of no entry.
_CONCERNED: Final = """
SELECT p.entry_id FROM preview p
WHERE p.site_id = ? AND EXISTS (SELECT 1 FROM change c WHERE c.site_id = p.site_id AND NOT c.planned
                                AND (c.entry_id = p.entry_id OR c.entry_id IS NULL))
ORDER BY p.entry_id
"""


@cache
def follow_changes() -> None:
    """Have every transaction of this process from now on ask for the previews that it changes."""
    changes.subscribe(_changed)


def _changed(site: int, event: str, actor: str) -> None:
    """Ask for the previews that the transaction changes to be built again, just before it commits."""
    db.before_commit((PREVIEW, site), lambda: _request_concerned(site, Cause(event, actor)))


def _request_concerned(site: int, cause: Cause) -> None:
    found = [entry for (entry,) in db.execute(_CONCERNED, [site]).fetchall()]
    if found:
        name = db.execute("SELECT name FROM site WHERE id = ?", [site]).fetchone()[0]
        request_previews(name, found, cause)


def request_previews(site: str, entries: Sequence[int], cause: Cause) -> None:
    """Ask for the previews of these entries of a site to be built. Call it in a transaction."""
    for some in db.chunks(sorted(entries)):
        among = db.placeholders(len(some))
        db.execute(f"UPDATE preview SET requested = requested + 1 WHERE entry_id IN ({among})", [*some])
    enqueue_builds(site, entries, cause)


def enqueue_builds(site: str, entries: Sequence[int], cause: Cause) -> None:
    """Enqueue the jobs that build previews which were asked for."""
    settings = db.opened_config()
    ageing = settings.queue.ageing if settings else QueueSettings().ageing
    requests = [JobRequest(f"{site}/{entry}", priority=_PRIORITY, scope=site) for entry in entries]
    enqueue(PREVIEW, requests, ageing=ageing, causes=[cause], pause=_GATHER)

"""The event of comments that wait for approval. What a spam check or a moderator decides at once is not told."""

from __future__ import annotations

from typing import Any, Final

from appliance import clock, db
from appliance.config import Config
from appliance.content.models import Site
from appliance.planning.permalinks import OF_ENTRY, page_url
from appliance.webhooks import outbox, state
from appliance.webhooks.deliveries import enqueue_delivery

EVENT: Final = "comment.waiting"
#: Seconds that comments are gathered, which is also the time that a spam check has.
DELAY: Final = 10.0
#: Comments that an event shows, and characters of each; it counts all.
_SHOWN, _EXCERPT = 50, 300

# Changes that nobody was notified of yet. A comment that somebody held, who therefore knows of it, changes the pages.
_NEW: Final = """
SELECT DISTINCT c.id FROM change h JOIN comment c ON c.id = h.subject_id
WHERE h.site_id = ? AND NOT h.told AND h.subject = 'comment' AND h.actor <> 'import' AND c.status = 'pending'
  AND (h.what = 'comment added' OR (h.what = 'comment held' AND h.aspects = 0))
ORDER BY c.id
"""


def record_waiting(config: Config, site: Site) -> None:
    """Write down the new comments of a site that wait, in the transaction that marks their changes as told."""
    if not outbox.is_wanted(config, EVENT, site.name):
        return
    if rows := db.execute(_NEW, [site.id]).fetchall():
        outbox.record(EVENT, site.name, site.name, [{"comment": number} for (number,) in rows])
        outbox.request_gathering(config, EVENT, site.name, delay=DELAY)


def gather(config: Config, name: str) -> int:
    """Enqueue an event about comments of a site that still wait, for each webhook that wants it; returns how many."""
    with db.write():
        site = Site.get_or_none(Site.name == name)
        numbers = sorted({row.data["comment"] for row in outbox.take(EVENT, name)})
        found = [] if site is None else _load(site, numbers)
        disabled = state.disabled_names(config)
        for webhook in config.webhooks if found else ():
            if webhook.wants(EVENT, name) and webhook.name not in disabled:
                data = {"count": len(found), "comments": found[:_SHOWN]}
                enqueue_delivery(config, webhook, EVENT, data, site=name)
    return len(found)


_WAITING: Final = f"""
SELECT c.id, c.created_at, c.author_name, c.text, e.id, e.title, p.path
FROM comment c JOIN entry e ON e.id = c.entry_id LEFT JOIN {OF_ENTRY}
WHERE c.id IN ({{ids}}) AND c.status = 'pending' ORDER BY c.id
"""


def _load(site: Site, numbers: list[int]) -> list[dict[str, Any]]:
    """The comments among these that wait, without what identifies their senders."""
    return [
        {
            "id": number,
            "at": clock.to_iso(at),
            "author": author,
            "text": text if len(text) <= _EXCERPT else f"{text[: _EXCERPT - 1].rstrip()}…",
            "entry": {"id": entry, "title": title, "url": page_url(site, path)},
        }
        for ids in db.chunks(numbers)
        for number, at, author, text, entry, title, path in db.execute(
            _WAITING.format(ids=db.placeholders(len(ids))), ids
        ).fetchall()
    ]

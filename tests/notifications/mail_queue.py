"""What the tests of mails share: the jobs that send them, run at once."""

from __future__ import annotations

from typing import Any

from appliance import db
from appliance.config import Config, QueueSettings
from appliance.content.entries import EntryData, save
from appliance.content.models import Entry, Site
from appliance.notifications import author_digest, comment_notifications, reply_mails
from appliance.queue import store
from appliance.queue.handlers import registry
from appliance.queue.worker import Worker

KINDS = (comment_notifications.MAIL, author_digest.DIGEST, reply_mails.CONFIRMATION, reply_mails.REPLY)


class NoWait:
    def wait(self, timeout: float) -> bool:
        return False


def site() -> Site:
    return Site.get()


def entry(*authors: str, title: str = "Über Gezeiten", slug: str = "tides") -> Entry:
    return save(site(), EntryData(title=title, slug=slug, published_at=1, authors=list(authors)))[0]


def enqueue_all(config: Config) -> int:
    return comment_notifications.enqueue_notifications(config, site())


def work(config: Config) -> None:
    worker = Worker("here:1", [k for k in registry.kinds(config, slow=True) if k.name in KINDS],
                    QueueSettings(), NoWait())  # fmt: skip
    while claims := store.claim(worker.name, KINDS, 10, 30.0):
        worker.run_batch(claims)


def jobs() -> list[tuple[Any, ...]]:
    kinds = db.placeholders(len(KINDS))
    return list(
        db.execute(f"SELECT key, scope, state, outcome FROM job WHERE kind IN ({kinds}) ORDER BY id", KINDS).fetchall()
    )


def pass_intervals() -> None:
    """Let the intervals between mails of one key pass."""
    db.execute("DELETE FROM throttle")
    db.execute("UPDATE job SET run_at = 0 WHERE state = 'pending'")

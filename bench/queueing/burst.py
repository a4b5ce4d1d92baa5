"""Many comments on one entry at once: how often its page is built, and whether the last build shows the last comment.

Several processes take comments: each saves some and asks for their site to be planned, in one transaction, before it
takes the next. The intake does so with all that wait, up to 64. A daemon plans and publishes meanwhile.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
from dataclasses import dataclass

from appliance import clock, db, publishing, running
from appliance.config import Config
from appliance.content import comments, entries, sites
from appliance.content.entries import EntryData
from appliance.content.models import Entry, Site
from appliance.editorial import reader_comments
from appliance.editorial.comment_submission import Submission
from appliance.queue import store
from appliance.queue.enqueue import Cause

_FORK = multiprocessing.get_context("fork")
_PATIENCE = 300.0
_numbers = itertools.count()


@dataclass(frozen=True)
class Burst:
    """What came of it."""

    comments: int
    #: Seconds in which the comments were taken, and from then until the queue was empty.
    seconds: float
    settled: float
    #: Builds of the entry's page, and of all pages, that began.
    builds: int
    all_builds: int
    #: Comments that the page shows in the end.
    shown: int

    def __str__(self) -> str:
        """The figures, one line."""
        return (
            f"{self.comments:,} comments in {self.seconds:.1f} s, {self.builds} builds of their page"
            f" ({self.all_builds} of all pages), which shows {self.shown:,}; empty {self.settled:.1f} s later"
        )


def burst(config: Config, *, number: int, posts: int = 20, writers: int = 2, workers: int = 2, batch: int = 1) -> Burst:
    """Publish a small site, have so many comments come, wait until all is published.

    Args:
        config: the installation, opened by the caller, empty.
        number: how many comments.
        posts: entries of the site, that of the comments included.
        writers: processes that take comments.
        workers: of the daemon.
        batch: comments of one transaction. More than one are taken as those of readers are, whose site must accept all.
    """
    site = sites.sync(config)[config.sites[0].name]
    for post in range(posts):
        data = EntryData(title=f"Post {post}", slug=f"post-{post}", published_at=1_700_000_000 + post, text="Words.")
        entry = entries.save(site, data)[0]
    publishing.publish(config)
    daemon = _FORK.Process(target=_daemon, args=(config, workers))
    daemon.start()
    try:
        _settle()
        (path,) = db.execute(
            "SELECT path FROM artifact WHERE type = 'entry' AND subject = ? AND is_permalink", [entry.id]
        ).fetchone()
        before = _builds(), _builds(path)
        began = clock.monotonic()
        shares = [number // writers + (n < number % writers) for n in range(writers)]
        taking = [
            _FORK.Process(target=_take, args=(config, entry.id, n, share, batch)) for n, share in enumerate(shares)
        ]
        for process in taking:
            process.start()
        for process in taking:
            process.join()
            if process.exitcode:
                raise RuntimeError("a process that takes comments died")
        seconds = clock.monotonic() - began
        _settle()
        settled = clock.monotonic() - began - seconds
    finally:
        if daemon.pid and daemon.is_alive():
            os.kill(daemon.pid, signal.SIGTERM)
        daemon.join()
    shown = (config.docroot / path).read_text("utf-8").count("Comment number ")
    return Burst(number, seconds, settled, _builds(path) - before[1], _builds() - before[0], shown)


def _daemon(config: Config, workers: int) -> None:
    opened = db.open_database(config)
    running.work(config, workers=workers)
    opened.close()


def _take(config: Config, entry_id: int, writer: int, number: int, batch: int) -> None:
    opened = db.open_database(config)
    site, entry = Site.get(), Entry.get_by_id(entry_id)
    texts = [f"Comment number {writer}-{which} says something." for which in range(number)]
    if batch > 1:
        for some in db.chunks(texts, batch):
            reader_comments.save(config, [_submission(site, entry, writer, text) for text in some])
    else:
        for text in texts:
            with db.write():
                comments.add(entry, "Ada", text)
                publishing.enqueue_plan(config, site, Cause("comment added", "reader"))
    opened.close()


def _submission(site: Site, entry: Entry, writer: int, text: str) -> Submission:
    """A reader's comment, one of those of 200 networks."""
    address = f"10.{writer}.{next(_numbers) % 200}.1"
    return Submission(site=site, entry=entry.id, name="Ada", text=text, nonce=text, address=address)


def _settle() -> None:
    end = clock.monotonic() + _PATIENCE
    while store.count_unfinished():
        if clock.monotonic() > end:
            raise RuntimeError("the queue did not become empty")
        clock.sleep(0.01)
    if failed := store.recent_failures():
        raise RuntimeError(f"failed: {failed[0]}")


def _builds(path: str | None = None) -> int:
    where, values = ("true", []) if path is None else ("key = ?", [path])
    row = db.execute(f"SELECT COALESCE(SUM(attempt), 0) FROM job WHERE {where}", values).fetchone()
    return int(row[0])

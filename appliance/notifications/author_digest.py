"""One mail to an author about all comments that wait for approval, and about entries that take many comments.

Guarantees that a flood of comments makes at most one such mail to an author every ten minutes. The queue keeps that
interval; what the mail says is read when it is sent, so comments that were dealt with meanwhile are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from appliance import db
from appliance.config import Config
from appliance.content.models import Author, Site
from appliance.db import NOW
from appliance.notifications import mailer
from appliance.notifications.message import Mailbox
from appliance.queue.enqueue import Cause, JobRequest, enqueue
from appliance.queue.handlers import JobContext, Outcome, Payload, handler

#: The kind of job that sends such a mail. The key is `author/` and the id of the author.
DIGEST: Final = "mail-digest"
#: Seconds between two mails to an author.
INTERVAL: Final = 600.0
#: When an entry takes more comments than this within an hour, their mails are gathered.
BUSY: Final = 20
HOUR: Final = 3600
#: The most comments whose text a mail shows, and the most characters of each.
_SHOWN, _EXCERPT = 10, 300


def enqueue_for(config: Config, site: Site, causes: Mapping[int, Cause]) -> int:
    """Enqueue a mail to each of these authors, by id; returns their number."""
    for author, cause in causes.items():
        request = JobRequest(f"author/{author}", scope=site.name, every=INTERVAL)
        enqueue(DIGEST, [request], ageing=config.queue.ageing, causes=[cause])
    return len(causes)


@dataclass(frozen=True, slots=True)
class _Waiting:
    comment: int
    name: str
    text: str
    title: str


@handler(DIGEST, retry=mailer.RETRY)
def send_digest(_payload: Payload, context: JobContext) -> Outcome:
    """Send the mail to an author. Raises the errors of `mailer.send`."""
    author = Author.get_or_none(Author.id == int(context.key.partition("/")[2]))
    if author is None or not author.email or not context.config.mail.host:
        return "unchanged"
    site = Site.get_by_id(author.site_id)
    with db.snapshot():
        count, waiting = _load_waiting(author)
        busy = db.execute(_BUSY, [author.id, author.email]).fetchall()
    if not count and not busy:
        return "unchanged"
    subject, parts = _subject(count, waiting, busy), []
    if count:
        parts.append(_waiting_text(context.config, site, count, waiting))
    if busy:
        lines = "\n".join(f"  {number} on “{title}”" for number, title in busy)
        parts.append(f"Comments of the last hour that are published, on entries with many of them:\n\n{lines}\n")
    newest = waiting[0].comment if waiting else 0
    mark = (str(newest), str(count), *(str(number) for number, _ in busy))
    mailer.send(context, site, Mailbox(author.name, author.email), subject, "\n".join(parts), mark=mark)
    return "changed"


_OF_AUTHOR: Final = """
FROM comment c JOIN entry e ON e.id = c.entry_id JOIN entry_author ea ON ea.entry_id = e.id
WHERE ea.author_id = ? AND LOWER(c.author_email) <> LOWER(?)
"""
_COUNT: Final = f"SELECT COUNT(*) {_OF_AUTHOR} AND c.status = 'pending'"
_NEWEST: Final = f"""
SELECT c.id, c.author_name, c.text, e.title {_OF_AUTHOR} AND c.status = 'pending'
ORDER BY c.created_at DESC, c.id DESC LIMIT {_SHOWN}
"""
_BUSY: Final = f"""
SELECT COUNT(*), e.title {_OF_AUTHOR} AND c.status = 'approved' AND c.created_at > {NOW} - {HOUR}
GROUP BY e.id, e.title HAVING COUNT(*) > {BUSY} ORDER BY 1 DESC, e.id LIMIT {_SHOWN}
"""


def _load_waiting(author: Author) -> tuple[int, list[_Waiting]]:
    """The number of comments that wait on an author's entries, and the newest of them."""
    count = db.execute(_COUNT, [author.id, author.email]).fetchone()[0]
    rows = db.execute(_NEWEST, [author.id, author.email]).fetchall() if count else []
    return count, [_Waiting(*row) for row in rows]


def _subject(count: int, waiting: list[_Waiting], busy: list[tuple[int, str]]) -> str:
    if count == 1:
        return f"{waiting[0].name} on “{waiting[0].title}”, waits for approval"
    if count:
        return f"{count:,} comments wait for approval"
    return f"{sum(number for number, _ in busy):,} comments in an hour"


def _waiting_text(config: Config, site: Site, count: int, waiting: list[_Waiting]) -> str:
    which = f" --site {site.name}" if len(config.sites) > 1 else ""
    if count == 1:
        only = waiting[0]
        return (
            f"{only.name} commented on “{only.title}”. The comment waits for approval:\n\n"
            f"{mailer.quoted(only.text)}\n\n"
            f"Approve it with\n\n  appliance comments.approve {only.comment}{which}\n"
        )
    shown = "\n\n".join(
        f"{one.comment}: {one.name} on “{one.title}”\n{mailer.quoted(_excerpt(one.text))}" for one in waiting
    )
    more = f"\n\nThe newest {len(waiting)} of them are shown." if count > len(waiting) else ""
    numbers = " ".join(str(one.comment) for one in waiting)
    return (
        f"{count:,} comments on your entries wait for approval:\n\n{shown}{more}\n\nApprove those that you want with"
        f"\n\n  appliance comments.approve {numbers}{which}\n"
    )


def _excerpt(text: str) -> str:
    return text if len(text) <= _EXCERPT else f"{text[: _EXCERPT - 1].rstrip()}…"

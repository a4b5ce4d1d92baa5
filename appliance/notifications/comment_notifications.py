"""Which mails the changes to comments call for, and the mail to an author about one approved comment.

A change is recorded in the transaction that saves or approves a comment. `enqueue_notifications` turns the changes that
nobody was notified of into jobs and marks them in one transaction. Every approval therefore gets its mails and a rolled
back one gets none, although content knows nothing of the queue. Comments are read when a mail is sent, so no mail is
sent about a comment that is no longer approved. A flood of comments makes few mails: `author_digest` gathers those that
wait for approval, and those on an entry that takes many.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from appliance import db
from appliance.config import Config
from appliance.content.aspects import Aspect
from appliance.content.models import Site
from appliance.db import NOW
from appliance.notifications import author_digest, mailer, reply_mails
from appliance.notifications.links import comment_url
from appliance.notifications.message import Mailbox
from appliance.planning.permalinks import OF_ENTRY
from appliance.queue.enqueue import Cause, JobRequest, enqueue
from appliance.queue.handlers import JobContext, Outcome, Payload, handler

#: The kind of job that sends one mail about one comment to one author.
MAIL: Final = "mail"

_TAKE_CHANGES: Final = """
UPDATE change SET told = true WHERE site_id = ? AND NOT told RETURNING id, subject_id, what, actor, aspects
"""
_AUTHORS: Final = """
SELECT c.id, a.id, c.entry_id FROM comment c
JOIN entry_author ea ON ea.entry_id = c.entry_id JOIN author a ON a.id = ea.author_id
WHERE c.id IN ({ids}) AND c.status = '{status}' AND a.email <> '' AND LOWER(a.email) <> LOWER(c.author_email)
ORDER BY c.id, ea.position
"""


def enqueue_notifications(config: Config, site: Site) -> int:
    """Enqueue the mails about new and newly approved comments of a site; returns their number.

    Changes are marked as notified even when no mail server is configured. Otherwise the first mails after one is
    configured would be about comments of years ago.
    """
    with db.write():
        changes = db.execute(_TAKE_CHANGES, [site.id]).fetchall()
        approved, waiting = dict[int, Cause](), dict[int, Cause]()
        for change, comment, event, actor, aspects in sorted(changes):
            if actor == "import":
                continue
            if event in ("comment approved", "comment added"):
                approved[comment] = Cause("comment approved", actor, change)
            # A comment that somebody held, who therefore knows of it, changes the pages.
            if event == "comment added" or (event == "comment held" and aspects == int(Aspect(0))):
                waiting[comment] = Cause("comment waits", actor, change)
        if not config.mail.host:
            return 0
        # The statements below find out which comments are approved, and which wait, by now.
        busy = _busy_entries(approved)
        single, gathered = 0, dict[int, Cause]()
        for comment, author, entry in _authors(approved, "approved"):
            if entry in busy:
                gathered[author] = approved[comment]
            else:
                _enqueue_mail(config, site, comment, author, approved[comment])
                single += 1
        gathered |= {author: waiting[comment] for comment, author, _ in _authors(waiting, "pending")}
        digests = author_digest.enqueue_for(config, site, gathered)
        return single + digests + reply_mails.enqueue_for(config, site, approved, busy)


def _enqueue_mail(config: Config, site: Site, comment: int, author: int, cause: Cause) -> None:
    payload = json.dumps({"comment": comment, "author": author})
    request = JobRequest(f"comment/{comment}/{author}", scope=site.name, payload=payload)
    enqueue(MAIL, [request], ageing=config.queue.ageing, causes=[cause])


def _authors(comments: Iterable[int], status: str) -> list[tuple[int, int, int]]:
    """The authors to tell of comments with this status: comment, author and entry."""
    return [
        row
        for ids in db.chunks(sorted(comments))
        for row in db.execute(_AUTHORS.format(ids=db.placeholders(len(ids)), status=status), ids).fetchall()
    ]


_BUSY: Final = f"""
SELECT entry_id FROM comment
WHERE status = 'approved' AND created_at > {NOW} - {author_digest.HOUR}
  AND entry_id IN (SELECT entry_id FROM comment WHERE id IN ({{ids}}))
GROUP BY entry_id HAVING COUNT(*) > {author_digest.BUSY}
"""


def _busy_entries(comments: Iterable[int]) -> set[int]:
    """The entries of these comments that take so many now that their mails are gathered."""
    return {
        entry
        for ids in db.chunks(sorted(comments))
        for (entry,) in db.execute(_BUSY.format(ids=db.placeholders(len(ids))), ids).fetchall()
    }


@handler(MAIL, retry=mailer.RETRY)
def send_notification(payload: Payload, context: JobContext) -> Outcome:
    """Send the mail about one comment to one author. Raises the errors of `mailer.send`."""
    found = _load(payload["comment"], payload["author"])
    if found is None or not context.config.mail.host:
        return "unchanged"
    subject = f"{found.reader.name} on “{found.title}”"
    text = f"{found.reader.name} commented on “{found.title}”:\n\n{mailer.quoted(found.text)}\n\n{found.address}\n"
    mailer.send(context, found.site, found.author, subject, text, reply_to=found.reader)
    return "changed"


@dataclass(frozen=True, slots=True)
class _Notification:
    site: Site
    author: Mailbox
    reader: Mailbox
    title: str
    text: str
    address: str


_NOTIFICATION: Final = f"""
SELECT e.site_id, a.name, a.email, c.author_name, c.author_email, e.title, c.text, p.path
FROM comment c JOIN entry e ON e.id = c.entry_id
JOIN entry_author ea ON ea.entry_id = e.id JOIN author a ON a.id = ea.author_id
LEFT JOIN {OF_ENTRY}
WHERE c.id = ? AND a.id = ? AND c.status = 'approved' AND a.email <> ''
"""


def _load(comment: int, author: int) -> _Notification | None:
    """Load the content of a mail; None if the comment is no longer approved or the author has no address."""
    with db.snapshot():
        row = db.execute(_NOTIFICATION, [comment, author]).fetchone()
        if row is None:
            return None
        site = Site.get_by_id(row[0])
    return _Notification(
        site, Mailbox(row[1], row[2]), Mailbox(row[3], row[4]), row[5], row[6], comment_url(site, row[7], comment)
    )

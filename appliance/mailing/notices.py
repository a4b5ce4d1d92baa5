"""Notices: an entry's authors are told when a comment on it is approved.

The record of changes is written in the transaction that approves a comment, and is what this reads: `ask` turns the
changes nobody was told of into jobs and marks them told, in one transaction. So an approval is never without its mail
and a rolled back one never has any, though content knows nothing of queues. What is sent is read when it is sent: a
comment that was taken back meanwhile is not told of.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import quote

from appliance import db
from appliance.config import Config
from appliance.content.models import Site
from appliance.errors import MailRefused
from appliance.mailing.message import Person, compose
from appliance.mailing.smtp import deliver
from appliance.planning.paths import link
from appliance.queue.kinds import Errand, Outcome, Payload, kind
from appliance.queue.requests import Cause, Request, enqueue
from appliance.queue.retry import RetryPolicy

#: The kind of job that sends one mail.
MAIL = "mail"

#: A server that is down for some minutes, or asks a stranger to come back later, costs no mail.
_RETRY = RetryPolicy(retries=6, first=60.0, longest=3600.0, hopeless=(MailRefused, LookupError, ValueError))

_TAKE = "UPDATE change SET told = true WHERE site_id = ? AND NOT told RETURNING id, subject_id, what, actor"
_TO_TELL = """
SELECT c.id, a.id FROM comment c JOIN entry_author ea ON ea.entry_id = c.entry_id JOIN author a ON a.id = ea.author_id
WHERE c.id IN ({ids}) AND c.status = 'approved' AND a.email <> '' AND LOWER(a.email) <> LOWER(c.author_email)
ORDER BY c.id, ea.position
"""


def ask(config: Config, site: Site) -> int:
    """Enqueue a mail to each author of an entry with newly approved comments; returns how many.

    Changes are marked as told even when no mail is sent for want of a host, lest the first mail ever sent be of
    years ago.
    """
    with db.write():
        rows = db.execute(_TAKE, [site.id]).fetchall()
        news = {
            comment: Cause("comment approved", actor, change)
            for change, comment, what, actor in sorted(rows)
            if what in ("comment approved", "comment added") and actor != "import"
        }
        if not config.mail.host or not news:
            return 0
        found = db.execute(_TO_TELL.format(ids=db.marks(len(news))), sorted(news)).fetchall()
        for comment, author in found:
            payload = json.dumps({"comment": comment, "author": author})
            request = Request(f"comment/{comment}/{author}", scope=site.name, payload=payload)
            enqueue(MAIL, [request], ageing=config.queue.ageing, causes=[news[comment]])
    return len(found)


@kind(MAIL, retry=_RETRY)
def send(payload: Payload, errand: Errand) -> Outcome:
    """Tell one author of one comment.

    Raises:
        MailRefused: nothing but a person can help.
        MailError: the server cannot be reached, or says to try later.
    """
    notice = _load(payload["comment"], payload["author"])
    if notice is None or not errand.config.mail.host:
        return "unchanged"
    settings = errand.config.mail
    prefix = settings.subject or f"[{notice.site.title}]"
    message = compose(
        Person(notice.site.title, settings.sender),
        notice.author,
        f"{prefix} {notice.reader.name} on “{notice.title}”",
        _text(notice),
        identity=(notice.site.url, errand.kind, errand.key),
        reply_to=notice.reader,
    )
    deliver(settings, message, notice.author.address, errand.config.host_name)
    return "changed"


@dataclass(frozen=True, slots=True)
class _Notice:
    site: Site
    author: Person
    reader: Person
    title: str
    text: str
    address: str


_NOTICE = """
SELECT e.site_id, a.name, a.email, c.author_name, c.author_email, e.title, c.text, p.path
FROM comment c JOIN entry e ON e.id = c.entry_id
JOIN entry_author ea ON ea.entry_id = e.id JOIN author a ON a.id = ea.author_id
LEFT JOIN artifact p ON p.type IN ('entry', 'page') AND p.subject = e.id AND p.is_permalink AND p.wanted
WHERE c.id = ? AND a.id = ? AND c.status = 'approved' AND a.email <> ''
"""


def _load(comment: int, author: int) -> _Notice | None:
    """What to say; None when there is nothing to say any more."""
    with db.snapshot():
        row = db.execute(_NOTICE, [comment, author]).fetchone()
        if row is None:
            return None
        site = Site.get_by_id(row[0])
    return _Notice(
        site, Person(row[1], row[2]), Person(row[3], row[4]), row[5], row[6], _address(site, row[7], comment)
    )


def _address(site: Site, path: str | None, comment: int) -> str:
    if path is None:
        return str(site.url)
    below = path[len(site.folder) + 1 :] if site.folder else path
    return f"{site.url}{quote(link(below))}#comment-{comment}"


def _text(notice: _Notice) -> str:
    quoted = "\n".join(f"> {line}".rstrip() for line in notice.text.splitlines())
    return f"{notice.reader.name} commented on “{notice.title}”:\n\n{quoted}\n\n{notice.address}\n"

"""Mail to readers: the one that asks to confirm, and those about replies to their comments.

Guarantees that a reader gets mail about replies only after confirming, not about their own, and none once they ended
it, even if it was on the queue by then. The mail that asks has nothing in it that its cause wrote, so that nobody can
use it to send a text to somebody else; the queue sends at most one a day to a mailbox.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from appliance import db
from appliance.config import Config
from appliance.content.models import Site
from appliance.db import NOW
from appliance.notifications import mailer, reply_notices
from appliance.notifications.author_digest import HOUR
from appliance.notifications.links import comment_url, notice_url
from appliance.notifications.message import Mailbox
from appliance.notifications.reply_notices import Wish, mailbox_key
from appliance.planning.permalinks import page_url
from appliance.queue.enqueue import Cause, JobRequest, enqueue
from appliance.queue.handlers import JobContext, Outcome, Payload, handler
from appliance.signing import CONFIRMATION_AGE

#: The kind of job that asks a reader to confirm. The key is that of the reader's mailbox.
CONFIRMATION: Final = "mail-confirmation"
#: The kind of job that tells a reader of one reply.
REPLY: Final = "mail-reply"
#: Seconds between two mails that ask to confirm.
_INTERVAL: Final = 86_400.0
#: How many comments above a reply may belong to readers who are told of it.
_LEVELS: Final = 50
#: The most replies whose text a mail shows.
_SHOWN: Final = 10

_UNASKED: Final = """
SELECT n.comment_id, n.id, n.email FROM reply_notice n JOIN comment c ON c.id = n.comment_id
WHERE c.id IN ({ids}) AND c.status = 'approved'
  AND n.asked_at IS NULL AND n.confirmed_at IS NULL AND n.ended_at IS NULL ORDER BY n.id
"""
# Only what readers sent has an origin: imports and the shell send nothing to readers.
_ABOVE: Final = f"""
WITH RECURSIVE above (reply, ancestor, level) AS (
    SELECT c.id, c.parent_id, 1 FROM comment c JOIN comment_origin o ON o.comment_id = c.id
    WHERE c.id IN ({{ids}}) AND c.status = 'approved' AND c.parent_id IS NOT NULL
    UNION ALL
    SELECT above.reply, c.parent_id, above.level + 1 FROM above JOIN comment c ON c.id = above.ancestor
    WHERE c.parent_id IS NOT NULL AND above.level < {_LEVELS})
SELECT above.reply, n.id, n.email, a.author_email, r.author_email, r.entry_id
FROM above JOIN reply_notice n ON n.comment_id = above.ancestor
JOIN comment a ON a.id = above.ancestor JOIN comment r ON r.id = above.reply
WHERE n.confirmed_at IS NOT NULL AND n.ended_at IS NULL ORDER BY above.reply, above.level
"""


def enqueue_for(config: Config, site: Site, causes: Mapping[int, Cause], busy: Container[int]) -> int:
    """Enqueue the mails to readers that approved comments cause; returns their number.

    `causes` are by the id of the comment. On the entries in `busy` a reader's replies are gathered.
    """
    if not reply_notices.are_offered(config, site.name):
        return 0
    count = 0
    for comment, notice, email in _select(_UNASKED, causes):
        _enqueue_confirmation(config, site.name, notice, email, causes[comment])
        count += 1
    told = set[tuple[int, str]]()
    for reply, notice, email, address, writer, entry in _select(_ABOVE, causes):
        # The nearest of a reader's comments above the reply counts. An address that was erased gets no mail.
        if email == address.lower() != writer.lower() and (reply, email) not in told:
            told.add((reply, email))
            request = _gathered(notice, site) if entry in busy else _single(reply, notice, site)
            enqueue(REPLY, [request], ageing=config.queue.ageing, causes=[causes[reply]])
    return count + len(told)


def _select(sql: str, comments: Iterable[int]) -> list[tuple[Any, ...]]:
    return [
        row
        for ids in db.chunks(sorted(comments))
        for row in db.execute(sql.format(ids=db.placeholders(len(ids))), ids).fetchall()
    ]


def _single(reply: int, notice: int, site: Site) -> JobRequest:
    payload = json.dumps({"notice": notice, "reply": reply})
    return JobRequest(f"reply/{reply}/{notice}", scope=site.name, payload=payload)


def _gathered(notice: int, site: Site) -> JobRequest:
    return JobRequest(f"replies/{notice}", scope=site.name, payload=json.dumps({"notice": notice}), every=float(HOUR))


def _enqueue_confirmation(config: Config, scope: str, notice: int, email: str, cause: Cause) -> None:
    payload = json.dumps({"notice": notice})
    request = JobRequest(f"mailbox/{mailbox_key(email)}", scope=scope, payload=payload, every=_INTERVAL)
    enqueue(CONFIRMATION, [request], ageing=config.queue.ageing, causes=[cause])


@handler(CONFIRMATION, retry=mailer.RETRY)
def send_confirmation(payload: Payload, context: JobContext) -> Outcome:
    """Ask a reader to confirm all that they asked for on a site. Raises the errors of `mailer.send`."""
    wish, mailbox = reply_notices.find(payload["notice"]), context.key.partition("/")[2]
    # The newest wish of the mailbox may be gone, and on SQLite its number another's. Others may wait with it.
    if wish is None or mailbox_key(wish.email) != mailbox or not _may_send(context.config, wish):
        wish = reply_notices.find_unasked(mailbox)
    if wish is None or not _may_send(context.config, wish):
        return "unchanged"
    unconfirmed = reply_notices.find_unconfirmed(wish.email)
    asked = [one for one in unconfirmed if one.site.id == wish.site.id]
    if asked:
        newest = asked[-1]
        link = notice_url(context.config, wish.site, newest.id, newest.email, "confirm")
        text = _confirmation_text(wish.site, asked, link)
        # No name: that of the comment was written by whoever caused this mail.
        to, mark = Mailbox("", wish.email), (str(newest.id),)
        mailer.send(context, wish.site, to, "Please confirm mails about replies", text, mark=mark)
    with db.write():
        reply_notices.set_asked(asked)
        elsewhere = [one for one in unconfirmed if one.site.id != wish.site.id and not one.is_asked]
        for one in elsewhere[:1]:  # on another site, a day later
            _enqueue_confirmation(context.config, one.site.name, one.id, one.email, Cause("comment approved"))
    return "changed" if asked else "unchanged"


def _confirmation_text(site: Site, asked: Sequence[Wish], link: str) -> str:
    entries = {one.entry: f"  “{one.title}”\n  {page_url(site, one.path)}\n" for one in asked}
    return (
        f"Somebody commented on {site.title} with this mail address, and asked to be told of replies:\n\n"
        f"{''.join(entries.values())}\nIf that was you, and you want these mails, confirm it within"
        f" {int(CONFIRMATION_AGE / 86_400)} days:\n\n  {link}\n\n"
        "If it was not you, there is nothing to do: without your confirmation, no replies are mailed to you.\n"
    )


@handler(REPLY, retry=mailer.RETRY)
def send_reply(payload: Payload, context: JobContext) -> Outcome:
    """Tell a reader of one reply, or of those of the last hour. Raises the errors of `mailer.send`."""
    wish = reply_notices.find(payload["notice"])
    if wish is None or not wish.is_confirmed or not _may_send(context.config, wish):
        return "unchanged"
    one = payload.get("reply")
    replies = _load_reply(one, wish) if one else _load_recent(wish)
    if not replies:
        return "unchanged"
    replied = f"{replies[0].name} replied to you" if len(replies) == 1 else f"{len(replies)} replies to you"
    link = notice_url(context.config, wish.site, wish.id, wish.email, "unsubscribe")
    shown = "\n\n".join(
        f"{reply.name} on “{wish.title}”:\n\n{mailer.quoted(reply.text)}\n\n"
        f"{comment_url(wish.site, wish.path, reply.comment)}"
        for reply in replies[:_SHOWN]
    )
    more = f"\n\nThe newest {_SHOWN} of {len(replies)} replies are shown.\n" if len(replies) > _SHOWN else "\n"
    text = f"{shown}\n{more}-- \nYou asked for these mails. To end them, follow this link:\n{link}\n"
    mark = () if one else (str(replies[0].comment),)
    to, subject = Mailbox(wish.name, wish.email), f"{replied} on “{wish.title}”"
    mailer.send(context, wish.site, to, subject, text, mark=mark, unsubscribe=link)
    return "changed"


def _may_send(config: Config, wish: Wish) -> bool:
    """Whether the wish has not ended, and its site is still one that sends notices."""
    known = wish.site.name in {site.name for site in config.sites}
    return not wish.is_ended and known and reply_notices.are_offered(config, wish.site.name)


@dataclass(frozen=True, slots=True)
class _Reply:
    comment: int
    name: str
    text: str


# The numbers of an old job may be those of other comments by now: SQLite once gave them out again.
_REPLY: Final = f"""
WITH RECURSIVE above (id, level) AS (
    SELECT parent_id, 1 FROM comment WHERE id = ?
    UNION ALL SELECT c.parent_id, above.level + 1 FROM above JOIN comment c ON c.id = above.id
    WHERE above.level < {_LEVELS})
SELECT id, author_name, text FROM comment
WHERE id = ? AND status = 'approved' AND ? IN (SELECT above.id FROM above)
"""


def _load_reply(comment: int, wish: Wish) -> list[_Reply]:
    """The reply if it is still approved, and below the comment of the wish."""
    return [_Reply(*row) for row in db.execute(_REPLY, [comment, comment, wish.comment]).fetchall()]


_RECENT: Final = f"""
WITH RECURSIVE below (id, level) AS (
    SELECT id, 1 FROM comment WHERE parent_id = ?
    UNION ALL SELECT c.id, below.level + 1 FROM below JOIN comment c ON c.parent_id = below.id
    WHERE below.level < {_LEVELS})
SELECT c.id, c.author_name, c.text FROM below JOIN comment c ON c.id = below.id
JOIN comment_origin o ON o.comment_id = c.id
WHERE c.status = 'approved' AND c.created_at > {NOW} - {HOUR} AND LOWER(c.author_email) <> ? ORDER BY c.id DESC
"""


def _load_recent(wish: Wish) -> list[_Reply]:
    """The replies of the last hour below the comment of a wish, the newest first."""
    return [_Reply(*row) for row in db.execute(_RECENT, [wish.comment, wish.email]).fetchall()]

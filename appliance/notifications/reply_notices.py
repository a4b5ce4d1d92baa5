"""Readers' wishes to be told by mail of replies: asked for with a comment, confirmed by a link, ended by a link.

Guarantees that nobody gets more than one mail that they did not confirm a day, and that only a wish that is confirmed
and not ended counts. Otherwise the comment form could flood a third person's mailbox. A confirmation is for all wishes
of an address on a site that were named in the mail, and an end is for all of an address on an entry, or on a site.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from appliance import db
from appliance.config import Config
from appliance.config.services import is_mail_address
from appliance.content.comment_models import ReplyNotice
from appliance.content.models import Comment, Site
from appliance.db import NOW
from appliance.planning.permalinks import OF_ENTRY
from appliance.signing import CONFIRMATION_AGE

#: The most readers of a network, and of all networks, who may ask for notices within an hour.
_PER_NETWORK: Final = 10
_PER_HOUR: Final = 300
#: After this many mails within 30 days that an address did not confirm, it is asked no more.
_UNANSWERED: Final = 3
_HOUR, _MONTH = 3600, 30 * 86_400


@dataclass(frozen=True, slots=True)
class Wish:
    """A wish, with the site and the entry of its comment."""

    id: int
    email: str
    site: Site
    entry: int
    title: str
    #: The path of the entry's page in the docroot, if it has one.
    path: str | None
    comment: int
    #: The name that the reader gave.
    name: str
    is_asked: bool
    is_confirmed: bool
    is_ended: bool


def are_offered(config: Config, site: str) -> bool:
    """Whether readers of the site may ask for notices. They need mail, and a web process that takes confirmations."""
    return bool(config.web.path and config.mail.host and config.site(site).comments.notices)


def request(config: Config, site: Site, comment: Comment, network: str = "") -> int | None:
    """Record the wish of a comment's author; returns its id if it is to be confirmed. Call it in the same transaction.

    The mail that asks for confirmation goes out once the comment is approved, since spam must not cause mail.
    """
    email = str(comment.author_email).lower()
    if not are_offered(config, site.name) or not is_mail_address(email) or _is_limited(email, network):
        return None
    now = int(db.now())
    # Whoever confirmed for this entry is in its conversation already.
    confirmed = now if _is_confirmed(email, comment.entry_id) else None
    wish = ReplyNotice.create(comment=comment.id, email=email, created_at=now, confirmed_at=confirmed)
    return None if confirmed else int(wish.id)


def _is_confirmed(email: str, entry: int) -> bool:
    row = db.execute(
        """SELECT 1 FROM reply_notice n JOIN comment c ON c.id = n.comment_id
           WHERE n.email = ? AND c.entry_id = ? AND n.confirmed_at IS NOT NULL AND n.ended_at IS NULL LIMIT 1""",
        [email, entry],
    ).fetchone()
    return row is not None


def mailbox_key(email: str) -> str:
    """A key of the mailbox that an address probably leads to: `ida+news@a.example` leads to that of `ida@a.example`."""
    local, _, domain = email.lower().rpartition("@")
    mailbox = f"{local.partition('+')[0].replace('.', '')}@{domain}"
    return hashlib.blake2b(mailbox.encode(), digest_size=10).hexdigest()


_LIMITS: Final = f"""
SELECT (SELECT COUNT(*) FROM reply_notice n JOIN comment_origin o ON o.comment_id = n.comment_id
        WHERE n.created_at > {NOW} - {_HOUR} AND o.network = ? AND o.network <> ''),
       (SELECT COUNT(*) FROM reply_notice n WHERE n.created_at > {NOW} - {_HOUR}),
       (SELECT COUNT(DISTINCT n.asked_at) FROM reply_notice n
        WHERE n.email = ? AND n.asked_at > {NOW} - {_MONTH} AND n.confirmed_at IS NULL)
"""


def _is_limited(email: str, network: str) -> bool:
    of_network, of_all, unanswered = db.execute(_LIMITS, [network, email]).fetchone()
    return bool(of_network >= _PER_NETWORK or of_all >= _PER_HOUR or unanswered >= _UNANSWERED)


_FIND: Final = f"""
SELECT n.id, n.email, e.site_id, e.id, e.title, p.path, c.id, c.author_name, c.author_email,
       n.asked_at IS NOT NULL, n.confirmed_at IS NOT NULL, n.ended_at IS NOT NULL
FROM reply_notice n JOIN comment c ON c.id = n.comment_id JOIN entry e ON e.id = c.entry_id
LEFT JOIN {OF_ENTRY}
WHERE c.status = 'approved' AND {{where}} ORDER BY n.id
"""


def find(notice: int) -> Wish | None:
    """The wish with this id; None if its comment is not approved any more, or the address was erased."""
    return next(iter(_find("n.id = ?", [notice])), None)


def find_unconfirmed(email: str) -> list[Wish]:
    """The wishes of an address that can be confirmed, on all sites."""
    recent = f"n.created_at > {NOW} - {int(CONFIRMATION_AGE)}"
    where = f"n.email = ? AND n.confirmed_at IS NULL AND n.ended_at IS NULL AND {recent}"
    return _find(where, [email])


def find_unasked(mailbox: str) -> Wish | None:
    """A wish of a mailbox (see `mailbox_key`) whose address was not asked yet."""
    recent = f"n.created_at > {NOW} - {int(CONFIRMATION_AGE)}"
    where = f"n.asked_at IS NULL AND n.confirmed_at IS NULL AND n.ended_at IS NULL AND {recent}"
    return next((wish for wish in _find(where, []) if mailbox_key(wish.email) == mailbox), None)


def _find(where: str, values: Sequence[object]) -> list[Wish]:
    rows = db.execute(_FIND.format(where=where), values).fetchall()
    sites = {site.id: site for site in Site.select().where(Site.id.in_({row[2] for row in rows}))}
    return [
        Wish(id_, email, sites[site], entry, title, path, comment, name, bool(asked), bool(confirmed), bool(ended))
        for id_, email, site, entry, title, path, comment, name, author_email, asked, confirmed, ended in rows
        if author_email.lower() == email
    ]


_SAME: Final = """
id IN (SELECT n.id FROM reply_notice n JOIN comment c ON c.id = n.comment_id JOIN entry e ON e.id = c.entry_id
       WHERE n.email = ? AND e.site_id = ? {more})
"""


def confirm(wish: Wish) -> bool:
    """Confirm a wish and those of its address on the site that came before; returns whether any was unconfirmed.

    A wish that was ended stays ended.
    """
    where = _SAME.format(more="AND n.id <= ? AND (n.asked_at IS NOT NULL OR n.id = ?)")
    values = [wish.email, wish.site.id, wish.id, wish.id]
    return _set("confirmed_at", f"{where} AND confirmed_at IS NULL AND ended_at IS NULL", values)


def end(wish: Wish, *, everywhere: bool = False) -> bool:
    """End all wishes of an address on an entry, or everywhere on the site; returns whether any had not ended yet."""
    more, values = ("", []) if everywhere else ("AND e.id = ?", [wish.entry])
    return _set("ended_at", f"{_SAME.format(more=more)} AND ended_at IS NULL", [wish.email, wish.site.id, *values])


def set_asked(wishes: Sequence[Wish]) -> None:
    """Record that the mail that asks for confirmation was sent; the first time counts."""
    ids = [wish.id for wish in wishes if not wish.is_asked]
    if ids:
        _set("asked_at", f"id IN ({db.placeholders(len(ids))})", ids)


def _set(column: str, where: str, values: Sequence[object]) -> bool:
    with db.write():
        sql = f"UPDATE reply_notice SET {column} = CAST({NOW} AS INTEGER) WHERE {where} RETURNING id"
        return bool(db.execute(sql, values).fetchall())

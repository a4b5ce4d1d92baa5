"""The senders of readers' comments: bans, and erasing what identifies them, when it is due or when somebody asks.

Guarantees that erasing takes e-mail addresses, network addresses, browsers and wishes for mail of a sender in one
transaction, while the comments and the nonces of their forms stay, so that threads keep their sense and no form can be
sent again. Work on many rows is done in small transactions, so that it never holds up those who write.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from appliance import audit, db
from appliance.actor import UNKNOWN, Actor
from appliance.config import Config
from appliance.content import comments
from appliance.content.comment_models import BanKind, CommentBan, CommentOrigin
from appliance.content.contact_details import clean_email
from appliance.content.models import Comment, Site
from appliance.content.networks import SHORTEST_PREFIX, is_too_large, parse_network
from appliance.content.sites import find_site
from appliance.db import NOW
from appliance.editorial.lookup import find_comment
from appliance.errors import ContentError
from appliance.row_ids import parse_row_id

_DAY: Final = 86_400.0
#: Days that wishes for mail are kept which were not confirmed, or have ended.
_KEEP_WISHES: Final = 30
#: Days that the senders of deleted comments are kept at most, for their history.
_KEEP_DELETED: Final = 30
_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Ban:
    """Whose comments a site refuses."""

    #: 'network' or 'email'.
    kind: str
    value: str
    reason: str
    created_by: str
    created_at: int


def ban(config: Config, site: str, who: str, *, reason: str = "", actor: Actor = UNKNOWN) -> list[Ban]:
    """Refuse the comments of a network, an address or an e-mail address, or of the sender of the comment with this id.

    Returns the bans that are new.

    Raises:
        ContentError: `who` is none of these, or a network larger than anybody bans on purpose, or nothing is known of
            the sender of the comment.
    """
    row = find_site(config, site)
    added = []
    with db.write():
        wanted = _parse(row, who)
        _refuse_too_large(wanted)
        for kind, value in wanted:
            values = {"site": row.id, "kind": kind, "value": value}
            known = CommentBan.get_or_none(*(getattr(CommentBan, name) == given for name, given in values.items()))
            if known is None:
                made = CommentBan.create(**values, reason=reason, created_by=actor.name, created_at=int(db.now()))
                added.append(_ban(made))
                _record_ban(row, made, actor, lifted=False)
    return added


def unban(config: Config, site: str, who: str, *, actor: Actor = UNKNOWN) -> int:
    """Lift the bans of a network, an e-mail address or the sender of a comment; returns how many. Raises as `ban`."""
    row, lifted = find_site(config, site), 0
    with db.write():
        for kind, value in _parse(row, who):
            known = CommentBan.site == row.id, CommentBan.kind == kind, CommentBan.value == value
            for one in list(CommentBan.select().where(*known)):
                if CommentBan.delete().where(CommentBan.id == one.id).execute():
                    _record_ban(row, one, actor, lifted=True)
                    lifted += 1
    return lifted


def _record_ban(site: Site, row: CommentBan, actor: Actor, *, lifted: bool) -> None:
    mask = audit.mask_email if row.kind == "email" else audit.mask_network
    values = {"kind": row.kind, "value": mask(row.value), "reason": row.reason}
    before, after = (values, None) if lifted else (None, values)
    audit.record("comment.ban", "ban", row.id, site=site.name, before=before, after=after, actor=actor)


def list_bans(config: Config, site: str) -> list[Ban]:
    """The bans of a site, the newest first."""
    row = find_site(config, site)
    return [_ban(one) for one in CommentBan.select().where(CommentBan.site == row.id).order_by(CommentBan.id.desc())]


def _ban(row: CommentBan) -> Ban:
    return Ban(row.kind, row.value, row.reason, row.created_by, row.created_at)


def _parse(site: Site, who: str) -> list[tuple[BanKind, str]]:
    who = who.strip()
    if who.isascii() and who.isdigit():
        return _sender_of(find_comment(site, parse_row_id(who)))
    if "@" in who:
        return [("email", clean_email(who).lower())]
    network = parse_network(who)
    if network is None:
        raise ContentError(
            f"“{who}” is no network, no e-mail address and no id of a comment; write 192.0.2.0/24, ida@example.org or 7"
        )
    return [("network", str(network))]


def _refuse_too_large(wanted: Sequence[tuple[BanKind, str]]) -> None:
    """Refuse to ban a network that holds readers by the million. A ban that is there already can be lifted."""
    for kind, value in wanted:
        network = parse_network(value) if kind == "network" else None
        if network is not None and is_too_large(network):
            shortest = SHORTEST_PREFIX[network.version]
            raise ContentError(
                f"{network} is too large to ban: nobody could comment from millions of connections; ban networks of /"
                f"{shortest} or smaller"
            )


def _sender_of(comment: Comment) -> list[tuple[BanKind, str]]:
    origin = CommentOrigin.get_or_none(CommentOrigin.comment == comment.id)
    found: list[tuple[BanKind, str]] = [("network", origin.network)] if origin and origin.network else []
    found += [("email", comment.author_email.lower())] if comment.author_email else []
    if not found:
        raise ContentError(f"neither network nor e-mail address of comment {comment.id} are known; name one of them")
    return found


_ERASE_ORIGINS: Final = """
UPDATE comment_origin SET address = '', network = '', user_agent = '', referrer = '' WHERE comment_id IN ({ids})
"""


def erase(config: Config, site: str, email: str, *, actor: Actor = UNKNOWN) -> int:
    """Erase what identifies the sender of all comments with this e-mail address; returns the number of comments.

    The comments themselves, with the names in them, stay; delete them if they have to go as well. Of deleted comments
    nothing is left.

    Raises:
        ContentError: this is no e-mail address.
    """
    row, address = find_site(config, site), clean_email(email)
    sql = """SELECT c.id FROM comment c JOIN entry e ON e.id = c.entry_id
             WHERE lower(c.author_email) = lower(?) AND c.author_email <> '' AND e.site_id = ?"""
    with db.write():
        ids = [number for (number,) in db.execute(sql, [address, row.id]).fetchall()]
        for some in db.chunks(ids):
            _erase_origins(some)
            _erase_emails(some)
        forget = """UPDATE comment_decision SET author_email = '', network = '', content = ''
                    WHERE lower(author_email) = lower(?) AND author_email <> '' AND site_id = ?"""
        db.execute(forget, [address, row.id])
        after = {"comments": ids}  # the address would identify the sender for ever
        audit.record("comment.erase", "comment", site=row.name, after=after, actor=actor)
    return len(ids)


def _erase_emails(ids: Sequence[int]) -> None:
    marks = db.placeholders(len(ids))
    db.execute(f"DELETE FROM reply_notice WHERE comment_id IN ({marks})", ids)
    db.execute(f"UPDATE comment SET author_email = '' WHERE id IN ({marks})", ids)


def erase_due(config: Config) -> dict[str, int]:
    """Erase what the settings of each site no longer keep; returns the numbers of origins, e-mails, spam and wishes."""
    names = ("origins of comments", "e-mail addresses", "spam comments", "ended notices", "senders of deleted comments")
    counts = dict.fromkeys(names, 0)
    for settings in config.sites:
        site, rules = Site.get_or_none(Site.name == settings.name), settings.comments
        if site is None:
            continue
        counts["origins of comments"] += _in_batches(_OLD_ORIGINS, site, rules.keep_origins, _erase_origins)
        if rules.keep_emails:
            counts["e-mail addresses"] += _in_batches(_OLD_EMAILS, site, rules.keep_emails, _erase_emails)
        if rules.keep_spam:
            counts["spam comments"] += _in_batches(_OLD_SPAM, site, rules.keep_spam, _delete_comments)
        counts["senders of deleted comments"] += _forget_deleted(site, rules.keep_origins, rules.keep_emails)
        counts["ended notices"] += _in_batches(_OLD_WISHES, site, _KEEP_WISHES, _delete_wishes)
    return counts


def _forget_deleted(site: Site, keep_networks: float, keep_emails: float) -> int:
    """Forget the senders of deleted comments like those of others, and all of them after a month."""
    total = 0
    for column, days in (("network", keep_networks), ("author_email", keep_emails or _KEEP_DELETED)):
        sql = f"UPDATE comment_decision SET {column} = '' WHERE site_id = ? AND {column} <> '' AND made_at < {NOW} - ?"
        with db.write():
            total += int(db.execute(sql, [site.id, min(days, _KEEP_DELETED) * _DAY]).rowcount)
    return total


_OF_SITE: Final = "JOIN entry e ON e.id = c.entry_id WHERE e.site_id = ?"
_OLD_ORIGINS: Final = f"""
SELECT c.id FROM comment_origin o JOIN comment c ON c.id = o.comment_id {_OF_SITE}
AND o.address <> '' AND o.created_at < {NOW} - ? LIMIT {_BATCH}
"""
_OLD_EMAILS: Final = f"""
SELECT c.id FROM comment c {_OF_SITE} AND c.author_email <> '' AND c.created_at < {NOW} - ? LIMIT {_BATCH}
"""
_OLD_SPAM: Final = f"""
SELECT c.id FROM comment c {_OF_SITE} AND c.status = 'spam' AND c.created_at < {NOW} - ? LIMIT {_BATCH}
"""
_OLD_WISHES: Final = f"""
SELECT n.id FROM reply_notice n JOIN comment c ON c.id = n.comment_id {_OF_SITE}
AND (n.confirmed_at IS NULL OR n.ended_at IS NOT NULL) AND n.created_at < {NOW} - ? LIMIT {_BATCH}
"""


def _in_batches(select: str, site: Site, days: float, act: Callable[[list[int]], None]) -> int:
    total = 0
    while True:
        with db.write():
            ids = [number for (number,) in db.execute(select, [site.id, days * _DAY]).fetchall()]
            if ids:
                act(ids)
        total += len(ids)
        if len(ids) < _BATCH:
            return total


def _erase_origins(ids: Sequence[int]) -> None:
    db.execute(_ERASE_ORIGINS.format(ids=db.placeholders(len(ids))), ids)


def _delete_wishes(ids: list[int]) -> None:
    db.execute(f"DELETE FROM reply_notice WHERE id IN ({db.placeholders(len(ids))})", ids)


def _delete_comments(ids: list[int]) -> None:
    for row in list(Comment.select().where(Comment.id.in_(ids))):
        comments.delete(row, actor="schedule")

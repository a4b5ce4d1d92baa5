"""What readers say: added, edited, judged, removed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from appliance import db
from appliance.config import Config
from appliance.content import comments as content
from appliance.content.models import COMMENT_STATUSES, Comment, CommentStatus, Entry, Site
from appliance.editorial.done import Done, carry_out
from appliance.editorial.finding import comment_numbered, entry_named, site_named
from appliance.editorial.moments import moment, shown
from appliance.errors import ContentError


def comment(
    config: Config, site: str, entry: Entry | int | str, text: str, *, author: str, email: str = "", url: str = "",
    reply_to: Comment | int | None = None, status: CommentStatus = "approved", actor: str = "", later: bool = False,
) -> Done[Comment]:  # fmt: skip
    """Add a comment to an entry; `reply_to` is the one it answers.

    Raises:
        ContentError: there is no such entry or comment, or what is said makes no comment.
        ConfigError, ThemeError: nothing has been added.
    """

    def work(row: Site) -> tuple[Comment, bool]:
        subject = entry_named(row, entry)
        parent = comment_numbered(row, reply_to) if reply_to is not None else None
        return content.add(subject, author, text, email, url, parent, status, actor=actor), True

    return carry_out(config, site, later, work)


def edit_comment(
    config: Config, site: str, number: Comment | int, *, text: str | None = None, author: str | None = None,
    email: str | None = None, url: str | None = None, actor: str = "", later: bool = False,
) -> Done[Comment]:  # fmt: skip
    """Change what a comment says or who says it. Errors as `comment`."""

    def work(row: Site) -> tuple[Comment, bool]:
        found = comment_numbered(row, number)
        changed = content.edit(found, author_name=author, text=text, email=email, url=url, actor=actor)
        return found, changed

    return carry_out(config, site, later, work)


def moderate(
    config: Config, site: str, numbers: Sequence[Comment | int], status: CommentStatus, *, actor: str = "",
    later: bool = False,
) -> Done[list[Comment]]:  # fmt: skip
    """Approve comments, hold them (`pending`) or mark them as spam, all or none; the subject is those that changed.

    Raises:
        ContentError: one of them is not there.
    """

    def work(row: Site) -> tuple[list[Comment], bool]:
        found = [comment_numbered(row, number) for number in numbers]
        with db.write():
            changed = [one for one in found if content.set_status(one, status, actor)]
        return changed, bool(changed)

    return carry_out(config, site, later, work)


def delete_comment(
    config: Config, site: str, *numbers: Comment | int, actor: str = "", later: bool = False
) -> Done[list[Comment]]:
    """Remove comments, all or none; answers to them stay. Errors as `moderate`."""

    def work(row: Site) -> tuple[list[Comment], bool]:
        found = list({one.id: one for one in (comment_numbered(row, number) for number in numbers)}.values())
        with db.write():
            for one in found:
                content.delete(comment_numbered(row, one), actor)
        return found, bool(found)

    return carry_out(config, site, later, work)


def comments(
    config: Config, site: str, *, entry: Entry | int | str | None = None, status: str = "", author: str = "",
    text: str = "", since: str | int = "", limit: int | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Comments for which all that is named holds, the newest first, as plain values.

    Raises:
        ContentError: there is no such entry or status.
    """
    row = site_named(config, site)
    if status and status not in COMMENT_STATUSES:
        raise ContentError(f"“{status}” is no status of a comment; use one of {', '.join(COMMENT_STATUSES)}")
    query = Comment.select(Comment, Entry.id, Entry.title).join(Entry).where(Entry.site == row)
    query = query.where(Comment.entry == entry_named(row, entry).id) if entry is not None else query
    query = query.where(Comment.status == status) if status else query
    query = query.where(Comment.author_name.contains(author)) if author else query
    query = query.where(Comment.text.contains(text)) if text else query
    query = query.where(Comment.created_at >= moment(row, since)) if since != "" else query
    return [_plain(row, one) for one in query.order_by(Comment.created_at.desc(), Comment.id.desc()).limit(limit)]


def _plain(site: Site, one: Comment) -> dict[str, Any]:
    return {
        "id": one.id,
        "status": one.status,
        "entry": one.entry_id,
        "title": one.entry.title,
        "reply_to": one.parent_id,
        "date": shown(site, one.created_at),
        "author": one.author_name,
        "email": one.author_email,
        "url": one.author_url,
        "text": one.text,
    }

"""Comments: taken, judged, removed; each with the change that publishes its entry again."""

from __future__ import annotations

import re

from appliance import clock, db
from appliance.content.aspects import TALK, Aspect
from appliance.content.changes import record
from appliance.content.markup import comment_html
from appliance.content.models import COMMENT_STATUSES, Comment, CommentStatus, Entry
from appliance.errors import ContentError

#: Characters a comment, and the name above it, may have.
TEXT_LIMIT = 20_000
NAME_LIMIT = 120

_WEB_ADDRESS = re.compile(r"https?://[^\s<>\"']{1,500}", re.IGNORECASE)
_SAID = {"approved": "comment approved", "pending": "comment held", "spam": "comment marked as spam"}


def add(
    entry: Entry,
    author_name: str,
    text: str,
    email: str = "",
    url: str = "",
    parent: Comment | None = None,
    status: CommentStatus = "approved",
    at: int | None = None,
    actor: str = "",
) -> Comment:
    """Add a comment to `entry`; `text` is plain text or small Markdown, `parent` the comment it answers.

    `at` is when it was said, seconds since the epoch; now, unless it comes from elsewhere.

    Raises:
        ContentError: it has no name or no text, is too long, its address is not of the web, or its parent is
            a comment on another entry.
    """
    name, text, url = " ".join(author_name.split()), text.strip(), url.strip()
    if fault := _fault(name, text, url, status):
        raise ContentError(fault)
    if parent is not None and parent.entry_id != entry.id:
        raise ContentError(f"comment {parent.id} is on another entry; answer a comment on “{entry.title}”")
    with db.write():
        comment = Comment.create(
            entry=entry,
            parent=parent,
            status=status,
            author_name=name,
            author_email=email.strip(),
            author_url=url,
            text=text,
            html=comment_html(text),
            created_at=int(clock.now()) if at is None else at,
        )
        record(entry.site_id, "comment added", "comment", comment.id, entry.id, actor, TALK)
    return comment


def edit(
    comment: Comment,
    *,
    author_name: str | None = None,
    text: str | None = None,
    email: str | None = None,
    url: str | None = None,
    actor: str = "",
) -> bool:
    """Change what a comment says or who says it; returns whether it is another now.

    Raises:
        ContentError: as `add`, or it is gone.
    """
    with db.write():
        row = Comment.get_or_none(Comment.id == comment.id)
        if row is None:
            raise ContentError(f"comment {comment.id} is gone; name another")
        name = row.author_name if author_name is None else " ".join(author_name.split())
        said = row.text if text is None else text.strip()
        address = row.author_url if url is None else url.strip()
        if fault := _fault(name, said, address, row.status):
            raise ContentError(fault)
        mail = row.author_email if email is None else email.strip()
        values = {"author_name": name, "author_email": mail, "author_url": address, "text": said}
        differing = {column: value for column, value in values.items() if getattr(row, column) != value}
        if not differing:
            return False
        if "text" in differing:
            differing["html"] = comment_html(said)
        Comment.update(differing).where(Comment.id == row.id).execute()
        for column, value in differing.items():
            setattr(comment, column, value)
        if set(differing) != {"author_email"}:
            record(row.entry.site_id, "comment edited", "comment", row.id, row.entry_id, actor, Aspect.COMMENTS)
    return True


def set_status(comment: Comment, status: CommentStatus, actor: str = "") -> bool:
    """Approve a comment, hold it or mark it as spam; returns whether that was new.

    Raises:
        ContentError: there is no such status.
    """
    if status not in COMMENT_STATUSES:
        raise ContentError(f"“{status}” is no status of a comment; use one of {', '.join(COMMENT_STATUSES)}")
    with db.write():
        entry = Entry.select(Entry.id, Entry.site).where(Entry.id == comment.entry_id).get()
        changed = Comment.update(status=status).where(Comment.id == comment.id, Comment.status != status).execute()
        if changed:
            record(entry.site_id, _SAID[status], "comment", comment.id, entry.id, actor, TALK)
    comment.status = status
    return bool(changed)


def delete(comment: Comment, actor: str = "") -> None:
    """Remove a comment; answers to it move up to the comment it answered."""
    with db.write():
        entry = Entry.select(Entry.id, Entry.site).where(Entry.id == comment.entry_id).get()
        Comment.update(parent=comment.parent_id).where(Comment.parent == comment.id).execute()
        if Comment.delete().where(Comment.id == comment.id).execute():
            record(entry.site_id, "comment removed", "comment", comment.id, entry.id, actor, TALK)


def _fault(name: str, text: str, url: str, status: str) -> str | None:
    if not name:
        return "a comment needs a name; give one"
    if len(name) > NAME_LIMIT:
        return f"the name has {len(name)} characters; use at most {NAME_LIMIT}"
    if not text:
        return "the comment is empty; write something"
    if len(text) > TEXT_LIMIT:
        return f"the comment has {len(text)} characters; use at most {TEXT_LIMIT}"
    if url and not _WEB_ADDRESS.fullmatch(url):
        return f"“{url[:80]}” is not a web address; write it like https://www.example.org/ or leave it out"
    if status not in COMMENT_STATUSES:
        return f"“{status}” is no status of a comment; use one of {', '.join(COMMENT_STATUSES)}"
    return None

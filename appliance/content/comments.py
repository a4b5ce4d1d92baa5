"""Adding, editing, moderating and removing comments, each with the change that publishes the entry again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict, Unpack

from appliance import clock, db
from appliance.content import contact_details
from appliance.content.aspects import COMMENT_ASPECTS, Aspect
from appliance.content.changes import record
from appliance.content.markup import render_comment
from appliance.content.models import COMMENT_STATUSES, Comment, CommentStatus, Entry
from appliance.db import rows
from appliance.errors import ContentError

_STATUS_EVENTS = {"approved": "comment approved", "pending": "comment held", "spam": "comment marked as spam"}
#: The author of an imported comment that names none.
ANONYMOUS = "Anonymous"


class CommentFields(TypedDict, total=False):
    """The optional fields of a new comment."""

    email: str
    url: str
    #: The comment that this one replies to.
    parent: Comment | None
    #: 'approved' by default.
    status: CommentStatus
    #: When the comment was written, in seconds since the epoch; by default now.
    created_at: int | None


def add(entry: Entry, author_name: str, text: str, *, actor: str = "", **fields: Unpack[CommentFields]) -> Comment:
    """Add a comment to `entry`. `text` is plain text or simple Markdown.

    Raises:
        ContentError: the entry is not published or does not accept comments, the parent cannot be replied to, or a
            field is invalid (see `content.contact_details`).
    """
    values = {
        "author_name": contact_details.clean_name(author_name),
        "text": contact_details.clean_text(text),
        "author_email": contact_details.clean_email(fields.get("email", "")),
        "author_url": contact_details.clean_url(fields.get("url", "")),
    }
    with db.write():
        _check_accepts_comments(entry)
        _check_parent(entry, fields.get("parent"))
        return _insert(entry, values, fields, actor)


def add_imported(
    entry: Entry, author_name: str, text: str, *, actor: str = "", **fields: Unpack[CommentFields]
) -> tuple[Comment, list[str]]:
    """Add a comment from another system, even if the entry accepts no comments now.

    Returns the comment and a sentence for each contact detail that was left out because it is invalid.

    Raises:
        ContentError: the text is empty once it is cleaned, or too long, or the status is unknown.
    """
    problems: list[str] = []
    values = {
        "author_name": contact_details.clean_imported_name(author_name) or ANONYMOUS,
        "text": contact_details.clean_text(contact_details.clean_imported_text(text)),
        "author_email": _clean_or_empty(contact_details.clean_email, fields.get("email", ""), problems),
        "author_url": _clean_or_empty(contact_details.clean_url, fields.get("url", ""), problems),
    }
    with db.write():
        return _insert(entry, values, fields, actor), problems


def add_checked(entry: Entry, values: dict[str, str], *, parent: int | None, status: str, actor: str) -> Comment:
    """Add a comment whose fields were cleaned, whose text was rendered, and whose entry and parent were checked.

    What readers do not see changes no page. A comment that waits is recorded all the same, so that people are told.
    Call it inside the write transaction that checked the entry.
    """
    comment = _create({"entry": entry.id, "parent": parent, "status": status, "created_at": int(clock.now()), **values})
    if status == "approved":
        record(entry.site_id, "comment added", "comment", comment.id, entry.id, actor, COMMENT_ASPECTS)
    elif status == "pending":
        record(entry.site_id, "comment held", "comment", comment.id, entry.id, actor, Aspect(0))
    return comment


def import_identity(author_name: str, text: str) -> tuple[str, str]:
    """The cleaned author name and text, which identify a comment when it is imported again."""
    return contact_details.clean_imported_name(author_name) or ANONYMOUS, contact_details.clean_imported_text(text)


def _clean_or_empty(clean: Callable[[str], str], value: str, problems: list[str]) -> str:
    try:
        return clean(value)
    except ContentError as error:
        problems.append(str(error))
        return ""


def _check_status(status: str) -> None:
    if status not in COMMENT_STATUSES:
        raise ContentError(f"“{status}” is no status of a comment; use one of {', '.join(COMMENT_STATUSES)}")


def _check_accepts_comments(entry: Entry) -> None:
    """Check that readers could comment on the entry. The row is read again, as `entry` may be out of date."""
    row = db.execute(
        f"SELECT title, status, allow_comments FROM entry WHERE id = ? {db.for_update()}", [entry.id]
    ).fetchone()
    if row is None:
        raise ContentError(f"the entry “{entry.title}” was removed; comment on another entry")
    title, status, allow_comments = row
    if status != "published":
        raise ContentError(f"“{title}” is not published; publish it before commenting on it")
    if not allow_comments:
        raise ContentError(f"“{title}” accepts no comments; allow comments on it first")


def _check_parent(entry: Entry, parent: Comment | None) -> None:
    if parent is None:
        return
    row = Comment.select(Comment.entry, Comment.status).where(Comment.id == parent.id).first()
    if row is None:
        raise ContentError(f"comment {parent.id} was removed; reply to another comment on “{entry.title}”")
    if row.entry_id != entry.id:
        raise ContentError(f"comment {parent.id} is on another entry; reply to a comment on “{entry.title}”")
    if row.status != "approved":
        raise ContentError(f"comment {parent.id} is not approved; approve it before replying to it")


def _insert(entry: Entry, values: dict[str, str], fields: CommentFields, actor: str) -> Comment:
    status, created_at = fields.get("status", "approved"), fields.get("created_at")
    _check_status(status)
    parent = fields.get("parent")
    comment = _create(
        {
            "entry": entry.id,
            "parent": parent and parent.id,
            "status": status,
            "html": render_comment(values["text"]),
            "created_at": int(clock.now()) if created_at is None else created_at,
            **values,
        }
    )
    record(entry.site_id, "comment added", "comment", comment.id, entry.id, actor, COMMENT_ASPECTS)
    return comment


def _create(values: dict[str, Any]) -> Comment:
    return Comment(id=rows.insert(Comment, values), **values)


def edit(
    comment: Comment,
    *,
    author_name: str | None = None,
    text: str | None = None,
    email: str | None = None,
    url: str | None = None,
    actor: str = "",
) -> bool:
    """Change the text or the author of a comment; returns whether anything changed.

    Raises:
        ContentError: the comment was removed, or a field is invalid (see `content.contact_details`).
    """
    edits = (
        ("author_name", author_name, contact_details.clean_name),
        ("author_email", email, contact_details.clean_email),
        ("author_url", url, contact_details.clean_url),
        ("text", text, contact_details.clean_text),
    )
    values = {column: clean(value) for column, value, clean in edits if value is not None}
    with db.write():
        row = Comment.get_or_none(Comment.id == comment.id)
        if row is None:
            raise ContentError(f"comment {comment.id} was removed; choose another comment")
        differing = {column: value for column, value in values.items() if getattr(row, column) != value}
        if not differing:
            return False
        if "text" in differing:
            differing["html"] = render_comment(differing["text"])
        Comment.update(differing).where(Comment.id == row.id).execute()
        for column, value in differing.items():
            setattr(comment, column, value)
        if set(differing) != {"author_email"}:
            record(row.entry.site_id, "comment edited", "comment", row.id, row.entry_id, actor, Aspect.COMMENTS)
    return True


def set_status(comment: Comment, status: CommentStatus, actor: str = "") -> bool:
    """Approve a comment, hold it or mark it as spam; returns whether the status changed.

    Raises:
        ContentError: the status is unknown.
    """
    _check_status(status)
    with db.write():
        entry = Entry.select(Entry.id, Entry.site).where(Entry.id == comment.entry_id).get()
        changed = Comment.update(status=status).where(Comment.id == comment.id, Comment.status != status).execute()
        if changed:
            record(entry.site_id, _STATUS_EVENTS[status], "comment", comment.id, entry.id, actor, COMMENT_ASPECTS)
    comment.status = status
    return bool(changed)


def delete(comment: Comment, actor: str = "") -> None:
    """Remove a comment. Its replies become replies to its parent."""
    with db.write():
        entry = Entry.select(Entry.id, Entry.site).where(Entry.id == comment.entry_id).get()
        Comment.update(parent=comment.parent_id).where(Comment.parent == comment.id).execute()
        if Comment.delete().where(Comment.id == comment.id).execute():
            record(entry.site_id, "comment removed", "comment", comment.id, entry.id, actor, COMMENT_ASPECTS)

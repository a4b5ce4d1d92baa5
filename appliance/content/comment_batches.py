"""Many comments of a site at once: their statuses, their removal and their return.

Guarantees that a thread keeps its sense whatever is removed and brought back: replies to a removed comment become
replies to the nearest comment above it that stays, and belong to it again once it is back. The number of statements
grows with hundreds of comments, not with each. Call these functions inside a write transaction that has locked the
comments.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from appliance import db
from appliance.content import changes
from appliance.content.aspects import COMMENT_ASPECTS
from appliance.content.comment_models import CommentOrigin, ReplyNotice
from appliance.content.models import Comment, CommentStatus, Entry
from appliance.db import rows

#: The event of a comment whose former status is given back to it. Nobody is told of it by mail.
RESTORED: Final = "comment restored"
_EVENTS: Final = {"approved": "comment approved", "pending": "comment held", "spam": "comment marked as spam"}

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Removed:
    """A comment that was removed, with all that belonged to it, as values of columns that fit into JSON."""

    comment: Values
    #: Where it came from, and the wish for mail about replies; None where there was none.
    origin: Values | None
    notice: Values | None
    #: The ids of the replies to it that stayed, and of the comment to which they became replies.
    replies: tuple[int, ...]
    heir: int | None


def lock(ids: Iterable[int]) -> list[Comment]:
    """Lock comments until the transaction ends and return those that there are, by their ids."""
    found: list[Comment] = []
    for some in db.chunks(sorted(set(ids))):
        sql = f"SELECT * FROM comment WHERE id IN ({db.placeholders(len(some))}) ORDER BY id {db.for_update()}"
        found += rows.select(Comment, sql, some)
    return found


def set_statuses(
    site_id: int, comments: Sequence[Comment], status: CommentStatus, actor: str, *, restored: bool = False
) -> list[Comment]:
    """Give comments a status; returns those that had another one. `restored` says that it is one that they had."""
    changed = [comment for comment in comments if comment.status != status]
    for some in db.chunks([comment.id for comment in changed]):
        db.execute(f"UPDATE comment SET status = ? WHERE id IN ({db.placeholders(len(some))})", [status, *some])
    event = RESTORED if restored else _EVENTS[status]
    changes.record_comments(site_id, event, _subjects(changed), actor, COMMENT_ASPECTS)
    for comment in changed:
        comment.status = status
    return changed


def remove(site_id: int, comments: Sequence[Comment], actor: str) -> dict[int, Removed]:
    """Remove comments; returns what was removed, by its id."""
    ids = [comment.id for comment in comments]
    origins = _belonging(CommentOrigin, ids)
    notices = _belonging(ReplyNotice, ids)
    heirs = _heirs({comment.id: comment.parent_id for comment in comments})
    replies = _replies(ids)
    removed = {
        comment.id: Removed(
            dict(comment.__data__), origins.get(comment.id), notices.get(comment.id),
            tuple(replies.get(comment.id, ())), heirs[comment.id],
        )
        for comment in comments
    }  # fmt: skip
    for key, children in replies.items():
        _adopt(children, heirs[key])
    for some in db.chunks(ids):
        db.execute(f"DELETE FROM comment WHERE id IN ({db.placeholders(len(some))})", some)
    changes.record_comments(site_id, "comment removed", _subjects(comments), actor, COMMENT_ASPECTS)
    return removed


def bring_back(site_id: int, removed: Sequence[Removed], actor: str) -> list[Comment]:
    """Bring removed comments back as they were; returns them. Those on entries that are gone stay away."""
    entries = _existing(Entry, {one.comment["entry"] for one in removed})
    wanted = [one for one in removed if one.comment["entry"] in entries]
    missing = {one.comment["id"] for one in wanted} - _existing(Comment, {one.comment["id"] for one in wanted})
    wanted = [one for one in wanted if one.comment["id"] in missing]
    _insert(Comment, [{**one.comment, "parent": None} for one in wanted])
    for one in wanted:
        _restore_place(one)
    origins = [one.origin for one in wanted if one.origin is not None]
    used = _used([origin["submission"] for origin in origins])
    _insert(CommentOrigin, [{**row, "submission": None} if row["submission"] in used else row for row in origins])
    notices = [one.notice for one in wanted if one.notice is not None]
    _insert(ReplyNotice, [{name: value for name, value in row.items() if name != "id"} for row in notices])
    back = lock(one.comment["id"] for one in wanted)
    changes.record_comments(site_id, RESTORED, _subjects(back), actor, COMMENT_ASPECTS)
    return back


def _restore_place(one: Removed) -> None:
    """Give a comment back its place in the thread: what it answers, and what answers it."""
    key, entry, parent = one.comment["id"], one.comment["entry"], one.comment["parent"]
    if parent is not None:
        above = "(SELECT id FROM comment WHERE entry_id = ? AND id IN (?, ?) ORDER BY id = ? DESC LIMIT 1)"
        db.execute(f"UPDATE comment SET parent_id = {above} WHERE id = ?", [entry, parent, one.heir or 0, parent, key])
    for some in db.chunks(one.replies):
        place = "parent_id IS NULL" if one.heir is None else "parent_id = ?"
        kept = [] if one.heir is None else [one.heir]
        db.execute(
            f"UPDATE comment SET parent_id = ? WHERE id IN ({db.placeholders(len(some))}) AND {place}",
            [key, *some, *kept],
        )


def _insert(model: Any, found: Sequence[Values]) -> None:
    """Insert rows that have values for the same fields."""
    for some in db.chunks(found, 50):
        fields = [model._meta.fields[name] for name in some[0]]
        columns = ", ".join(f'"{field.column_name}"' for field in fields)
        values = [field.db_value(row[field.name]) for row in some for field in fields]
        marks = db.placeholders(len(some), len(fields))
        db.execute(f'INSERT INTO "{model._meta.table_name}" ({columns}) VALUES {marks}', values)


def _used(nonces: Sequence[str | None]) -> set[str]:
    """Those of the nonces with which a form was sent once more while its comment was removed."""
    return {
        nonce
        for some in db.chunks([nonce for nonce in nonces if nonce])
        for (nonce,) in db.execute(
            f"SELECT submission FROM comment_origin WHERE submission IN ({db.placeholders(len(some))})", some
        ).fetchall()
    }


def _belonging(model: Any, ids: Sequence[int]) -> dict[int, Values]:
    """The rows of a table that belong to comments, by the id of the comment."""
    return {
        row.comment_id: dict(row.__data__)
        for some in db.chunks(ids)
        for row in model.select().where(model.comment.in_(list(some)))
    }


def _replies(ids: Sequence[int]) -> dict[int, list[int]]:
    """The replies to each of these comments that are none of them."""
    gone, found = set(ids), dict[int, list[int]]()
    for some in db.chunks(ids):
        sql = f"SELECT parent_id, id FROM comment WHERE parent_id IN ({db.placeholders(len(some))}) ORDER BY id"
        for parent, reply in db.execute(sql, some).fetchall():
            if reply not in gone:
                found.setdefault(parent, []).append(reply)
    return found


def _heirs(parents: Mapping[int, int | None]) -> dict[int, int | None]:
    """The nearest comment above each of these that is none of them; None at the top."""
    found = dict[int, int | None]()
    for key, parent in parents.items():
        above, seen = parent, {key}
        while above is not None and above in parents and above not in seen:
            seen.add(above)
            above = parents[above]
        found[key] = None if above in seen else above
    return found


def _adopt(replies: Sequence[int], parent: int | None) -> None:
    for some in db.chunks(replies):
        db.execute(f"UPDATE comment SET parent_id = ? WHERE id IN ({db.placeholders(len(some))})", [parent, *some])


def _existing(model: Any, ids: Iterable[int]) -> set[int]:
    return {
        key
        for some in db.chunks(sorted(ids))
        for (key,) in db.execute(
            f"SELECT id FROM {model._meta.table_name} WHERE id IN ({db.placeholders(len(some))})", some
        ).fetchall()
    }


def _subjects(comments: Sequence[Comment]) -> list[tuple[int, int]]:
    return [(comment.id, comment.entry_id) for comment in comments]

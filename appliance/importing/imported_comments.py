"""Comments and pings of an import: each is added once, and moderated on this site from then on.

A comment that exists is recognised by its time, its author and its text. A second import of the same file therefore
adds nothing. A comment keeps the status that a moderator gave it, and none is deleted: it may come from a reader of
this site.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from appliance.content import comments
from appliance.content.models import Comment, CommentStatus, Entry, Ping
from appliance.errors import ContentError
from appliance.importing import ACTOR

#: Replies are followed upwards this far to see whether they answer each other in a circle.
_LONGEST_THREAD: Final = 1000


@dataclass(frozen=True, slots=True)
class ImportedComment:
    """A comment as a file has it. `text` is the small Markdown of comments, `created_at` seconds since the epoch."""

    #: What its file calls it, so that replies can name it.
    key: str
    author_name: str
    text: str
    created_at: int
    email: str = ""
    url: str = ""
    status: CommentStatus = "approved"
    #: The key of the comment that it answers; empty for none.
    parent: str = ""


class ImportedPing(NamedTuple):
    """A TrackBack or pingback as a file has it, in the order of `Ping`'s columns."""

    title: str
    url: str
    blog_name: str
    ip: str
    text: str
    #: Seconds since the epoch.
    at: int


@dataclass(slots=True)
class SavedComments:
    """What became of the comments of one entry."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    #: Comments that could not be saved, each with the reason.
    refused: list[tuple[ImportedComment, str]] = field(default_factory=list)
    #: Comments that were added without their e-mail or web address, each with the reason.
    without_address: list[tuple[ImportedComment, str]] = field(default_factory=list)

    def add_to(self, counts: Counter[str], refused: str = "not imported") -> None:
        """Add these numbers to those of a report, in which `refused` names the comments that were not saved."""
        numbers = {
            "added": self.added,
            "changed": self.changed,
            "unchanged": self.unchanged,
            refused: len(self.refused),
        }
        counts.update({word: number for word, number in numbers.items() if number})


def save_comments(
    entry: Entry, imported: Sequence[ImportedComment], *, is_new: bool = False, update_text: bool = False
) -> SavedComments:
    """Add the comments that `entry` does not have yet. Call it in the write transaction that saves the entry.

    Args:
        entry: the entry, saved.
        imported: its comments, in the order in which they are added.
        is_new: whether the entry cannot have comments yet, so that none are looked up.
        update_text: whether a comment of the same time and author with another text was edited at the source and is
            edited here, rather than a further comment.
    """
    if not imported:
        return SavedComments()
    columns = (Comment.id, Comment.author_name, Comment.text, Comment.created_at, Comment.parent)
    existing = Comment.select(*columns).where(Comment.entry == entry.id).order_by(Comment.id.desc())
    rows = [] if is_new else list(existing)
    return _CommentSaver(entry, rows, update_text=update_text).save(imported)


def save_pings(entry: Entry, imported: Sequence[ImportedPing], counts: Counter[str], *, is_new: bool = False) -> int:
    """Add the pings that `entry` does not have yet, and count them; returns how many were added.

    Call it as `save_comments`. No change is recorded, since no page shows a ping.
    """
    columns = [getattr(Ping, name) for name in ImportedPing._fields]
    look_up = imported and not is_new
    rows: Any = Ping.select(*columns).where(Ping.entry == entry.id).tuples() if look_up else ()
    existing: Counter[tuple[Any, ...]] = Counter(rows)
    added = 0
    for ping in imported:
        if existing[ping]:
            existing[ping] -= 1
        else:
            Ping.create(entry=entry.id, **ping._asdict())
            added += 1
    if added:
        counts["added"] += added
    count_as_unchanged(counts, len(imported) - added)
    return added


def count_as_unchanged(counts: Counter[str], number: int) -> None:
    """Count comments or pings that are as before; a report names no count of none."""
    if number:
        counts["unchanged"] += number


class _CommentSaver:
    def __init__(self, entry: Entry, rows: list[Comment], *, update_text: bool) -> None:
        self.entry = entry
        self.rows = rows
        self.update_text = update_text
        self.result = SavedComments()
        self.by_key: dict[str, Comment] = {}
        #: New replies that come before the comment they answer.
        self.early_replies: list[tuple[Comment, str]] = []

    def save(self, imported: Sequence[ImportedComment]) -> SavedComments:
        missing = self._match(imported)
        edited: dict[tuple[int, str], list[Comment]] = {}
        for row in self.rows if self.update_text else ():
            edited.setdefault((row.created_at, comments.import_identity(row.author_name, row.text)[0]), []).append(row)
        for comment in missing:
            if rows := edited.get((comment.created_at, comments.import_identity(comment.author_name, comment.text)[0])):
                self._edit(rows.pop(), comment)
            else:
                self._add(comment)
        self._link_early_replies()
        return self.result

    def _match(self, imported: Sequence[ImportedComment]) -> list[ImportedComment]:
        """Match comments with rows that say the same, the oldest first; returns those that have none."""
        same: dict[tuple[int, str, str], list[Comment]] = {}
        for row in self.rows:
            same.setdefault((row.created_at, *comments.import_identity(row.author_name, row.text)), []).append(row)
        missing, matched = [], set()
        for comment in imported:
            if rows := same.get((comment.created_at, *comments.import_identity(comment.author_name, comment.text))):
                row = self.by_key[comment.key] = rows.pop()
                matched.add(row.id)
            else:
                missing.append(comment)
        self.result.unchanged = len(matched)
        self.rows = [row for row in self.rows if row.id not in matched]
        return missing

    def _edit(self, row: Comment, comment: ImportedComment) -> None:
        self.by_key[comment.key] = row
        try:
            comments.edit(row, text=comment.text, actor=ACTOR)
        except ContentError as error:
            self.result.refused.append((comment, str(error)))
        else:
            self.result.changed += 1

    def _add(self, comment: ImportedComment) -> None:
        parent = self.by_key.get(comment.parent) if comment.parent else None
        try:
            row, reasons = comments.add_imported(
                self.entry,
                comment.author_name,
                comment.text,
                email=comment.email,
                url=comment.url,
                parent=parent,
                status=comment.status,
                created_at=comment.created_at,
                actor=ACTOR,
            )
        except ContentError as error:
            self.result.refused.append((comment, str(error)))
            return
        self.by_key[comment.key] = row
        self.result.added += 1
        self.result.without_address += [(comment, reason) for reason in reasons]
        if comment.parent and parent is None:
            self.early_replies.append((row, comment.parent))

    def _link_early_replies(self) -> None:
        parents = {row.id: row.parent_id for row in self.by_key.values()} if self.early_replies else {}
        for row, key in self.early_replies:
            parent = self.by_key.get(key)
            if parent is not None and not _leads_to(row.id, parent.id, parents):
                Comment.update(parent=parent.id).where(Comment.id == row.id).execute()
                parents[row.id] = parent.id


def _leads_to(wanted: int, start: int | None, parents: dict[int, int | None]) -> bool:
    """Whether `wanted` is `start` or above it; also True when the thread is too long to tell."""
    for _ in range(_LONGEST_THREAD):
        if start is None or start == wanted:
            return start == wanted
        start = parents.get(start)
    return True

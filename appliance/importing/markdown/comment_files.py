"""Files with the comments of a text, which lie beside it, as the appliance's own export writes them.

    comments:
      - {id: 1, status: approved, name: Ida, at: 2024-05-02 10:00:00+02:00, text: Hello}
      - {id: 2, answers: 1, …}

A file may be imported again: comments that exist stay as people moderated them here, and no comment is deleted because
a file does not name it. See `imported_comments`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from appliance.content.models import Entry
from appliance.errors import ContentError
from appliance.importing import dates
from appliance.importing.imported_comments import ImportedComment, ImportedPing, save_comments, save_pings
from appliance.importing.markdown import frontmatter
from appliance.importing.markdown.layout import comments_path
from appliance.importing.markdown.scan import Scan
from appliance.importing.markdown.text_files import TextFile
from appliance.importing.report import Outcome


@dataclass(frozen=True, slots=True)
class FileComments:
    """The comments and pings of one text as its file has them."""

    comments: list[ImportedComment] = field(default_factory=list)
    pings: list[ImportedPing] = field(default_factory=list)


class CommentFiles:
    """The files with comments of a scanned folder."""

    def __init__(self, scan: Scan) -> None:
        self.scan = scan
        self.report = scan.report
        self._outcomes: dict[str, Outcome] = {}

    def read(self, text: TextFile) -> FileComments:
        """The comments of a text, if their file is new or changed. A file that cannot be read is accounted for."""
        path = comments_path(text.path)
        row = self.scan.row_of(text.path)
        is_known = row is not None and row.digest.partition(":")[2] == text.digest.partition(":")[2]
        if path not in self.scan.files.comments or is_known:
            return FileComments()
        try:
            value = frontmatter.read_yaml(self.scan.reader.read_bytes(path))
            comments = [self._comment(one) for one in _tables(value, "comments")]
            return FileComments(comments, [self._ping(one) for one in _tables(value, "pings")])
        except ContentError as error:
            self.scan.files.comments.discard(path)
            self.scan.skip(path, str(error))
            return FileComments()

    def save(self, text: TextFile, found: FileComments) -> None:
        """Add what is not there yet. Call it in the write transaction that saved the entry."""
        if not found.comments and not found.pings:
            return
        path, entry = comments_path(text.path), Entry.get_by_id(text.id)
        saved = save_comments(entry, found.comments)
        saved.add_to(self.report.comments)
        self.report.notes += [
            f"{path}: comment {comment.key} is left out: {reason}" for comment, reason in saved.refused
        ]
        self.report.notes += [
            f"{path}: comment {comment.key} has no address, since {reason}" for comment, reason in saved.without_address
        ]
        if saved.added + save_pings(entry, found.pings, self.report.pings):
            self._outcomes[path] = "added" if text.is_new else "changed"

    def count(self) -> None:
        """Account for each file, once all texts are saved."""
        owned = {comments_path(path) for path in self.scan.texts}
        for path in sorted(self.scan.files.comments):
            if path in owned:
                self.report.assets[self._outcomes.get(path, "unchanged")] += 1
            else:
                self.scan.skip(path, "belongs to no text that was imported; give it the name of its text")

    def _comment(self, one: Mapping[str, Any]) -> ImportedComment:
        return ImportedComment(
            key=_text(one, "id"),
            author_name=_text(one, "name"),
            text=_text(one, "text"),
            created_at=self._date(one),
            email=_text(one, "email"),
            url=_text(one, "url"),
            status=_text(one, "status") or "approved",  # type: ignore[arg-type]  # checked when it is saved
            parent=_text(one, "answers"),
        )

    def _ping(self, one: Mapping[str, Any]) -> ImportedPing:
        title, url, blog_name, ip, text = (_text(one, key) for key in ("title", "url", "blog_name", "ip", "text"))
        return ImportedPing(title, url, blog_name, ip, text, self._date(one))

    def _date(self, one: Mapping[str, Any]) -> int:
        return dates.timestamp(one.get("at"), self.scan.reader.zone) or int(self.scan.now)


def _tables(value: Any, key: str) -> list[dict[str, Any]]:
    listed = value.get(key) if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(listed or [], list):
        raise ContentError("is not a table with lists of comments and pings; write it as the export does")
    return [one for one in listed or [] if isinstance(one, dict)]


def _text(one: Mapping[str, Any], key: str) -> str:
    given = one.get(key)
    return "" if given is None or isinstance(given, (dict, list)) else str(given)

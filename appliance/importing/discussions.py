"""What readers said of a text, in a file beside it, as the appliance itself writes it.

    comments:
      - {id: 1, status: approved, name: Ida, at: 2024-05-02 10:00:00+02:00, text: Hello}
      - {id: 2, answers: 1, …}

Guarantees that reading a file again adds nothing that is there already; that what is there is left as it is, since
people moderate it here and not in the file; and that nothing is removed because a file does not name it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from appliance.content import comments
from appliance.content.models import Comment, Entry, Ping
from appliance.errors import ContentError
from appliance.importing import dates, frontmatter
from appliance.importing.layout import COMMENTS
from appliance.importing.report import Outcome
from appliance.importing.scan import Scan, Text, read_bytes

_PING = ("title", "url", "blog_name", "ip", "text")


def file_of(path: str) -> str:
    """The file with the comments of the text at `path`."""
    return str(PurePosixPath(path).with_suffix("")) + COMMENTS


@dataclass(frozen=True, slots=True)
class Talk:
    """The comments and pings of one text as its file has them."""

    comments: list[dict[str, Any]] = field(default_factory=list)
    pings: list[dict[str, Any]] = field(default_factory=list)


class Discussions:
    """The files with comments of a scanned folder."""

    def __init__(self, scan: Scan) -> None:
        self.scan = scan
        self.report = scan.report
        self._outcomes: dict[str, Outcome] = {}

    def read(self, text: Text) -> Talk:
        """What the file beside a text says, if it came or changed; a file that cannot be read is accounted for."""
        path = file_of(text.path)
        row = self.scan.row_of(text)
        is_known = row is not None and row.digest.partition(":")[2] == text.digest.partition(":")[2]
        if path not in self.scan.discussions or is_known:
            return Talk()
        try:
            value = frontmatter.read_yaml(read_bytes(self.scan.root / path))
            return Talk(self._listed(value, "comments"), self._listed(value, "pings"))
        except ContentError as error:
            self.scan.discussions.discard(path)
            self.scan.skip(path, str(error))
            return Talk()

    def save(self, text: Text, talk: Talk, entry: Entry) -> None:
        """Add what is not there yet, in the transaction that saves the entry."""
        added = self._save_comments(text, talk.comments, entry) + self._save_pings(talk.pings, entry)
        if added:
            self._outcomes[file_of(text.path)] = "added" if text.is_new else "changed"

    def account(self) -> None:
        """Say of each file what became of it."""
        owners = {file_of(path) for path in self.scan.texts}
        for path in sorted(self.scan.discussions):
            if path in owners:
                self.report.assets[self._outcomes.get(path, "unchanged")] += 1
            else:
                self.scan.skip(path, "belongs to no text that was taken; it must be called as its text is")

    def _listed(self, value: Any, key: str) -> list[dict[str, Any]]:
        listed = value.get(key) if isinstance(value, dict) else None
        if not isinstance(value, dict) or not isinstance(listed or [], list):
            raise ContentError("is no table with lists of comments and pings; write it as the export does")
        found = [one for one in listed or [] if isinstance(one, dict)]
        return [{**one, "at": dates.moment(one.get("at"), self.scan.zone) or int(self.scan.now)} for one in found]

    def _save_comments(self, text: Text, said: list[dict[str, Any]], entry: Entry) -> int:
        if not said:
            return 0
        known: dict[tuple[int, str, str], list[Comment]] = {}
        for row in Comment.select().where(Comment.entry == entry.id).order_by(Comment.id.desc()):
            known.setdefault((row.created_at, row.author_name, row.text), []).append(row)
        by_number: dict[Any, Comment] = {}
        added = 0
        answers: list[tuple[Comment, Any]] = []
        for one in said:
            alike = known.get((one["at"], " ".join(_text(one, "name").split()), _text(one, "text").strip()))
            is_known = bool(alike)
            comment = alike.pop() if alike else self._add(text, one, entry)
            if comment is not None and not is_known and one.get("answers") is not None:
                answers.append((comment, one["answers"]))
            if comment is not None:
                by_number[one.get("id")] = comment
            added += comment is not None and not is_known
            self.report.comments["unchanged" if is_known else "added" if comment else "not taken"] += 1
        for comment, number in answers:
            if (parent := by_number.get(number)) is not None and parent.id != comment.id:
                Comment.update(parent=parent.id).where(Comment.id == comment.id).execute()
        return added

    def _add(self, text: Text, one: Mapping[str, Any], entry: Entry) -> Comment | None:
        try:
            return comments.add(
                entry,
                _text(one, "name"),
                _text(one, "text"),
                email=_text(one, "email"),
                url=_text(one, "url"),
                status=_text(one, "status") or "approved",  # type: ignore[arg-type]  # refused there
                at=one["at"],
                actor="import",
            )
        except ContentError as error:
            self.report.notes.append(f"{file_of(text.path)}: comment {one.get('id')} is left out: {error}")
            return None

    def _save_pings(self, said: list[dict[str, Any]], entry: Entry) -> int:
        rows = Ping.select().where(Ping.entry == entry.id) if said else []
        known = {(row.at, *(getattr(row, name) for name in _PING)) for row in rows}
        added = 0
        for one in said:
            values = {name: _text(one, name) for name in _PING}
            is_known = (one["at"], *values.values()) in known
            if not is_known:
                Ping.create(entry=entry.id, at=one["at"], **values)
                added += 1
            self.report.pings["unchanged" if is_known else "added"] += 1
        return added


def _text(one: Mapping[str, Any], key: str) -> str:
    given = one.get(key)
    return "" if given is None or isinstance(given, (dict, list)) else str(given)

"""Comments of a text: taken once, threaded, and left to this site's moderators afterwards.

A comment is recognised by when it was said, by whom, and what; when only the text differs, it was edited there and is
edited here. The status it has here stays, and nothing is removed: a comment may have come from a reader of this site.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Final

from appliance.content import comments
from appliance.content.changes import record
from appliance.content.markup import comment_html
from appliance.content.models import Comment, CommentStatus, Entry
from appliance.errors import ContentError
from appliance.importing.wordpress.items import moment_in
from appliance.importing.wordpress.remarks import markdown

_STATUSES: Final[dict[str, CommentStatus]] = {
    "1": "approved", "approve": "approved", "approved": "approved", "0": "pending", "hold": "pending", "spam": "spam",
}  # fmt: skip
_PINGS = frozenset({"pingback", "trackback"})
_NOBODY = "Anonymous"
_ACTOR = "import"


@dataclass(frozen=True, slots=True)
class Said:
    """A comment as the export has it."""

    number: int
    parent: int
    status: CommentStatus
    name: str
    email: str
    url: str
    text: str
    at: int


def read(given: list[dict[str, str]], zone: tzinfo, moment: int, counts: Counter[str]) -> list[Said]:
    """The comments of a text that is published at `moment`; what is none is counted."""
    found: dict[int, Said] = {}
    above: dict[int, int] = {}
    for values in given:
        number, parent = _number(values, "wp:comment_id"), _number(values, "wp:comment_parent")
        above[number] = parent
        if reason := _reason_against(values):
            counts[reason] += 1
            continue
        text = markdown(values.get("wp:comment_content", ""))
        if not text or len(text) > comments.TEXT_LIMIT:
            counts["not taken, since they are empty or too long"] += 1
            continue
        found[number] = _said(values, number, parent, text, _moment(values, zone, moment))
    return [_answering(said, found, above) for _, said in sorted(found.items())]


def save(entry: Entry, said: list[Said], counts: Counter[str]) -> bool:
    """Add what is new and edit what differs; returns whether anything was. Call inside a write transaction."""
    rows = list(Comment.select().where(Comment.entry == entry.id).order_by(Comment.id))
    same = {(row.created_at, row.author_name, row.text): row for row in reversed(rows)}
    known: dict[int, Comment] = {}
    for one in said:
        row = same.pop((one.at, one.name, one.text), None)
        if row is not None:
            known[one.number] = row
    found = {row.id for row in known.values()}
    left = {(row.created_at, row.author_name): row for row in reversed(rows) if row.id not in found}
    counts["unchanged"] += len(known)
    changed = False
    for one in _parents_first([one for one in said if one.number not in known]):
        row = left.pop((one.at, one.name), None)
        if row is not None:
            _edit(entry, row, one.text)
            counts["changed"] += 1
        else:
            row = _add(entry, one, known.get(one.parent))
            counts["added"] += 1
        known[one.number] = row
        changed = True
    return changed


def _reason_against(values: dict[str, str]) -> str:
    kind = values.get("wp:comment_type", "")
    if kind in _PINGS:
        return "pings not taken"
    if kind not in ("", "comment"):
        return f"not taken, of the type “{kind[:40]}”"
    status = values.get("wp:comment_approved", "")
    if status in _STATUSES:
        return ""
    return "not taken, in the trash" if "trash" in status else f"not taken, of the status “{status[:40]}”"


def _said(values: dict[str, str], number: int, parent: int, text: str, at: int) -> Said:
    name = " ".join(values.get("wp:comment_author", "").split())[: comments.NAME_LIMIT].strip() or _NOBODY
    return Said(
        number,
        parent,
        _STATUSES[values.get("wp:comment_approved", "")],
        name,
        values.get("wp:comment_author_email", ""),
        values.get("wp:comment_author_url", ""),
        text,
        at,
    )


def _moment(values: dict[str, str], zone: tzinfo, otherwise: int) -> int:
    try:
        found = moment_in(values, "wp:comment_date", zone)
    except ContentError:
        found = None
    return otherwise if found is None else found


def _answering(said: Said, found: dict[int, Said], above: dict[int, int]) -> Said:
    """`said` as an answer to the nearest comment above it that is taken."""
    parent, seen = said.parent, {said.number}
    while parent and parent not in found and parent not in seen:
        seen.add(parent)
        parent = above.get(parent, 0)
    if parent == said.parent:
        return said
    return replace(said, parent=parent if parent in found else 0)


def _parents_first(said: list[Said]) -> list[Said]:
    ordered: list[Said] = []
    waiting = {one.number: one for one in said}
    while waiting:
        ready = [one for one in waiting.values() if one.parent not in waiting]
        for one in ready or list(waiting.values()):  # those that answer each other in a circle
            ordered.append(one)
            del waiting[one.number]
    return ordered


def _add(entry: Entry, one: Said, parent: Comment | None) -> Comment:
    try:
        return comments.add(entry, one.name, one.text, one.email, one.url, parent, one.status, one.at, _ACTOR)
    except ContentError:  # what stands for a web address there may be none
        return comments.add(entry, one.name, one.text, one.email, "", parent, one.status, one.at, _ACTOR)


def _edit(entry: Entry, row: Comment, text: str) -> None:
    Comment.update(text=text, html=comment_html(text)).where(Comment.id == row.id).execute()
    record(entry.site_id, "comment edited", "comment", row.id, entry.id, _ACTOR)


def _number(values: dict[str, str], name: str) -> int:
    value = values.get(name, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 18 else 0

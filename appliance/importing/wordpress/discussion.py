"""Comments and pings of a text: taken once, threaded, and left to this site's moderators afterwards.

A comment is recognised by when it was said, by whom, and what; when only the text differs, it was edited there and is
edited here. The status it has here stays, and nothing is removed: a comment may have come from a reader of this site.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from typing import Any, Final

from appliance.content import comments
from appliance.content.excerpts import plain_text
from appliance.content.models import Comment, CommentStatus, Entry, Ping
from appliance.errors import ContentError
from appliance.importing.report import Report
from appliance.importing.wordpress.items import moment_in
from appliance.importing.wordpress.remarks import markdown

_STATUSES: Final[dict[str, CommentStatus]] = {
    "1": "approved", "approve": "approved", "approved": "approved", "0": "pending", "hold": "pending", "spam": "spam",
}  # fmt: skip
_PINGS = frozenset({"pingback", "trackback"})
#: How much longer a comment may be as HTML.
_RAW = 4
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


@dataclass(frozen=True, slots=True)
class Talk:
    """All that was said of a text and is taken; pings are values of `Ping`."""

    comments: list[Said] = field(default_factory=list)
    pings: list[dict[str, Any]] = field(default_factory=list)


def read(given: list[dict[str, str]], zone: tzinfo, moment: int, report: Report) -> Talk:
    """What was said of a text that is published at `moment`; what is not taken is counted."""
    found: dict[int, Said] = {}
    above: dict[int, int] = {}
    pings = []
    for values in given:
        number, parent = _number(values, "wp:comment_id"), _number(values, "wp:comment_parent")
        above[number] = parent
        is_ping = values.get("wp:comment_type", "") in _PINGS
        if reason := _reason_against(values):
            (report.pings if is_ping else report.comments)[reason] += 1
        elif is_ping:
            pings.append(_ping(values, _moment(values, zone, moment)))
        else:
            raw = values.get("wp:comment_content", "")
            text = markdown(raw) if len(raw) <= _RAW * comments.TEXT_LIMIT else ""
            if text and len(text) <= comments.TEXT_LIMIT:
                found[number] = _said(values, number, parent, text, _moment(values, zone, moment))
            else:
                report.comments["not taken, since they are empty or too long"] += 1
    return Talk([_answering(said, found, above) for _, said in sorted(found.items())], pings)


def save(entry: Entry, talk: Talk, report: Report) -> bool:
    """Add what is new and edit what differs; returns whether anything was. Call inside a write transaction."""
    return _save_comments(entry, talk.comments, report.comments) | _save_pings(entry, talk.pings, report.pings)


def _save_comments(entry: Entry, said: list[Said], counts: Counter[str]) -> bool:
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
            comments.edit(row, text=one.text, actor=_ACTOR)
            counts["changed"] += 1
        else:
            row = _add(entry, one, known.get(one.parent))
            counts["added"] += 1
        known[one.number] = row
        changed = True
    return changed


def _reason_against(values: dict[str, str]) -> str:
    kind, status = values.get("wp:comment_type", ""), values.get("wp:comment_approved", "")
    if kind in _PINGS:
        return "" if _STATUSES.get(status) == "approved" else "not taken, since nobody approved them"
    if kind not in ("", "comment"):
        return f"not taken, of the type “{kind[:40]}”"
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


def _ping(values: dict[str, str], at: int) -> dict[str, Any]:
    return {
        "title": plain_text(values.get("wp:comment_author", "")),
        "url": values.get("wp:comment_author_url", ""),
        "ip": values.get("wp:comment_author_IP", ""),
        "text": values.get("wp:comment_content", ""),
        "at": at,
    }


def _save_pings(entry: Entry, pings: list[dict[str, Any]], counts: Counter[str]) -> bool:
    rows: Any = Ping.select().where(Ping.entry == entry.id) if pings else []
    known = [{name: getattr(row, name) for name in pings[0]} for row in rows]
    fresh = [ping for ping in pings if ping not in known]
    for ping in fresh:
        Ping.create(entry=entry, **ping)
    counts["added"] += len(fresh)
    counts["unchanged"] += len(pings) - len(fresh)
    return bool(fresh)


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


def _number(values: dict[str, str], name: str) -> int:
    value = values.get(name, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 18 else 0

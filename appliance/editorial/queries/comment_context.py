"""What a moderator has to know about a comment to decide: what it answers, who sent it, and why it is where it is.

Guarantees that what identifies a sender is read only where it may be seen, and that as many questions go to the
database for a page of comments as for one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from appliance import db
from appliance.config import Config
from appliance.content.comment_models import CommentOrigin
from appliance.content.models import Comment, CommentStatus, Site
from appliance.content.sites import find_sites
from appliance.content.versions import version_of
from appliance.editorial.queries.comment_senders import COUNTED, SenderHistory, read_histories, sender_of
from appliance.planning.permalinks import page_url

#: Comments of a thread that are shown.
_THREAD: Final = 100
#: How far a thread is followed upwards.
_DEPTH: Final = 50


@dataclass(frozen=True, slots=True)
class Answered:
    """The comment that another one answers."""

    id: int
    author: str
    text: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a comment came from."""

    #: Why it was not approved at once, in a few words.
    reason: str = ""
    #: What the spam check took it for: `ham`, `doubtful` or `spam`; empty if it was not asked.
    judged: str = ""
    #: The rest is empty where one may not see it.
    address: str = ""
    network: str = ""
    user_agent: str = ""


@dataclass(frozen=True, slots=True)
class ModerationRow:
    """A comment with all that one needs to decide about it."""

    id: int
    site: str
    status: CommentStatus
    #: Seconds since the epoch.
    at: int
    author: str
    #: Empty where it may not be seen.
    email: str
    url: str
    text: str
    #: What a decision may expect: it differs once somebody changed the comment.
    version: str
    entry: int
    title: str
    #: The address of the comment on the site; empty if the entry is not published.
    address: str
    answers: Answered | None
    origin: Origin
    #: What else the sender has sent; None if the sender is not known or may not be seen.
    history: SenderHistory | None = None


@dataclass(frozen=True, slots=True)
class ThreadRow:
    """A comment of a thread."""

    id: int
    depth: int
    status: CommentStatus
    author: str
    at: int
    text: str


_ENTRIES: Final = """
SELECT e.id, e.site_id, e.title, e.status,
       (SELECT path FROM artifact a WHERE a.type = e.kind AND a.subject = e.id AND a.wanted LIMIT 1)
FROM entry e WHERE e.id IN ({ids})
"""


def read_rows(
    config: Config, ids: Sequence[int], sites: Collection[str], sender_sites: Collection[str], *, counted: int = COUNTED
) -> list[ModerationRow]:
    """Return these comments in their order; those that are gone or on other sites are left out.

    Args:
        config: the installation.
        ids: at most some hundred ids.
        sites: the names of the sites whose comments may be read.
        sender_sites: those whose senders may be seen.
        counted: comments of a sender with one status that are counted one by one.
    """
    if not ids:
        return []
    with db.snapshot():
        known = {site.id: site for site in find_sites(config) if site.name in sites}
        found = {row.id: row for row in Comment.select().where(Comment.id.in_(list(ids)))}
        entries = _entries({row.entry_id for row in found.values()})
        shown = [found[key] for key in ids if key in found and entries[found[key].entry_id][1] in known]
        answered = _answered({row.parent_id for row in shown if row.parent_id is not None})
        origins = {row.comment_id: row for row in CommentOrigin.select().where(CommentOrigin.comment.in_(list(ids)))}
        site_of = {row.id: known[entries[row.entry_id][1]] for row in shown}
        rows = [
            _row(one, site_of[one.id], entries[one.entry_id], answered, origins.get(one.id),
                 sees_sender=site_of[one.id].name in sender_sites)
            for one in shown
        ]  # fmt: skip
        senders = {row.id: sender_of(row.email, row.origin.network) for row in rows}
        histories = read_histories(
            config, {one for one in senders.values() if one is not None}, sender_sites, counted=counted
        )
        return [replace(row, history=histories.get(senders[row.id])) for row in rows]  # type: ignore[arg-type]


def read_thread(comment: int) -> list[ThreadRow]:
    """Return the thread that a comment belongs to, the replies below what they answer, at most a hundred comments."""
    up = f"""WITH RECURSIVE up(id, parent_id, depth) AS (
                 SELECT id, parent_id, 0 FROM comment WHERE id = ?
                 UNION ALL SELECT c.id, c.parent_id, depth + 1 FROM comment c JOIN up ON c.id = up.parent_id
                 WHERE depth < {_DEPTH})
             SELECT id FROM up ORDER BY depth DESC LIMIT 1"""
    down = f"""WITH RECURSIVE down(id, depth) AS (
                   SELECT id, 0 FROM comment WHERE id = ?
                   UNION ALL SELECT c.id, depth + 1 FROM comment c JOIN down ON c.parent_id = down.id
                   WHERE depth < {2 * _DEPTH})
               SELECT id, depth FROM down LIMIT {_THREAD}"""
    with db.snapshot():
        root = db.execute(up, [comment]).fetchone()
        depths = dict(db.execute(down, [root[0]]).fetchall()) if root else {}
        found = {row.id: row for row in Comment.select().where(Comment.id.in_(list(depths)))}
    return [_thread_row(found[key], depths[key]) for key in _nested(found, root[0])] if root else []


def site_of_comments(ids: Iterable[int]) -> dict[int, str]:
    """The names of the sites that comments are on, by the ids of the comments; those that are gone are left out."""
    found: dict[int, str] = {}
    for some in db.chunks(sorted(set(ids))):
        sql = f"""SELECT c.id, s.name FROM comment c JOIN entry e ON e.id = c.entry_id JOIN site s ON s.id = e.site_id
                  WHERE c.id IN ({db.placeholders(len(some))})"""
        found |= dict(db.execute(sql, some).fetchall())
    return found


def _entries(ids: Collection[int]) -> dict[int, tuple[Any, ...]]:
    if not ids:
        return {}
    sql = _ENTRIES.format(ids=db.placeholders(len(ids)))
    return {row[0]: row for row in db.execute(sql, sorted(ids)).fetchall()}


def _answered(ids: Collection[int]) -> dict[int, Answered]:
    if not ids:
        return {}
    sql = f"SELECT id, author_name, substr(text, 1, 400) FROM comment WHERE id IN ({db.placeholders(len(ids))})"
    return {row[0]: Answered(*row) for row in db.execute(sql, sorted(ids)).fetchall()}


def _row(
    one: Any, site: Site, entry: tuple[Any, ...], answered: dict[int, Answered], origin: CommentOrigin | None, *,
    sees_sender: bool,
) -> ModerationRow:  # fmt: skip
    _, _, title, status, path = entry
    address = f"{page_url(site, path)}#comment-{one.id}" if path and status == "published" else ""
    return ModerationRow(
        id=one.id, site=site.name, status=one.status, at=one.created_at, author=one.author_name,
        email=one.author_email if sees_sender else "", url=one.author_url, text=one.text, version=version_of(one),
        entry=one.entry_id, title=title, address=address,
        answers=answered.get(one.parent_id) if one.parent_id is not None else None,
        origin=_origin(origin, sees_sender=sees_sender),
    )  # fmt: skip


def _origin(origin: CommentOrigin | None, *, sees_sender: bool) -> Origin:
    if origin is None:
        return Origin()
    if not sees_sender:
        return Origin(origin.reason, origin.judged or "")
    return Origin(origin.reason, origin.judged or "", origin.address, origin.network, origin.user_agent)


def _nested(found: dict[int, Any], root: int) -> list[int]:
    """The ids of a thread in the order in which one reads it."""
    below: dict[int, list[int]] = {}
    for row in sorted(found.values(), key=lambda row: (row.created_at, row.id)):
        if row.id != root:
            below.setdefault(row.parent_id, []).append(row.id)
    order, waiting = list[int](), [root]
    while waiting:
        key = waiting.pop()
        order.append(key)
        waiting += reversed(below.get(key, ()))
    return order


def _thread_row(row: Any, depth: int) -> ThreadRow:
    return ThreadRow(row.id, depth, row.status, row.author_name, row.created_at, row.text)

"""Comments and pings of imported entries, recognised by what they say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from appliance.content import comments
from appliance.content.models import Comment, Entry, Ping
from appliance.importing.movabletype.mapping import Remark


def add_comments(entry: Entry, said: Sequence[Remark], words: Counter[str], *, is_new: bool) -> int:
    """Add the comments that `entry` does not have yet, whatever became of them; returns how many.

    Call it in a write transaction. `words` counts what became of each; `is_new` says that it cannot have any.
    """
    if not said:
        return 0
    there = Comment.select(Comment.author_name, Comment.created_at, Comment.text).where(Comment.entry == entry.id)
    left = Counter([] if is_new else _tuples(there))
    added = 0
    for one in said:
        key = (one.name, one.at, one.text)
        if left[key]:
            left[key] -= 1
            continue
        email = one.values.get("EMAIL", "")
        comments.add(entry, one.name, one.text, email, one.url, status=one.status, at=one.at, actor="import")
        added += 1
    _tell(words, added, len(said))
    return added


def add_pings(entry: Entry, told: Sequence[Remark], words: Counter[str], *, is_new: bool) -> int:
    """Add the pings that `entry` does not have yet; returns how many.

    Call it in a write transaction. No change is recorded: no page shows a ping.
    """
    if not told:
        return 0
    columns = (Ping.title, Ping.url, Ping.blog_name, Ping.ip, Ping.text, Ping.at)
    left = Counter([] if is_new else _tuples(Ping.select(*columns).where(Ping.entry == entry.id)))
    fresh = []
    for one in told:
        key = (*(one.values.get(name, "") for name in ("TITLE", "URL", "BLOG NAME", "IP")), one.text, one.at)
        if left[key]:
            left[key] -= 1
        else:
            fresh.append(dict(zip(("title", "url", "blog_name", "ip", "text", "at"), key, strict=True)))
    for row in fresh:
        Ping.create(entry=entry, **row)
    _tell(words, len(fresh), len(told))
    return len(fresh)


def _tuples(query: Any) -> list[tuple[Any, ...]]:
    return list(query.tuples())


def _tell(words: Counter[str], added: int, all_of_them: int) -> None:
    if added:
        words["added"] += added
    if all_of_them - added:
        words["unchanged"] += all_of_them - added

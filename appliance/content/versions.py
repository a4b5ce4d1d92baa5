"""Versions of content, used to refuse an edit that is based on outdated content.

A version is a digest of everything about a row that people can edit. It changes with any of these values, no matter
who or what changes them. It is computed on demand and not stored, because the previous release, which may run at the
same time, would not update a version column.

`expect` locks a row before it compares the version, so the version stays current until the transaction ends.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from appliance import clock, db
from appliance.content.entry_relations import EntryRelations
from appliance.content.models import Asset, Author, Category, Comment, Entry, Tag
from appliance.errors import EditConflict

Versioned = Entry | Comment | Asset | Author | Category | Tag
V = TypeVar("V", bound=Versioned)

#: The columns that people edit. Values that planning and rendering derive are not part of a version.
_EDITED: Final[dict[type, tuple[str, ...]]] = {
    Entry: (
        "kind", "status", "title", "slug", "address", "folder", "published_at", "unpublish_at", "format", "text",
        "excerpt", "summary", "allow_comments", "extra", "source", "source_path",
    ),
    Comment: ("entry", "parent", "status", "author_name", "author_email", "author_url", "text"),
    Asset: ("path", "entry", "digest", "media_type", "source", "source_path"),
    Author: ("name", "slug", "email", "url", "about"),
    Category: ("name", "slug", "parent", "path", "address", "description", "always", "source", "source_path"),
    Tag: ("name", "slug"),
}  # fmt: skip
#: Number of the newest changes that are searched for the one that caused a conflict.
_RECENT: Final = 10_000


def version_of(row: Versioned) -> str:
    """Return the version of a row with the values that it had when it was read."""
    values = [row.__data__[column] for column in _EDITED[type(row)]]
    if isinstance(row, Entry):
        links = EntryRelations.stored(row)
        values += [links.authors, links.categories, links.tags, sorted(links.aliases)]
        values += ["sanitised"] if row.sanitised else []
    return hashlib.blake2b(json.dumps(values).encode(), digest_size=8).hexdigest()


def expect(row: Versioned, expected: str | None) -> None:
    """Check that a row still has the expected version. None means that any version is accepted.

    Call it inside the write transaction that changes the row. A deleted row is no conflict here; the change itself has
    to refuse it.

    Raises:
        EditConflict: somebody has changed the row since that version.
    """
    if expected is None:
        return
    model = type(row)
    # Lock the row before reading it. Otherwise another transaction could change it right after the comparison.
    db.execute(f"SELECT id FROM {model._meta.table_name} WHERE id = ? {db.for_update()}", [row.id]).fetchall()
    now = model.get_or_none(model.id == row.id)
    if now is not None and version_of(now) != expected:
        raise _conflict(now)


def expect_all(rows: Iterable[V], expected: Mapping[int, str]) -> list[V]:
    """Check several rows like `expect`. Returns the rows without duplicates, in the order given.

    `expected` maps the id of a row to its expected version. A row with no expected version is not checked.
    """
    found = list({row.id: row for row in rows}.values())
    for row in sorted(found, key=lambda row: row.id):  # a fixed order of locks prevents deadlocks
        expect(row, expected.get(row.id))
    return found


def _conflict(row: Versioned) -> EditConflict:
    subject = type(row).__name__.lower()
    last = db.execute(
        """SELECT actor, at FROM change WHERE subject = ? AND subject_id = ?
           AND id > (SELECT MAX(id) FROM change) - ? ORDER BY id DESC LIMIT 1""",
        [subject, row.id, _RECENT],
    ).fetchone()
    if last is None:
        return EditConflict(_called(row))
    by, at = last
    return EditConflict(_called(row), by or None, at, f"{_local(row, at):%Y-%m-%d %H:%M}")


def _called(row: Versioned) -> str:
    if isinstance(row, Entry):
        return f"the {row.kind} “{row.title}”"
    if isinstance(row, Comment):
        return f"comment {row.id}"
    if isinstance(row, Asset):
        return f"the file “{row.path}”"
    return f"the {type(row).__name__.lower()} “{row.name}”"


def _local(row: Versioned, at: int) -> datetime:
    site: Any = row.entry.site if isinstance(row, Comment) else row.site
    return clock.to_datetime(at, ZoneInfo(site.timezone))

"""The files of previews in the database: saved by a build, all at once, and read by visits.

Guarantees that a visit sees the files of one build, and that no save keeps other writers waiting for long: contents are
saved beforehand, a few at a time, and a content that several previews have is saved once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from appliance import db
from appliance.building.docroot import File
from appliance.db import NOW
from appliance.previews.models import Preview

#: Wakes whoever waits for a build.
TOPIC: Final = "preview"
#: Bytes of one file and of all files of a preview. What is above is left out and named.
LARGEST_FILE: Final = 8 << 20
LARGEST_PREVIEW: Final = 64 << 20
#: Bytes of a transaction that saves contents.
_CHUNK: Final = 1 << 20
#: Seconds that contents are kept which no preview has, since a build may be about to use them.
_KEEP_UNUSED: Final = 3600.0


class _Content(NamedTuple):
    path: str
    digest: str
    content: bytes


def save_build(preview: Preview, page: str, files: Mapping[str, bytes | File]) -> bool:
    """Save what was built for a preview as it was read; returns False if a newer build was saved meanwhile."""
    kept, left_out = _within_limits(files)
    rows: list[tuple[str, str]] = []
    for some in _chunks(kept, files):
        with db.write():
            for one in some:
                _save_content(one)
        rows += [(one.path, one.digest) for one in some]
    with db.write():
        if not _end_build(preview, page=page, left_out=left_out):
            return False
        db.execute("DELETE FROM preview_file WHERE preview_id = ?", [preview.entry_id])
        for group in db.chunks(rows):
            db.execute(
                f"INSERT INTO preview_file (preview_id, path, digest) VALUES {db.placeholders(len(group), 3)}",
                [value for path, digest in group for value in (preview.entry_id, path, digest)],
            )
    return True


def save_fault(preview: Preview, fault: str) -> bool:
    """Save why a preview cannot be built; the files of the build before stay."""
    with db.write():
        return _end_build(preview, fault=fault)


def read_file(entry: int, paths: Sequence[str]) -> tuple[str, bytes] | None:
    """The path and the content of the first of these files that the preview of an entry has."""
    rows = db.execute(
        f"""SELECT f.path, c.content FROM preview_file f JOIN preview_content c ON c.digest = f.digest
            WHERE f.preview_id = ? AND f.path IN ({db.placeholders(len(paths))})""",
        [entry, *paths],
    ).fetchall()
    found = {path: bytes(content) for path, content in rows}
    return next(((path, found[path]) for path in paths if path in found), None)


def delete_unused_contents() -> int:
    """Delete contents that no preview has any more; returns how many."""
    deleted = 0
    while True:
        with db.write():
            rows = db.execute(
                f"""DELETE FROM preview_content WHERE digest IN (
                        SELECT c.digest FROM preview_content c WHERE c.kept_at < {NOW} - ?
                        AND NOT EXISTS (SELECT 1 FROM preview_file f WHERE f.digest = c.digest) LIMIT 20)
                    RETURNING digest""",
                [_KEEP_UNUSED],
            ).fetchall()
        deleted += len(rows)
        if not rows:
            return deleted


def next_unused() -> float | None:
    """When contents that no preview has are to be deleted, in seconds since the epoch; None if there are none."""
    row = db.execute(
        """SELECT MIN(c.kept_at) FROM preview_content c
           WHERE NOT EXISTS (SELECT 1 FROM preview_file f WHERE f.digest = c.digest)"""
    ).fetchone()
    return None if row[0] is None else float(row[0]) + _KEEP_UNUSED


def _end_build(preview: Preview, *, page: str | None = None, fault: str = "", left_out: str = "") -> bool:
    ended = db.execute(
        f"""UPDATE preview SET built = ?, built_at = {NOW}, page = COALESCE(?, page), fault = ?, left_out = ?
            WHERE entry_id = ? AND built <= ? RETURNING entry_id""",
        [preview.requested, page, fault, left_out, preview.entry_id, preview.requested],
    ).fetchall()
    db.notify(TOPIC)
    return bool(ended)


def _within_limits(files: Mapping[str, bytes | File]) -> tuple[list[str], str]:
    """The paths of the files that are kept, pages first, and a sentence about the others."""
    kept, total, left_out = list[str](), 0, list[str]()
    for path in sorted(files, key=lambda path: isinstance(files[path], File)):
        size = _size(files[path])
        if size > LARGEST_FILE or total + size > LARGEST_PREVIEW:
            left_out.append(path)
        else:
            total += size
            kept.append(path)
    if not left_out:
        return kept, ""
    named = ", ".join(left_out[:5]) + (" …" if len(left_out) > 5 else "")
    return kept, (
        f"{named} {'is' if len(left_out) == 1 else 'are'} left out of the preview: it holds files of at most"
        f" {LARGEST_FILE >> 20} MiB, {LARGEST_PREVIEW >> 20} MiB in all"
    )


def _size(content: bytes | File) -> int:
    return content.size if isinstance(content, File) else len(content)


def _chunks(paths: Sequence[str], files: Mapping[str, bytes | File]) -> Iterator[list[_Content]]:
    """Yield the contents of the files, so many at a time that saving them takes milliseconds."""
    some, size = list[_Content](), 0
    for path in paths:
        found = files[path]
        content = found.path.read_bytes() if isinstance(found, File) else found
        if some and size + len(content) > _CHUNK:
            yield some
            some, size = [], 0
        some.append(_Content(path, hashlib.sha256(content).hexdigest(), content))
        size += len(content)
    if some:
        yield some


def _save_content(one: _Content) -> None:
    kept = db.execute(f"UPDATE preview_content SET kept_at = {NOW} WHERE digest = ?", [one.digest]).rowcount
    if not kept:
        db.execute(
            f"""INSERT INTO preview_content (digest, content, kept_at) VALUES (?, ?, {NOW})
                ON CONFLICT (digest) DO UPDATE SET kept_at = excluded.kept_at""",
            [one.digest, one.content],
        )

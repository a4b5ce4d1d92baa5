"""Compares the docroot with the artifacts, and enqueues files that are missing, changed or damaged.

By size and mtime, the comparison takes a few microseconds a file. By digest, it also finds files with the right size
and time but the wrong bytes, as a failing disk or a careless hand may leave them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from appliance import db
from appliance.building.docroot import Docroot
from appliance.config import Config
from appliance.content.assets import file_digest
from appliance.planning.plan import PUBLISH
from appliance.queue.enqueue import JobRequest, enqueue

#: Artifacts that are compared at a time.
_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class DocrootVerification:
    """The result of a verification."""

    checked: int
    #: Files that differ and were enqueued.
    differing: int


class _Row(NamedTuple):
    id: int
    path: str
    priority: int
    every: float
    scope: str
    digest: str
    size: int
    version: int


def verify(
    config: Config, *, contents: bool = False, stopping: Callable[[], bool] = lambda: False
) -> DocrootVerification:
    """Compare every published file of this host with its artifact, and enqueue those that differ.

    Args:
        config: the installation, opened.
        contents: compare the bytes, not only size and mtime.
        stopping: called now and then; when it returns True, the rest is not checked.

    Raises:
        DocrootError: the docroot is not there.
    """
    docroot = Docroot.prepare(config)
    checked = differing = 0
    for rows in _chunks():
        if stopping():
            break
        docroot.check()
        differing_rows = [row for row in rows if not _is_intact(docroot, row, contents)]
        requests = [JobRequest(row.path, row.priority, row.scope, every=row.every) for row in differing_rows]
        if requests:
            enqueue(PUBLISH, requests, ageing=config.queue.ageing, reason="differs from what was published")
        checked += len(rows)
        differing += len(differing_rows)
    return DocrootVerification(checked, differing)


def _is_intact(docroot: Docroot, row: _Row, contents: bool) -> bool:
    if not docroot.holds(row.path, row.size, row.version):
        return False
    if not contents:
        return True
    file = docroot.folder / row.path
    with suppress(FileNotFoundError, NotADirectoryError):
        if file_digest(file) == row.digest:
            return True
        # Else the job would find the right size and time, and leave the file. If a newer file was put here meanwhile,
        # it is only written once more.
        os.utime(file, (0, 0))
    return False


def _chunks() -> Iterator[list[_Row]]:
    last = 0
    while True:
        rows = db.execute(
            """SELECT a.id, a.path, a.priority, a.every, s.name, a.digest, a.size, a.version
               FROM artifact a JOIN site s ON s.id = a.site_id
               WHERE a.id > ? AND a.wanted AND a.digest IS NOT NULL ORDER BY a.id LIMIT ?""",
            [last, _CHUNK],
        ).fetchall()
        if not rows:
            return
        yield [_Row(*row) for row in rows]
        last = rows[-1][0]


_CHUNK = 500


def enqueue_missing(config: Config, paths: Sequence[str]) -> set[str]:
    """Enqueue the artifacts at `paths`, which no running host holds; return the paths that no artifact has.

    A host that builds such an artifact and does not hold its file publishes it as a new version.
    """
    unknown, left = set(paths), iter(paths)
    while some := list(islice(left, _CHUNK)):
        rows = db.execute(
            f"""SELECT a.path, a.priority, a.every, s.name FROM artifact a JOIN site s ON s.id = a.site_id
                WHERE a.path IN ({db.placeholders(len(some))})""",
            some,
        ).fetchall()
        requests = [JobRequest(path, priority, site, every=every) for path, priority, every, site in rows]
        if requests:
            enqueue(PUBLISH, requests, ageing=config.queue.ageing, reason="no running host has it")
        unknown -= {request.key for request in requests}
    return unknown

"""The docroot against the artifacts: what is missing, changed or damaged is built again.

By size and mtime in a few microseconds a file; with bytes by digest, which finds what a failing disk or a careless
hand has left with the right size and time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from appliance import db
from appliance.building.docroot import Docroot
from appliance.config import Config
from appliance.content.assets import digest_of
from appliance.planning.plan import PUBLISH
from appliance.queue.requests import Request, enqueue

_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verification came to."""

    checked: int
    #: Files that differ and are enqueued.
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


def verify(config: Config, *, contents: bool = False, stopping: Callable[[], bool] = lambda: False) -> Verified:
    """Compare every published file of this host with what was published, and enqueue those that differ.

    Args:
        config: the installation, opened.
        contents: compare the bytes, not only size and mtime.
        stopping: asked now and then; what was not checked then is left.

    Raises:
        DocrootError: the docroot is not there.
    """
    docroot = Docroot.prepare(config)
    checked = differing = 0
    for rows in _chunks():
        if stopping():
            break
        docroot.check()
        wrong = [row for row in rows if not _is_right(docroot, row, contents)]
        requests = [Request(row.path, row.priority, row.scope, every=row.every) for row in wrong]
        if requests:
            enqueue(PUBLISH, requests, ageing=config.queue.ageing, reason="differs from what was published")
        checked += len(rows)
        differing += len(wrong)
    return Verified(checked, differing)


def _is_right(docroot: Docroot, row: _Row, contents: bool) -> bool:
    if not docroot.holds(row.path, row.size, row.version):
        return False
    if not contents:
        return True
    file = docroot.folder / row.path
    with suppress(FileNotFoundError, NotADirectoryError):
        if digest_of(file) == row.digest:
            return True
        # Else it would be taken for right by its size and time, and stay. A newer one put here meanwhile is only
        # written once more.
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

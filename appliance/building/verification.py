"""Compares the docroot with the artifacts, and enqueues files that are missing, changed or damaged.

By size and mtime, the comparison takes a few microseconds a file. By digest, it also finds files with the right size
and time but the wrong bytes, as a failing disk or a careless hand may leave them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NamedTuple

from appliance import db
from appliance.building import dependency_store
from appliance.building.docroot import Docroot
from appliance.config import Config
from appliance.content.assets import file_digest
from appliance.delivery import cursors, journal
from appliance.delivery.positions import Position
from appliance.delivery.targets import own_docroot
from appliance.planning.enqueueing import template_of
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
    """An artifact, with the name of its site as the scope of its job."""

    id: int
    site: int
    path: str
    priority: int
    every: float
    scope: str
    digest: str
    size: int
    version: int
    template: str


_COLUMNS: Final = f"a.id, s.id, a.path, a.priority, a.every, s.name, a.digest, a.size, a.version, {template_of('a')}"


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
    several_hosts = len(config.publishing_hosts) > 1
    checked = differing = 0
    for rows in _chunks():
        if stopping():
            break
        docroot.check()
        confirmed = _confirmed(config) if several_hosts else {}
        differing_rows = [row for row in rows if not _is_intact(docroot, row, contents)]
        if several_hosts:
            differing_rows = _select_arrived(differing_rows, confirmed, config.host_name)
        if differing_rows:
            _enqueue(config, differing_rows, "differs from what was published", lost=several_hosts)
        checked += len(rows)
        differing += len(differing_rows)
    return DocrootVerification(checked, differing)


def _confirmed(config: Config) -> dict[str, Position]:
    """By another host of origin, what the docroot of this host has of its publications."""
    own = own_docroot(config)
    return cursors.read_all(own) if own else {}


def _select_arrived(rows: Sequence[_Row], confirmed: Mapping[str, Position], host: str) -> list[_Row]:
    """Those of `rows` whose latest publication this host ought to show. Others are on their way from another host."""
    latest = journal.read_latest([row.path for row in rows])

    def has_arrived(row: _Row) -> bool:
        number, origin, version = latest.get(row.path, (0, "", 0))
        return version <= row.version and (origin == host or confirmed.get(origin, Position()).has(number))

    return [row for row in rows if has_arrived(row)]


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
            f"""SELECT {_COLUMNS}
               FROM artifact a JOIN site s ON s.id = a.site_id
               WHERE a.id > ? AND a.wanted AND a.digest IS NOT NULL ORDER BY a.id LIMIT ?""",
            [last, _CHUNK],
        ).fetchall()
        if not rows:
            return
        yield [_Row(*row) for row in rows]
        last = rows[-1][0]


def enqueue_missing(config: Config, paths: Sequence[str]) -> set[str]:
    """Enqueue artifacts that a host which ought to hold them has lost; return the paths that no artifact has.

    They are published as new versions by whichever host builds them, even one that still holds the file: otherwise
    nobody would send the file to where it is missing.
    """
    unknown = set(paths)
    for some in db.chunks(paths):
        rows = db.execute(
            f"""SELECT {_COLUMNS}
                FROM artifact a JOIN site s ON s.id = a.site_id WHERE a.path IN ({db.placeholders(len(some))})""",
            some,
        ).fetchall()
        if rows:
            _enqueue(config, [_Row(*row) for row in rows], "lost by a host that published it", lost=True)
        unknown -= {row[2] for row in rows}
    return unknown


def _enqueue(config: Config, rows: Sequence[_Row], reason: str, *, lost: bool) -> None:
    """Enqueue artifacts. Those that are `lost` are published even by a host that still holds the file."""
    requests = [JobRequest(row.path, row.priority, row.scope, every=row.every, template=row.template) for row in rows]
    with db.write():
        enqueue(PUBLISH, requests, ageing=config.queue.ageing, reason=reason)
        if lost:
            # After the jobs, as a worker that publishes takes its locks. No host has a file of the higher version.
            dependency_store.lock_sites(row.site for row in rows)
            for some in db.chunks([row.id for row in rows]):
                db.execute(
                    f"UPDATE artifact SET version = version + 1 WHERE id IN ({db.placeholders(len(some))})", some
                )

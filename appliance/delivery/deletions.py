"""Deletes from this host's docroot what other publishing hosts have deleted, as the journal says.

Guarantees that a file is deleted only if the latest publication of its path is a deletion and the file is not newer. A
worker of this host that puts a file in place holds the same lock until it has committed. No other host ever deletes
here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from appliance import db
from appliance.delivery import file_lists, journal
from appliance.delivery.journal import Delete, PublishedChange


def lock(host: str) -> None:
    """Keep deletions of other hosts out of the docroot of `host` until this transaction ends."""
    db.acquire_lock(f"docroot {host}")


def apply(changes: Sequence[PublishedChange], docroot: Path, host: str) -> int:
    """Delete the files that `changes` delete and the docroot still has. Returns how many."""
    deletes = [change for change in changes if isinstance(change, Delete)]
    applied = file_lists.are_applied(deletes, docroot)
    pending = [change.path for change, done in zip(deletes, applied, strict=True) if not done]
    if not pending:
        return 0
    deleted = 0
    with db.write():
        lock(host)
        for path in pending:
            latest = journal.latest_of(path)
            if isinstance(latest, Delete) and not file_lists.are_applied([latest], docroot)[0]:
                _remove(docroot, path)
                deleted += 1
    return deleted


def _remove(docroot: Path, path: str) -> None:
    file = docroot / path
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        file.unlink()
    for above in file.parents:
        if above == docroot:
            return
        try:
            above.rmdir()
        except OSError:  # not empty, or gone already
            return

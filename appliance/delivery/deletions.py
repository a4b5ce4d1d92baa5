"""Deletions of this host's own docroot that other publishing hosts have journalled.

Guarantees that a file goes only while the journal's latest word on its path is that it is deleted, and only when it is
not newer than that: a worker of this host that puts a file in place holds the same turn until it has committed. No peer
ever deletes here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from appliance import db
from appliance.delivery import journal, lists
from appliance.delivery.journal import Change, Delete


def in_turn(host: str) -> None:
    """Have no file of this host's docroot deleted by what others journalled until this transaction ends."""
    db.in_turn(f"docroot {host}")


def apply(changes: Sequence[Change], docroot: Path, host: str) -> int:
    """Delete what `changes` say is deleted and the docroot still has; returns how many files."""
    wanted = [change for change in changes if isinstance(change, Delete)]
    left = [c.path for c, gone in zip(wanted, lists.held(wanted, docroot), strict=True) if not gone]
    if not left:
        return 0
    gone = 0
    with db.write():
        in_turn(host)
        for path in left:
            latest = journal.latest_of(path)
            if isinstance(latest, Delete) and not lists.held([latest], docroot)[0]:
                _remove(docroot, path)
                gone += 1
    return gone


def _remove(docroot: Path, path: str) -> None:
    final = docroot / path
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        final.unlink()
    for above in final.parents:
        if above == docroot:
            return
        try:
            above.rmdir()
        except OSError:  # not empty, or gone already
            return

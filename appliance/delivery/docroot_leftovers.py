"""Removes temporary files from this host's docroot that pushes of other hosts left when it lost power.

The host that pushes removes what an interrupted push of its own left, but judges by names alone and leaves alone what a
person may have chosen. Here more is known of a file. Guarantees that only what rsync was still writing is removed: a
file beside a published one, under the name that rsync makes up for it, of this account, with the mode and the time that
rsync changes once such a file is complete.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from appliance import clock
from appliance.delivery import journal

#: The name that rsync gives to a file while it writes it, with the name that the file gets.
_TEMPORARY = re.compile(r"\.(.+)\.[A-Za-z0-9]{6}")
#: Seconds that a file must not have changed: longer than a push goes on after its host has lost the lease.
_UNCHANGED = 10.0


def find(docroot: Path, stopping: Callable[[], bool] = lambda: False) -> list[Path]:
    """The files in the docroot that look like ones that rsync is writing, or was writing; some may be of a push."""
    found = list[Path]()
    for folder, _, names in os.walk(docroot):
        if stopping():
            break
        found += [Path(folder, name) for name in names if _TEMPORARY.fullmatch(name)]
    return [file for file in found if _unfinished(file)]


def remove(files: Sequence[Path], docroot: Path) -> list[Path]:
    """Remove those of `files` that were left; returns those that are too new to tell.

    Call it while no other host writes to the docroot.
    """
    targets = {file: file.with_name(_TEMPORARY.sub(r"\1", file.name)).relative_to(docroot).as_posix() for file in files}
    published, waiting = journal.select_published(list(targets.values())), list[Path]()
    for file, path in targets.items():
        status = _unfinished(file) if path in published else None
        if status is None:
            continue
        if status.st_ctime > clock.now() - _UNCHANGED:
            waiting.append(file)
        else:
            file.unlink(missing_ok=True)
    return waiting


def _unfinished(file: Path) -> os.stat_result | None:
    """The status of a file that rsync has not completed; None for any other, and for one that is gone."""
    try:
        found = file.lstat()
    except OSError:
        return None
    # Published files have whole seconds and can be read by the web server.
    is_ours = found.st_mode == stat.S_IFREG | 0o600 and found.st_uid == os.geteuid()
    return found if is_ours and found.st_mtime_ns % 1_000_000_000 else None

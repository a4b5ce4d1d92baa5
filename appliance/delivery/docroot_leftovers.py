"""Removes temporary files from this host's docroot that pushes of other hosts left when it lost power.

The host that pushes removes what an interrupted push of its own left, but judges by names alone and leaves alone what a
person may have chosen. Here more is known of a file. Guarantees that only what rsync was still writing is removed: a
file beside a published one, under the name that rsync makes up for it, of this account, with the mode and the time that
rsync changes once such a file is complete.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from appliance import clock
from appliance.delivery import journal, temporary_names

#: Seconds that a file must not have changed: longer than a push goes on after its host has lost the lease.
_UNCHANGED = 10.0


def find(docroot: Path, stopping: Callable[[], bool] = lambda: False) -> list[Path]:
    """The files in the docroot that look like ones that rsync is writing, or was writing; some may be of a push."""
    found = list[Path]()
    for folder, _, names in os.walk(docroot):
        if stopping():
            break
        found += [Path(folder, name) for name in names if temporary_names.stem(name, doubtful=True)]
    return [file for file in found if _unfinished(file)]


def remove(files: Sequence[Path], docroot: Path) -> list[Path]:
    """Remove those of `files` that were left; returns those that are too new to tell.

    Call it while no other host writes to the docroot.
    """
    stems = {file: temporary_names.stem(_text(file.relative_to(docroot)), doubtful=True) for file in files}
    published, waiting = _select_published(set(stems.values())), list[Path]()
    for file, stem in stems.items():
        status = _unfinished(file) if stem in published else None
        if status is None:
            continue
        if status.st_ctime > clock.now() - _UNCHANGED:
            waiting.append(file)
        else:
            file.unlink(missing_ok=True)
    return waiting


def _select_published(stems: Iterable[str]) -> set[str]:
    """Those of the stems that belong to published files."""
    possible = [path for stem in stems for path in (stem, temporary_names.with_dot(stem))]
    found = journal.select_published(possible)
    for path in filter(temporary_names.is_shortened, possible):
        found |= journal.select_published_beginning(path.rstrip("\ufffd"))  # the rest of a character that was cut
    return set(map(temporary_names.shorten, found))


def _text(path: Path) -> str:
    """A path as the database takes it. No published one has bytes that are no text."""
    return os.fsencode(path).decode(errors="replace")


def _unfinished(file: Path) -> os.stat_result | None:
    """The status of a file that rsync has not completed; None for any other, and for one that is gone."""
    try:
        found = file.lstat()
    except OSError:
        return None
    # Published files have whole seconds and can be read by the web server.
    is_ours = found.st_mode == stat.S_IFREG | 0o600 and found.st_uid == os.geteuid()
    return found if is_ours and found.st_mtime_ns % 1_000_000_000 else None

"""Files to send that `delivery.keep` protects on every target. They belong to somebody else, so they are not sent.

rsync itself matches the patterns, so that they mean the same here as when files are removed. In a list of files rsync
checks each name alone, and would send `stats/today.html` although a rule hides `/stats/`. So the folders above each
file are listed as well.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from appliance.config import DeliverySettings
from appliance.delivery import file_lists
from appliance.delivery.transports import rsync_command
from appliance.errors import DeliveryError

#: Seconds a dry run may take. It reads names on this host and nothing else.
_LIMIT = 60


def select_kept(paths: Sequence[str], docroot: Path, delivery: DeliverySettings) -> list[str]:
    """Return those of `paths`, files in the docroot, that `delivery.keep` protects.

    Raises:
        DeliveryError: rsync failed or does not accept the patterns.
    """
    if not delivery.keep or not paths:
        return []
    visible = _list_visible(paths, docroot, delivery)
    hidden = [path for path in paths if not visible.issuperset(_with_folders(path))]
    gone = set(file_lists.select_absent(hidden, docroot))  # left the docroot meanwhile
    return [path for path in hidden if path not in gone]


def _with_folders(path: str) -> list[str]:
    return [path, *(os.fspath(folder) for folder in PurePosixPath(path).parents if folder.name)]


def _list_visible(paths: Sequence[str], docroot: Path, delivery: DeliverySettings) -> set[str]:
    """Return those of `paths` and the folders above them that no pattern hides."""
    listed = dict.fromkeys(name for path in paths for name in _with_folders(path))
    options = ["--dry-run", "--times", "--from0", "--files-from=-", "--no-recursive", "--no-implied-dirs"]
    hiding = [f"--filter=H {pattern}" for pattern in delivery.keep]
    with tempfile.TemporaryDirectory(prefix="appliance-") as empty:
        try:
            run = subprocess.run(
                [delivery.rsync, *options, *rsync_command.OUTPUT_OPTIONS, *hiding, "--", f"{docroot}/", f"{empty}/"],
                input=rsync_command.paths_input(listed),
                capture_output=True,
                timeout=_LIMIT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise DeliveryError(f"cannot find out which files delivery.keep matches: {error}") from error
    if run.returncode not in (0, 23, 24):  # 23, 24: a file left the docroot
        lines = run.stderr.decode(errors="replace").strip().splitlines()
        raise DeliveryError(
            f"rsync does not accept the patterns of delivery.keep ({lines[0] if lines else 'no reason'})"
        )
    return {os.fsdecode(name).rstrip("/") for name in rsync_command.all_names(run.stdout.splitlines())}

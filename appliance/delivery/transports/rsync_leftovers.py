"""Temporary files that an interrupted push left on a target, told from other people's files.

Guarantees that only a name which rsync creates for a file of the push counts: the file under its own name in the
staging folder, or the temporary file beside it, with six characters that no person chooses. A receiving rsync removes
both itself unless it is killed, so doubtful names are left alone; `targets.verify` lists them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from appliance.delivery import file_lists, temporary_names
from appliance.delivery.transports import rsync_removals
from appliance.delivery.transports.rsync_command import STAGING_FOLDER
from appliance.delivery.transports.rsync_removals import RemovalRules


def search_rules(paths: Iterable[str], docroot: Path, keep: Sequence[str]) -> RemovalRules:
    """Return the rules of a dry run that names all that a push of `paths` may have left. They match too much."""
    above = _folders(paths)
    wanted = [rsync_removals.pattern(f"{folder}/") for folder in _with_parents(above) if folder]
    found = file_lists.nearest_folders([f"{folder}/x" if folder else "x" for folder in above], docroot)
    staging = STAGING_FOLDER.encode()
    patterns = [*wanted, staging + b"/", staging + b"/*", b".*.??????"]
    return RemovalRules(found, rsync_removals.filter_rules(patterns, keep))


def select_leftovers(names: Iterable[str], paths: Iterable[str], docroot: Path) -> list[str]:
    """Return those of `names`, which such a dry run listed, that a push of `paths` left; folders end with a slash."""
    known = dict.fromkeys(paths)
    shortened = {temporary_names.shorten(path) for path in known}
    above = _with_parents(_folders(known))
    gone = {f"{folder}/" for folder in file_lists.select_absent(above, docroot)}
    staging = {f"{folder}/{STAGING_FOLDER}/" if folder else f"{STAGING_FOLDER}/" for folder in above}
    return [
        name
        for name in names
        if name in gone or name in staging or _staged_path(name) in known or temporary_names.stem(name) in shortened
    ]


def read_names(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the names that look like leftovers, with the paths that each may have been created for.

    A staging folder comes with no path. A shortened name tells none, so such a file is not among them.
    """
    found = {name: _created_for(name) for name in names}
    return {name: paths for name, paths in found.items() if paths or _is_staging_folder(name)}


def _is_staging_folder(name: str) -> bool:
    return f"/{name}".endswith(f"/{STAGING_FOLDER}/")


def _created_for(name: str) -> list[str]:
    if _is_staging_folder(name):
        return []
    if staged := _staged_path(name):
        return [staged]
    stem = temporary_names.stem(name)
    return [stem, temporary_names.with_dot(stem)] if stem else []


def _staged_path(name: str) -> str:
    """Return the path that a file in a staging folder is meant for; empty for other names."""
    folder, _, own = name.rpartition("/")
    above, slash, last = folder.rpartition("/")
    return f"{above}{slash}{own}" if last == STAGING_FOLDER else ""


def _folders(paths: Iterable[str]) -> list[str]:
    return sorted({path.rpartition("/")[0] for path in paths})


def _with_parents(folders: Iterable[str]) -> list[str]:
    found = {str(part) for folder in folders for part in (PurePosixPath(folder), *PurePosixPath(folder).parents)}
    return sorted("" if part == "." else part for part in found)

"""After the database was restored: docroots and targets are newer than it, and are brought to what it says.

Guarantees that afterwards every host shows what the restored database gives and nothing else. Without this a front end
would keep what was published after the backup: the journal knows nothing of it, and what it knows bears older versions,
which receivers refuse.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from appliance import db
from appliance.building.docroot import Docroot
from appliance.config import Config, TargetSettings
from appliance.delivery import cursors, marker, standing
from appliance.delivery.rsync import Rsync
from appliance.delivery.targets import Target, known
from appliance.errors import RemovalRefused


def renew(config: Config) -> tuple[int, int]:
    """Have every file published anew, above whatever version it has anywhere, and every target brought to that.

    The files are built by the next planning of everything. Targets are sent all of them and cleared of the rest,
    however much that is.

    Returns:
        How many files, and how many targets.
    """
    targets = known(config)
    with db.write():
        now = int(db.now())
        renewed = db.execute(
            "UPDATE artifact SET version = CASE WHEN version < ? THEN CAST(? AS BIGINT) ELSE version + 1 END"
            " WHERE digest IS NOT NULL",
            [now, now],
        ).rowcount
        for target in targets:
            cursors.rewind(target.name)
            standing.note(target.name, repair_at=db.now(), allow_removals=True)
    return int(renewed), len(targets)


def clear(config: Config, *, allow_removals: bool = False) -> int:
    """Remove from this host's docroot what nothing makes; nothing may be published meanwhile.

    Only in the folders of sites, and not what `delivery.keep` names.

    Args:
        config: the installation, opened.
        allow_removals: also when more would be removed than `deletions` in the settings allow at once.

    Returns:
        How many files were removed.

    Raises:
        RemovalRefused: too much would be removed; nothing was.
        DocrootError: the docroot cannot be used.
        DeliveryError: rsync cannot be used.
    """
    docroot = Docroot.prepare(config)
    folders = tuple(f"{site.folder}/" if site.folder else "" for site in config.sites)
    there = [path for path in _files(config) if path.startswith(folders)]
    made = _made(there)
    extra = [path for path in there if path not in made]
    if not allow_removals and config.deletions.are_exceeded(len(extra), len(there)):
        raise RemovalRefused(
            f"{config.docroot}: {len(extra):,} files of {len(there):,} there were published by nobody, which is more"
            f" than {config.deletions.share:.0%}; none was removed; if that is meant, say so with --allow-removals"
        )
    for path in extra:
        docroot.delete(path)
    return len(extra)


def _files(config: Config) -> list[str]:
    """Every file in the docroot but those to be kept, by rsync, whose patterns these are."""
    place = TargetSettings(name="docroot", address=str(config.docroot), other_path=True)
    with tempfile.TemporaryDirectory(prefix="appliance-") as nothing:
        found = Rsync(Target(place, Path(nothing), config.delivery), None).extras(
            [*config.delivery.keep, f"/{marker.FILE}"]
        )
    return [name for name in found if not name.endswith("/")]


def _made(paths: list[str]) -> set[str]:
    """Those of `paths` that something makes, or that a deletion which is asked for will remove."""
    made = set[str]()
    for some in db.chunks(paths):
        rows = db.execute(
            f"SELECT path FROM artifact WHERE path IN ({db.marks(len(some))}) AND (wanted OR digest IS NOT NULL)", some
        )
        made.update(path for (path,) in rows.fetchall())
    return made

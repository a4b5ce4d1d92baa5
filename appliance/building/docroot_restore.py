"""Brings docroots and targets in line with a database that was restored from a backup.

Docroots and targets are newer than such a database. Guarantees that every host afterwards shows what the restored
database gives and nothing else. Otherwise a front end would keep what was published after the backup: the journal does
not know of it, and front ends refuse the older versions that the journal does know.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from appliance import audit, db
from appliance.building.docroot import Docroot
from appliance.config import Config, TargetSettings
from appliance.delivery import cursors, shared_docroot, target_state
from appliance.delivery.targets import Target, all_targets
from appliance.delivery.transports.factory import TransportFactory
from appliance.errors import RemovalRefused


def republish_all(config: Config) -> tuple[int, int]:
    """Have every file published anew, with a higher version than any host has, and every target brought in line.

    The next plan of everything builds the files. Targets get all of them and lose all others, however many these are.

    Returns:
        How many files, and how many targets.
    """
    targets = all_targets(config)
    with db.write():
        now = int(db.now())
        renewed = db.execute(
            "UPDATE artifact SET version = CASE WHEN version < ? THEN CAST(? AS BIGINT) ELSE version + 1 END"
            " WHERE digest IS NOT NULL",
            [now, now],
        ).rowcount
        # This database does not know what was published after the backup, so it counts as other people's files.
        for target in targets:
            cursors.reset(target.name)
            target_state.update_control(target.name, repair_at=db.now(), allow_removals=True, clear_strangers=True)
        audit.record("docroot.renew", "docroot", after={"files": int(renewed), "targets": len(targets)})
    return int(renewed), len(targets)


def remove_extra_files(config: Config, *, allow_removals: bool = False) -> int:
    """Remove from this host's docroot the files that no artifact makes; call it while nothing is published.

    Only files in the folders of sites are removed, and none that `delivery.keep` names.

    Args:
        config: the installation, opened.
        allow_removals: remove more files at once than `deletions` in the settings allow.

    Returns:
        How many files were removed.

    Raises:
        RemovalRefused: too many files would be removed; none was.
        DocrootError: the docroot cannot be used.
        DeliveryError: rsync cannot be used.
    """
    docroot = Docroot.prepare(config)
    folders = tuple(f"{site.folder}/" if site.folder else "" for site in config.sites)
    found = [path for path in _files(config) if path.startswith(folders)]
    published = _made_by_artifacts(found)
    extra = [path for path in found if path not in published]
    if not allow_removals and config.deletions.are_exceeded(len(extra), len(found)):
        raise RemovalRefused(
            f"{config.docroot}: {len(extra):,} files of {len(found):,} there were published by nobody, which is more"
            f" than {config.deletions.share:.0%}; none was removed; if that is meant, say so with --allow-removals"
        )
    if extra:  # before any of them: who stops this halfway has removed some
        after = {"host": config.host_name, "files": len(extra), "paths": extra, "allow_removals": allow_removals}
        audit.record("docroot.clear", "docroot", label=str(config.docroot), after=after)
    for path in extra:
        docroot.delete(path)
    return len(extra)


def _files(config: Config) -> list[str]:
    """Every file in the docroot that `delivery.keep` does not match, which is all that an empty folder lacks."""
    settings = TargetSettings(name="docroot", address=str(config.docroot), other_path=True)
    with tempfile.TemporaryDirectory(prefix="appliance-") as empty, TransportFactory() as transports:
        transport = transports.open(Target(settings, Path(empty), config.delivery))
        found = transport.extras([*config.delivery.keep, f"/{shared_docroot.MARKER}"])
    return [name for name in found if not name.endswith("/")]


def _made_by_artifacts(paths: list[str]) -> set[str]:
    """Those of `paths` that an artifact publishes, or that are still to be deleted by a job."""
    published = set[str]()
    for some in db.chunks(paths):
        rows = db.execute(
            "SELECT path FROM artifact"
            f" WHERE path IN ({db.placeholders(len(some))}) AND (wanted OR digest IS NOT NULL)",
            some,
        )
        published.update(path for (path,) in rows.fetchall())
    return published

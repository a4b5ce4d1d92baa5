"""The disks of hosts: each host looks at those below its docroot and its database, and all can read what it saw."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from appliance import db
from appliance.config import Config
from appliance.db import NOW
from appliance.delivery import shared_docroot

Holds = Literal["docroot", "database"]

#: Seconds after which nobody speaks of the disks of a host that looks no more.
_FORGOTTEN = 86_400.0


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk as its host saw it last. Sizes are in bytes."""

    host: str
    #: What lies on it.
    holds: Holds
    #: The size of the file system, and what is free of it; None for the disk of a database server.
    total: int | None
    free: int | None
    #: The size of the database; None for a docroot.
    used: int | None
    #: Why nothing can be published to a shared docroot; None if nothing is wrong.
    fault: str | None
    #: When it was looked at, in seconds since the epoch.
    at: float


_KEEP = f"""
INSERT INTO disk_usage (host, holds, total, free, used, fault, at) VALUES (?, ?, ?, ?, ?, ?, {NOW})
ON CONFLICT (host, holds) DO UPDATE SET
    total = excluded.total, free = excluded.free, used = excluded.used, fault = excluded.fault, at = excluded.at
"""


def look(config: Config) -> None:
    """Look at the disks of this host, and forget those of hosts that have not looked for a day."""
    below = (None, None) if config.database_url else _space(config.database_file)
    docroot = ("docroot", *_space(config.docroot), None, shared_docroot.find_fault(config))
    seen = [docroot, ("database", *below, db.backend().size(), None)]
    with db.write():
        for row in seen:
            db.execute(_KEEP, [config.host_name, *row])
        db.execute(f"DELETE FROM disk_usage WHERE at < {NOW} - ?", [_FORGOTTEN])


def read() -> list[Disk]:
    """Return the disks of all hosts."""
    columns = "host, holds, total, free, used, fault, at"
    rows = db.execute(f"SELECT {columns} FROM disk_usage ORDER BY host, holds DESC").fetchall()
    return [Disk(host, cast("Holds", holds), *row) for host, holds, *row in rows]


def _space(path: Path) -> tuple[int | None, int | None]:
    """Total and free bytes of the file system at a path, or above it if it does not exist yet."""
    there = next((one for one in (path, *path.parents) if one.exists()), None)
    if there is None:
        return None, None
    found = shutil.disk_usage(there)
    return found.total, found.free

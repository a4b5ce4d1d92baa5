"""Tries this host's rsync with one small push and removal between two folders, with the options of couriers.

A version number does not tell what a build can do: of the same version, some accept what others refuse.
"""

from __future__ import annotations

import os
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Final

from appliance import clock
from appliance.config import DeliverySettings, TargetSettings
from appliance.delivery.journal import Delete, Put
from appliance.delivery.targets import Target
from appliance.delivery.transports import rsync_command
from appliance.delivery.transports.rsync import RsyncTransport
from appliance.errors import DeliveryError

#: Seconds that a trial may take. A program that takes longer is not refused: the host may be busy.
_LIMIT: Final = 5.0


class _TookLong(DeliveryError):  # noqa: N818 - it is no failure
    """Ends a trial without a result."""


def run(settings: DeliverySettings) -> None:
    """Check that rsync is installed and can do what a push needs. Each program is tried once per process.

    Raises:
        DeliveryError: it is missing or cannot; says what to do.
    """
    rsync_command.version(settings.rsync)
    fault = _try(settings.rsync, _identity(settings.rsync))
    if fault:
        raise DeliveryError(
            f"“{settings.rsync}” cannot do what a push needs ({fault}); install the newest rsync that your system"
            " offers (apt-get update && apt-get install rsync), or name another in delivery.rsync"
        )


def _identity(name: str) -> tuple[int, int, int]:
    """Return what changes when another program is installed under the same name."""
    for folder in ["", *os.get_exec_path()]:
        file = Path(folder) / name
        if file.is_file() and (folder or "/" in name):
            found = file.stat()
            return found.st_ino, found.st_mtime_ns, found.st_size
    return 0, 0, 0


@lru_cache
def _try(name: str, _identity: tuple[int, int, int]) -> str:
    """Return what is wrong with a program; empty if nothing is."""
    with tempfile.TemporaryDirectory(prefix="appliance-trial-") as folder:
        here, there = Path(folder) / "here", Path(folder) / "there"
        for place in (here, there):
            place.mkdir()
        (here / "sent").write_text("new")
        for left in ("gone", "stays"):
            (there / left).write_text("old")
        settings = TargetSettings(name="trial", address=str(there), other_path=True)
        began = clock.monotonic()

        def permit() -> DeliveryError | None:
            return _TookLong() if clock.monotonic() - began > _LIMIT else None

        try:
            target = Target(settings, here, DeliverySettings(rsync=name))
            RsyncTransport(target, None, permit).push([Put("sent", 1, "", 3), Delete("gone", 1)])
        except _TookLong:
            return ""
        except DeliveryError as error:
            return str(error).removeprefix(f"{target}: ")
        found = {file.name for file in there.iterdir()}
    return "" if found == {"sent", "stays"} else f"it left {', '.join(sorted(found)) or 'nothing'} there"

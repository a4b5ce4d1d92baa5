"""What a publishing host's processes need before they start, and what becomes of what the dead held."""

from __future__ import annotations

import os
from collections.abc import Callable

from appliance.building.docroot import Docroot
from appliance.config import Config
from appliance.delivery import rsync
from appliance.queue import store


def preflight(config: Config) -> None:
    """Check what the processes need before any is started.

    Raises:
        DocrootError, DeliveryError: it is not there.
    """
    Docroot.prepare(config).sweep()
    if config.targets:
        rsync.preflight(config.delivery)


def rescue_dead(config: Config) -> None:
    """Free the jobs of workers of this host whose process is gone; their leases need not run out first."""
    for holder in store.holders():
        host, _, process = holder.partition(":")
        if host == config.host_name and process.isdigit() and not _alive(int(process)):
            store.rescue(config.queue.retries, worker=holder)
    store.rescue(config.queue.retries)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def rescuer(config: Config) -> Callable[[str, int], None]:
    """Frees the jobs of a worker of this host that has ended, by its process id."""

    def rescue(_name: str, process: int) -> None:
        store.rescue(config.queue.retries, worker=worker_name(config, process))

    return rescue


def worker_name(config: Config, process: int) -> str:
    """What a worker is called on the queue."""
    return f"{config.host_name}:{process}"

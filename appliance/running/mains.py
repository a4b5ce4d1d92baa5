"""The main functions of a publishing host's processes, by the name of each process."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

from appliance import db
from appliance.building import publish as publishing_kind
from appliance.building.docroot import Docroot
from appliance.config import Config
from appliance.delivery import courier
from appliance.queue.supervisor import on_signals, orphaned
from appliance.queue.wakeup import DatabaseWake
from appliance.queue.worker import Worker
from appliance.running.couriers import courier_main
from appliance.running.host import worker_name

COURIER = "courier"


def mains(
    config: Config, workers: int, limit: int | None, report: courier.Report, *, lasting: bool
) -> dict[str, Callable[[], int]]:
    """Main functions of the workers and, when there are targets, of the courier, by name."""
    mains: dict[str, Callable[[], int]] = {}
    for number in range(workers):
        share = None if limit is None else limit // workers + (number < limit % workers)
        if share != 0:
            mains[f"worker-{number + 1}"] = partial(worker_main, config, share)
    if config.targets:
        mains[COURIER] = partial(courier_main, config, report, settle=not lasting)
    return mains


def worker_main(config: Config, limit: int | None) -> int:
    """Perform jobs until told to stop, or until `limit` of them are done."""
    opened = db.open_database(config)
    kind = publishing_kind.kind(config, Docroot(config.docroot, config.staging_folder))
    worker = Worker(worker_name(config, os.getpid()), [kind], config.queue, DatabaseWake(), orphaned())
    worker.wake = DatabaseWake(worker.stopping)
    with on_signals(worker.stop):
        worker.run(limit)
    opened.close()
    return 0

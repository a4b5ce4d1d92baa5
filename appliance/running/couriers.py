"""The courier's process: one on each publishing host, however many daemons and drains there are."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from appliance import db
from appliance.config import Config
from appliance.delivery import courier
from appliance.delivery.targets import targets
from appliance.queue.supervisor import on_signals, orphaned
from appliance.queue.wakeup import DatabaseWake


def courier_main(config: Config, report: courier.Report, *, settle: bool) -> int:
    """Push until told to stop, then, when `settle`, until every target is level or has failed its tries."""
    opened = db.open_database(config)
    stop, left = threading.Event(), threading.Event()
    couriers, gone = courier.Couriers(targets(config), report), orphaned()

    def leave() -> None:
        left.set()
        stop.set()
        couriers.abandon()

    with on_signals(stop.set, leave), _alone(config, stop) as alone:
        wake = DatabaseWake(lambda: stop.is_set() or gone())
        if alone:
            with couriers:
                couriers.nudge()
                while not stop.is_set() and not gone():
                    if wake.wait(0.5):
                        couriers.nudge()
                if settle and not gone():
                    couriers.settle()
        elif settle:
            _await_other_courier(config, left)
    opened.close()
    return 0


def _await_other_courier(config: Config, left: threading.Event) -> None:
    """Wait until the courier of another process has every target level, or reports why not."""
    wake = DatabaseWake(left.is_set)
    while not left.is_set() and any(not t.level and not t.error for t in courier.status(targets(config))):
        wake.wait(0.5)


@contextmanager
def _alone(config: Config, stop: threading.Event) -> Iterator[bool]:
    """Hold the place of this host's courier; yields False when told to stop while another process has it."""
    with (config.staging_folder / ".courier").open("w") as file:
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield True
                return
            if stop.wait(0.05):
                yield False
                return

"""The courier's process: one on each publishing host, however many daemons and drains there are."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Callable, Iterator
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

    with on_signals(stop.set, leave), _alone(config, lambda: stop.wait(0.05) or gone()) as alone:
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
            _await_other_courier(config, lambda: left.is_set() or gone())
    opened.close()
    return 0


def _await_other_courier(config: Config, left: Callable[[], bool]) -> None:
    """Wait until the courier of another process has every target level, or reports why not."""
    wake = DatabaseWake(left)
    while not left() and any(not t.level and not t.error for t in courier.status(targets(config))):
        wake.wait(0.5)


@contextmanager
def _alone(config: Config, give_up: Callable[[], bool]) -> Iterator[bool]:
    """Hold the place of this host's courier; yields False once `give_up`, asked now and then, says so before that."""
    with (config.staging_folder / ".courier").open("w") as file:
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield True
                return
            if give_up():
                yield False
                return

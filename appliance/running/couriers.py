"""The courier's process: one on each publishing host, however many daemons and drains there are."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial

from appliance import db
from appliance.building import rebuilding
from appliance.config import Config
from appliance.delivery import courier, leases, metrics, purge
from appliance.delivery.targets import everywhere
from appliance.queue.heartbeat import Heartbeat
from appliance.queue.processes import Presence
from appliance.queue.supervisor import REPLACE, on_signals, orphaned
from appliance.queue.wakeup import DatabaseWake


class _Post:
    """The courier's process: pushes until told to stop, and not while it is asked to pause."""

    def __init__(self, config: Config, report: courier.Report, keeper: str) -> None:
        self.stop = threading.Event()
        self.left = threading.Event()
        self.gone = orphaned()
        self.presence = Presence("courier", config.host_name, keeper)
        self._config = config
        self._report = report
        self._couriers: courier.Couriers | None = None
        self._wake = DatabaseWake(lambda: self.ending() or self.gone())

    def ending(self) -> bool:
        """Whether to push no more than what is already to be pushed."""
        return self.stop.is_set() or self.presence.recycled

    def leave(self) -> None:
        """Push no more at all. Safe in a signal handler."""
        self.left.set()
        self.stop.set()
        if self._couriers:
            self._couriers.abandon()

    def push(self, *, settle: bool) -> None:
        """Push what is published until told to stop; then, when `settle`, until every target has what there is."""
        while not self.gone():
            if self.presence.paused and not self.ending():
                self._rest("paused", 1.0)
                continue
            # Also when told to stop already: what was published before is still to be brought.
            confirmed = partial(purge.ask, self._config)
            with courier.Couriers(
                everywhere(self._config), self._told, confirmed, config=self._config, rebuild=self._rebuild
            ) as self._couriers:
                self._couriers.nudge()
                while not (self.ending() or self.gone() or self.presence.paused):
                    if self._rest("keeping targets level", 0.5):
                        self._couriers.nudge()
                if settle and self.stop.is_set() and not self.gone():
                    self.presence.doing = "bringing targets level"
                    self._couriers.settle()
            if self.ending():
                return

    def await_other(self) -> None:
        """Wait until the courier of another process has every target level, or reports why not."""
        wake = DatabaseWake(lambda: self.left.is_set() or self.gone())
        while not (self.left.is_set() or self.gone()):
            with db.tolerant():
                if all(t.level or t.error or t.paused for t in courier.status(everywhere(self._config))):
                    return
            wake.wait(0.5)

    def close(self) -> None:
        """Wait for news no longer, and vanish from among the processes."""
        self._wake.close()
        with db.tolerant():
            self.presence.leave()

    def _rest(self, doing: str, seconds: float) -> bool:
        self.presence.doing = doing
        news = self._wake.wait(seconds)
        if news:
            with db.tolerant():
                self.presence.look()
        return news

    def _rebuild(self, paths: Sequence[str]) -> set[str]:
        return rebuilding.ask(self._config, paths)

    def _told(self, line: str) -> None:
        self.presence.jobs += 1
        self._report(line)


def courier_main(config: Config, report: courier.Report, *, settle: bool, keeper: str = "") -> int:
    """Push until told to stop, then, when `settle`, until every target is level or has failed its tries."""
    opened = db.open_database(config)
    post = _Post(config, report, keeper)
    post.presence.enter()
    with (
        on_signals(post.stop.set, post.leave),
        Heartbeat(post.presence.beat, every=0.5),
        _alone(config, lambda: post.stop.wait(0.05) or post.ending() or post.gone()) as alone,
        metrics.listening(config, wanted=alone and not settle),
    ):
        if alone:
            leases.forget(config.host_name)  # what one that was killed here held
            post.push(settle=settle)
        elif settle:
            post.await_other()
    post.close()
    opened.close()
    return REPLACE if post.presence.recycled else 0


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

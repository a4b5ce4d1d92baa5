"""The courier process. Each publishing host runs only one, however many daemons and drains are running."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from appliance import caches, db
from appliance.building import verification
from appliance.config import Config
from appliance.db.listener import CommitListener
from appliance.delivery import courier, leases, target_state
from appliance.delivery.targets import courier_targets
from appliance.queue.heartbeat import Heartbeat
from appliance.queue.processes import RegisteredProcess
from appliance.queue.supervisor import EXIT_RECYCLE, handle_signals, make_orphan_check
from appliance.running import metrics
from appliance.webhooks import published_pages


class _CourierProcess:
    """Pushes published files until it is told to stop. It does not push while it is paused."""

    def __init__(self, config: Config, report: courier.Report, supervisor: str) -> None:
        self.stop = threading.Event()
        self.abandoned = threading.Event()
        self.is_orphaned = make_orphan_check()
        self.process = RegisteredProcess("courier", config.host_name, supervisor)
        self._config = config
        self._report = report
        self._couriers: courier.Couriers | None = None
        self._wake = CommitListener(lambda: self.is_ending() or self.is_orphaned())

    def is_ending(self) -> bool:
        """Whether to stop after the pushes that are already waiting."""
        return self.stop.is_set() or self.process.should_recycle

    def abandon(self) -> None:
        """Stop pushing at once. Safe in a signal handler."""
        self.abandoned.set()
        self.stop.set()
        if self._couriers:
            self._couriers.stop_now()

    def run(self, *, settle: bool) -> None:
        """Push published files until told to stop. With `settle`, go on until every target is level or has failed."""
        while not self.is_orphaned():
            if self.process.is_paused and not self.is_ending():
                self._wait("paused", 1.0)
                continue
            # This runs even if the process was already told to stop: earlier publications must still be delivered.
            with courier.Couriers(
                courier_targets(self._config),
                self._count_push,
                self._confirmed,
                config=self._config,
                rebuild=self._rebuild,
            ) as self._couriers:
                self._couriers.wake()
                while not (self.is_ending() or self.is_orphaned() or self.process.is_paused):
                    if self._wait("keeping targets level", 0.5):
                        self._couriers.wake()
                if settle and self.stop.is_set() and not self.is_orphaned():
                    self.process.activity = "bringing targets level"
                    self._couriers.settle()
            if self.is_ending():
                return

    def wait_for_other_courier(self) -> None:
        """Wait until the courier of another process has brought every target level, or has reported why it cannot."""
        wake = CommitListener(lambda: self.abandoned.is_set() or self.is_orphaned())
        while not (self.abandoned.is_set() or self.is_orphaned()):
            with db.suppress_unavailable():
                if all(t.level or t.error or t.paused for t in target_state.read_all(courier_targets(self._config))):
                    return
            wake.wait(0.5)

    def close(self) -> None:
        """Stop listening for commits and delete the row of this process."""
        self._wake.close()
        with db.suppress_unavailable():
            self.process.deregister()

    def _wait(self, doing: str, seconds: float) -> bool:
        self.process.activity = doing
        news = self._wake.wait(seconds)
        if news:
            with db.suppress_unavailable():
                self.process.refresh_request()
        return news

    def _confirmed(self) -> None:
        """Enqueue what waits for all targets, in the transaction that confirms one."""
        caches.enqueue_purges(self._config)
        published_pages.enqueue_published(self._config)

    def _rebuild(self, paths: Sequence[str]) -> set[str]:
        return verification.enqueue_missing(self._config, paths)

    def _count_push(self, line: str) -> None:
        self.process.jobs_done += 1
        self._report(line)


def courier_main(config: Config, report: courier.Report, *, settle: bool, supervisor: str = "") -> int:
    """Push until told to stop. With `settle`, go on until every target is level or has used up its tries."""
    opened = db.open_database(config)
    courier_process = _CourierProcess(config, report, supervisor)
    courier_process.process.register()
    with (
        handle_signals(courier_process.stop.set, courier_process.abandon, patient_on_sigterm=settle),
        Heartbeat(courier_process.process.heartbeat, every=0.5),
        _exclusive(
            config,
            lambda: courier_process.stop.wait(0.05) or courier_process.is_ending() or courier_process.is_orphaned(),
        ) as exclusive,
        metrics.serve(config, wanted=exclusive and not settle),
    ):
        if exclusive:
            leases.release_host(config.host_name)  # a courier that was killed on this host may have left leases
            courier_process.run(settle=settle)
        elif settle:
            courier_process.wait_for_other_courier()
    courier_process.close()
    opened.close()
    return EXIT_RECYCLE if courier_process.process.should_recycle else 0


@contextmanager
def _exclusive(config: Config, give_up: Callable[[], bool]) -> Iterator[bool]:
    """Hold the courier lock of this host while the block runs.

    Yields True once the lock is held. While another process holds it, `give_up` is called repeatedly; once that returns
    true, yields False.
    """
    with (config.staging_folder / ".courier").open("w") as file:
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield True
                return
            if give_up():
                yield False
                return

"""Couriers: one thread for each target, all in parallel, each bringing its own target up to date with the journal.

Guarantees that no target waits for another (each has a thread, a connection and a back-off of its own), and that
everything started here ends with it: threads and their database connections, rsync and ssh processes, the private
folder.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from appliance import clock, db
from appliance.config import Config
from appliance.delivery import repair, target_state
from appliance.delivery.docroot_sync import DocrootSync
from appliance.delivery.send_plan import TAKEOVER_AFTER, Rebuild, rebuild_nothing
from appliance.delivery.target_pusher import CourierContext, Report, no_report
from appliance.delivery.target_state import TargetState
from appliance.delivery.target_worker import TargetWorker
from appliance.delivery.targets import Target
from appliance.delivery.transports.factory import TransportFactory, check_tools

__all__ = ["Couriers", "Report", "no_report"]

#: Seconds between two checks of the leases of running pushes and of paused targets.
_MAINTENANCE_INTERVAL = 0.25

_numbers = itertools.count(1)


class Couriers:
    """All couriers of this host. A context manager: they run inside it, and nothing of them is left after it."""

    def __init__(
        self,
        targets: Sequence[Target],
        report: Report = no_report,
        on_confirm: Callable[[], object] = lambda: None,
        *,
        config: Config | None = None,
        rebuild: Rebuild = rebuild_nothing,
    ) -> None:
        """Prepare the couriers.

        Args:
            targets: where to send.
            report: takes a line for each push.
            on_confirm: called inside each transaction that moves a cursor.
            config: the installation; without it there is one publishing host, and nothing is repaired.
            rebuild: requests files that this host lacks; returns the paths for which no artifact exists.
        """
        self._targets = list(targets)
        self._stop = threading.Event()
        host = config.host_name if config else os.uname().nodename
        several_hosts = config is not None and len(config.publishing_hosts) > 1
        self._context = CourierContext(
            host=host,
            holder=f"{host}:{os.getpid()}.{next(_numbers)}",
            several_hosts=several_hosts,
            stop=self._stop,
            report=report,
            on_confirm=on_confirm,
            rebuild=rebuild,
            finish_repair=(
                None if config is None else lambda transport, control: repair.finish_repair(config, transport, control)
            ),
        )
        self._transports = TransportFactory()
        self._workers: list[TargetWorker] = []
        self._docroot_sync = DocrootSync(config, self._stop, rebuild) if config and several_hosts else None
        self._maintainer = threading.Thread(target=self._maintain, name="courier-maintenance")

    def __enter__(self) -> Self:
        """Start them.

        Raises:
            DeliveryError: this host cannot push at all: rsync is missing, or there is no place for the private folder.
        """
        for delivery in {id(target.delivery): target.delivery for target in self._targets}.values():
            check_tools(delivery)
        self._workers = [TargetWorker(self._context, target, self._transports) for target in self._targets]
        for worker in self._workers:
            worker.start()
        if self._workers:
            self._maintainer.start()
        if self._docroot_sync:
            self._docroot_sync.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        for worker in self._workers:
            worker.join()
        if self._maintainer.ident is not None:
            self._maintainer.join()
        if self._docroot_sync:
            self._docroot_sync.join()
        self._transports.close()

    def wake(self) -> None:
        """Look for something to send now, since the journal may have grown."""
        for worker in self._workers:
            worker.wake()
        if self._docroot_sync:
            self._docroot_sync.wake()

    def stop_now(self) -> None:
        """Stop pushing at once. What is not confirmed is sent another time. Safe in a signal handler."""
        # A thread of its own: the one that a signal interrupts may hold a lock that is needed here.
        threading.Thread(target=self._end, name="stop-couriers").start()

    def _end(self) -> None:
        self._stop.set()
        for worker in self._workers:
            worker.end()

    def settle(self, tries: int | None = None) -> list[TargetState]:
        """Wait until every target is up to date or has failed `tries` pushes in a row (None: `delivery.tries`)."""
        requests = [(worker, worker.wake()) for worker in self._workers]
        for worker, number in requests:
            worker.wait_until_served(number, tries or worker.target.delivery.tries)
        if self._context.several_hosts:
            self._await_other_hosts(tries)
        return target_state.read_all(self._targets)

    def _await_other_hosts(self, tries: int | None) -> None:
        """Wait until what other hosts published has been sent, by them or from here."""
        end = clock.monotonic() + 4 * TAKEOVER_AFTER
        while not self._stop.wait(0.05) and clock.monotonic() < end:
            states = target_state.read_all(self._targets)
            behind = {state.name for state in states if not state.level and not state.paused}
            if not [w for w in self._workers if w.target.name in behind and w.failures < (tries or 1)]:
                return

    def _maintain(self) -> None:
        try:
            while not self._stop.wait(_MAINTENANCE_INTERVAL):
                with db.suppress_unavailable():
                    paused = target_state.paused_names()
                    for worker in self._workers:
                        worker.maintain(paused)
        finally:
            db.disconnect()

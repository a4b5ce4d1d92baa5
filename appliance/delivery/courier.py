"""Couriers: one loop for each target, in parallel, each bringing its own target up to the journal.

Guarantees that no target waits for another (a thread, a connection and a back-off of its own each), and that
everything started here is ended with it: threads and their database connections, rsync and ssh processes, the private
folder.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol, Self

from appliance import clock, db
from appliance.config import Config
from appliance.delivery import cursors, purge, repairing, standing
from appliance.delivery.agenda import GRACE, Rebuild, rebuild_nothing
from appliance.delivery.cursors import TargetState
from appliance.delivery.follower import Follower
from appliance.delivery.loop import Office, Report, TargetLoop, silence
from appliance.delivery.rsync import preflight
from appliance.delivery.ssh import Channel, PrivateFolder
from appliance.delivery.targets import Target, everywhere

__all__ = ["Couriers", "Report", "Wake", "run", "silence", "status"]

#: Seconds between two looks after the leases of pushes under way and at what is paused.
_TEND = 0.25

_numbers = itertools.count(1)


class Wake(Protocol):
    """Tells that the journal may have grown."""

    def wait(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds; True as soon as something was published."""


class Couriers:
    """All couriers of this host. A context manager: they run inside it, nothing of them is left after it."""

    def __init__(
        self,
        chosen: Sequence[Target],
        report: Report = silence,
        confirmed: Callable[[], object] = lambda: None,
        *,
        config: Config | None = None,
        rebuild: Rebuild = rebuild_nothing,
    ) -> None:
        """Make them.

        Args:
            chosen: the targets.
            report: takes a line for each push.
            confirmed: called inside each transaction that moves a cursor.
            config: the installation; without it there is one publishing host, and nothing is repaired.
            rebuild: asks for files to be built again that this host lacks; returns those that nothing makes.
        """
        self._targets = list(chosen)
        self._stop = threading.Event()
        host = config.host_name if config else os.uname().nodename
        several = config is not None and len(config.publishing_hosts) > 1
        self._office = Office(
            host=host,
            holder=f"{host}:{os.getpid()}.{next(_numbers)}",
            several=several,
            stop=self._stop,
            report=report,
            confirmed=confirmed,
            rebuild=rebuild,
            finish=None if config is None else lambda rsync, leave: repairing.finish(config, rsync, leave),
        )
        self._folder: PrivateFolder | None = None
        self._couriers: list[TargetLoop] = []
        self._follower = Follower(config, self._stop, rebuild) if config and several else None
        self._keeper = threading.Thread(target=self._keep, name="courier-keeper")

    def __enter__(self) -> Self:
        for delivery in {id(t.delivery): t.delivery for t in self._targets}.values():
            preflight(delivery)
        self._couriers = [self._courier(number, target) for number, target in enumerate(self._targets)]
        for courier in self._couriers:
            courier.start()
        if self._couriers:
            self._keeper.start()
        if self._follower:
            self._follower.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        for courier in self._couriers:
            courier.join()
        if self._keeper.ident is not None:
            self._keeper.join()
        if self._follower:
            self._follower.join()
        if self._folder:
            self._folder.remove()

    def nudge(self) -> None:
        """Say that the journal may have grown."""
        for courier in self._couriers:
            courier.nudge()
        if self._follower:
            self._follower.nudge()

    def abandon(self) -> None:
        """Stop pushing now; what is not confirmed is sent another time. Safe in a signal handler."""
        # A thread of its own: the one a signal interrupts may hold a lock that is needed here.
        threading.Thread(target=self._end, name="abandon").start()

    def _end(self) -> None:
        self._stop.set()
        for courier in self._couriers:
            courier.end()

    def settle(self, tries: int | None = None) -> list[TargetState]:
        """Wait until every target is level or has failed `tries` pushes in a row (None: delivery.tries)."""
        asked = [(courier, courier.nudge()) for courier in self._couriers]
        for courier, number in asked:
            courier.wait_level(number, tries or courier.target.delivery.tries)
        if self._office.several:
            self._await_others(tries)
        return status(self._targets)

    def _await_others(self, tries: int | None) -> None:
        """Wait until what other hosts published has been sent, by them or from here."""
        end = clock.monotonic() + 4 * GRACE
        while not self._stop.wait(0.05) and clock.monotonic() < end:
            behind = {t.name for t in status(self._targets) if not t.level and not t.paused}
            if not [c for c in self._couriers if c.target.name in behind and c.failures < (tries or 1)]:
                return

    def _keep(self) -> None:
        try:
            while not self._stop.wait(_TEND):
                with db.tolerant():
                    paused = standing.paused()
                    for courier in self._couriers:
                        courier.tend(paused)
        finally:
            db.database.close()

    def _courier(self, number: int, target: Target) -> TargetLoop:
        channel = None
        if target.host:
            self._folder = self._folder or PrivateFolder(target.delivery)
            channel = Channel(target, self._folder.path, number)
        return TargetLoop(self._office, target, channel)


def run(config: Config, stop: threading.Event, wake: Wake, report: Report = silence) -> None:
    """Keep every target of the settings level until `stop` is set.

    Raises:
        DeliveryError: this host cannot push at all: rsync is missing or too old, no temporary folder.
    """
    with Couriers(everywhere(config), report, lambda: purge.ask(config), config=config) as couriers:
        while not stop.is_set():
            if wake.wait(0.5):
                couriers.nudge()


def status(chosen: Sequence[Target]) -> list[TargetState]:
    """Where each target stands."""
    return [cursors.state(target) for target in chosen]

"""Couriers: one for each target, in parallel, each bringing its own target up to the journal.

Guarantees that no target waits for another (a thread, a connection and a back-off of its own each), that a
cursor moves only after rsync said that all of a stretch arrived, and that everything started here is ended
with it: threads and their database connections, rsync and ssh processes, the private folder.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol, Self

from peewee import PeeweeException

from appliance import db
from appliance.config import Config
from appliance.delivery import cursors, journal, purge
from appliance.delivery.cursors import TargetState
from appliance.delivery.rsync import Push, Rsync, preflight
from appliance.delivery.ssh import Channel, PrivateFolder
from appliance.delivery.targets import Target, targets
from appliance.errors import ApplianceError, TargetBusy

#: Publications of one push: enough that rsync's start does not count, few enough to hold in memory.
STRETCH = 5000

#: Seconds: the first and the longest pause after failures, and how often an idle courier looks without being
#: woken.
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 60.0
IDLE = 30.0

#: Takes one line about a push, for people.
Report = Callable[[str], None]


def silence(line: str) -> None:
    """The report of those who do not want one."""


class Wake(Protocol):
    """Tells that the journal may have grown."""

    def wait(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds; True as soon as something was published."""


class Courier:
    """Brings one target level, and again whenever it is nudged."""

    def __init__(
        self,
        target: Target,
        channel: Channel | None,
        stop: threading.Event,
        report: Report,
        confirmed: Callable[[], object] = lambda: None,
    ) -> None:
        self.target = target
        #: Called inside each transaction that moves the cursor.
        self._confirmed = confirmed
        #: Failed pushes since the last that succeeded.
        self.failures = 0
        self._channel = channel
        self._rsync = Rsync(target, channel)
        #: A push before this one may have broken off, a predecessor's that was killed included.
        self._unsure = True
        self._stop = stop
        self._report = report
        self._nudged = threading.Event()
        self._changed = threading.Condition()
        self._asked = 0
        self._served = 0
        self._thread = threading.Thread(target=self._run, name=f"courier-{target.name}")

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def nudge(self) -> int:
        """Say that the journal may have grown; returns a number to `wait_level` for."""
        with self._changed:
            self._asked += 1
            asked = self._asked
        self._nudged.set()
        return asked

    def wait_level(self, asked: int, tries: int) -> None:
        """Wait until what was asked for has been seen to, or `tries` pushes in a row have failed."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._served >= asked or self.failures >= tries or not self._thread.is_alive()
            )

    def end(self) -> None:
        """End what is under way; the stop event is set already."""
        self._nudged.set()
        self._rsync.stop()

    def join(self) -> None:
        """Wait for the thread to end, and close the connection to the front end."""
        if self._thread.ident is not None:
            self._thread.join()
        if self._channel:
            self._channel.close()

    def level(self) -> None:
        """Push stretch after stretch until the target has confirmed the whole journal.

        Raises:
            DeliveryError: a push failed; what was confirmed before it stays so.
        """
        for origin in journal.origins():
            while not self._stop.is_set() and self._step(origin):
                pass
        self._unsure = False

    def _step(self, origin: str) -> bool:
        """Push one stretch; whether there was one."""
        cursor = cursors.read(self.target, origin)
        stretch = journal.latest_after(origin, cursor, STRETCH)
        if stretch.through == cursor:
            return False
        push = Push()
        if stretch.changes:
            try:
                push = self._rsync.push(stretch.changes, sweep=self._unsure)
            except (ApplianceError, OSError) as error:
                if not self._stop.is_set():
                    self._failed(origin, error, len(stretch.changes))
                raise
            self._report(_line(self.target, [c.path for c in stretch.changes], push))
        with db.write():
            cursors.confirm(
                self.target,
                origin,
                stretch.through,
                files=push.files + push.deleted,
                bytes=push.bytes,
                seconds=push.seconds,
            )
            self._confirmed()
        return True

    def _failed(self, origin: str, error: Exception, changes: int) -> None:
        self._unsure = True
        self._report(f"{self.target.name}: {changes} changes: failed: {error}")
        cursors.failed(self.target, origin, str(error))
        if self._channel and not isinstance(error, TargetBusy):
            self._channel.close()  # it may be what is broken, and a new one tells the reason

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._turn()
        finally:
            db.database.close()
            with self._changed:
                self._changed.notify_all()

    def _turn(self) -> None:
        self._nudged.clear()
        with self._changed:
            asked = self._asked
        try:
            self.level()
        except (ApplianceError, OSError, PeeweeException) as error:
            self._note(failures=self.failures + 1)
            if isinstance(error, PeeweeException):
                self._report(f"{self.target.name}: the database: {error}")
                db.disconnect()
            self._stop.wait(pause(self.failures))
            return
        self._note(failures=0, served=asked)
        if self._channel:
            with contextlib.suppress(ApplianceError, OSError):  # the push that needs it will say
                self._channel.warm()
        if self._nudged.wait(IDLE):
            self._stop.wait(self.target.delivery.gather)

    def _note(self, failures: int, served: int = 0) -> None:
        with self._changed:
            self.failures = failures
            self._served = max(self._served, served)
            self._changed.notify_all()


class Couriers:
    """All couriers of this host. A context manager: they run inside it, nothing of them is left after it."""

    def __init__(
        self, chosen: Sequence[Target], report: Report = silence, confirmed: Callable[[], object] = lambda: None
    ) -> None:
        self._targets = list(chosen)
        self._report = report
        self._confirmed = confirmed
        self._stop = threading.Event()
        self._folder: PrivateFolder | None = None
        self._couriers: list[Courier] = []

    def __enter__(self) -> Self:
        for delivery in {id(t.delivery): t.delivery for t in self._targets}.values():
            preflight(delivery)
        self._couriers = [self._courier(number, target) for number, target in enumerate(self._targets)]
        for courier in self._couriers:
            courier.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        for courier in self._couriers:
            courier.join()
        if self._folder:
            self._folder.remove()

    def nudge(self) -> None:
        """Say that the journal may have grown."""
        for courier in self._couriers:
            courier.nudge()

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
        return status(self._targets)

    def _courier(self, number: int, target: Target) -> Courier:
        channel = None
        if target.host:
            self._folder = self._folder or PrivateFolder(target.delivery)
            channel = Channel(target, self._folder.path, number)
        return Courier(target, channel, self._stop, self._report, self._confirmed)


def run(config: Config, stop: threading.Event, wake: Wake, report: Report = silence) -> None:
    """Keep every target of the settings level until `stop` is set.

    Raises:
        DeliveryError: this host cannot push at all: rsync is missing or too old, no temporary folder.
    """
    with Couriers(targets(config), report, lambda: purge.ask(config)) as couriers:
        while not stop.is_set():
            if wake.wait(0.5):
                couriers.nudge()


def status(chosen: Sequence[Target]) -> list[TargetState]:
    """Where each target stands."""
    return [cursors.state(target) for target in chosen]


def pause(failures: int) -> float:
    """Seconds to wait after so many failures in a row, with jitter: couriers do not come back all at once."""
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - 1, 30))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - not a secret


def _line(target: Target, paths: Sequence[str], push: Push) -> str:
    named = ", ".join(ascii(path)[1:-1] for path in paths[:3]) + (", …" if len(paths) > 3 else "")
    gone = f", {len(push.vanished)} left the docroot meanwhile" if push.vanished else ""
    return (
        f"{target.name}: {push.files} sent ({push.bytes} bytes), {push.deleted} removed{gone} "
        f"of {len(paths)} ({named}) in {push.seconds:.3f} s: ok"
    )

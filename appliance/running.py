"""The processes of a publishing host: workers, and a courier when there are targets.

`drain` runs them until nothing is left to do; `work` until it is told to stop. A worker that dies is started
again, and the jobs it held are freed at once.
"""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

from appliance import clock, db
from appliance.building import publish as publishing_kind
from appliance.building.docroot import Docroot
from appliance.config import Config
from appliance.delivery import courier, rsync
from appliance.delivery.cursors import TargetState
from appliance.delivery.targets import targets
from appliance.queue import store
from appliance.queue.supervisor import Supervisor, on_signals, orphaned
from appliance.queue.wakeup import DatabaseWake
from appliance.queue.worker import Worker

#: Seconds between two looks at how far a drain has come.
_LOOK = 0.05
COURIER = "courier"

#: Told now and then: jobs ended, jobs known of, targets that are behind.
Progress = Callable[[int, int, int], None]


def _no_progress(_done: int, _total: int, _behind: int) -> None:
    pass


@dataclass
class Drained:
    """How a drain ended."""

    done: int = 0
    #: (path, sentence) of jobs that are failed.
    failed: list[tuple[str, str]] = field(default_factory=list)
    targets: list[TargetState] = field(default_factory=list)
    stopped: bool = False
    #: Bytes of memory each process had at most, by name.
    peaks: dict[str, int] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0, or 1 when jobs are failed, 2 when a target lags, 130 when it was interrupted."""
        if self.stopped:
            return 130
        if self.failed:
            return 1
        return 0 if all(t.level for t in self.targets) else 2


def preflight(config: Config) -> None:
    """Check what the processes need before any is started.

    Raises:
        DocrootError, DeliveryError: it is not there.
    """
    Docroot.prepare(config).sweep()
    if config.targets:
        rsync.preflight(config.delivery)


def drain(
    config: Config, *, workers: int | None = None, limit: int | None = None,
    report: courier.Report = courier.silence, progress: Progress = _no_progress,
) -> Drained:  # fmt: skip
    """Work until nothing waits and every target is level or has failed its tries.

    Args:
        config: the installation, opened by the caller.
        workers: worker processes; those of the settings when None.
        limit: jobs to work on at most, all workers together.
        report: takes a line for each push.
        progress: told how far the queue has come.

    Raises:
        DocrootError, DeliveryError: nothing has been started.
    """
    preflight(config)
    rescue_dead(config)
    supervisor = Supervisor(
        _mains(config, workers or config.queue.workers, limit, report, lasting=False), _rescuer(config)
    )
    outcome = Drained()

    def interrupt() -> None:
        outcome.stopped = True
        supervisor.stop(signal.SIGINT)

    with on_signals(interrupt):
        supervisor.start()
        try:
            outcome.done = _until_empty(config, supervisor, progress, limited=limit is not None)
        finally:
            supervisor.stop(signal.SIGINT if outcome.stopped else signal.SIGTERM)
            while supervisor.tend():
                clock.sleep(0.002)
    outcome.peaks = supervisor.peaks
    outcome.failed = [(key, message) for _, key, message in store.failures()]
    outcome.targets = courier.status(targets(config))
    return outcome


def work(config: Config, *, workers: int | None = None, report: courier.Report = courier.silence) -> None:
    """Run workers and courier until SIGTERM or SIGINT.

    Raises:
        DocrootError, DeliveryError: nothing has been started.
    """
    preflight(config)
    rescue_dead(config)
    supervisor = Supervisor(
        _mains(config, workers or config.queue.workers, None, report, lasting=True), _rescuer(config)
    )
    with on_signals(supervisor.stop):
        supervisor.start()
        rescued = clock.monotonic()
        while supervisor.tend():
            if clock.monotonic() - rescued > 1.0:
                store.rescue(config.queue.retries)
                rescued = clock.monotonic()
            clock.sleep(0.02)


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


def _until_empty(config: Config, supervisor: Supervisor, progress: Progress, *, limited: bool) -> int:
    """Wait for the queue to be empty, or with a limit for the workers to have reached it; returns the jobs ended."""
    total, wake, rescued = store.outstanding(), DatabaseWake(), clock.monotonic()
    while supervisor.tend():
        left = store.outstanding()
        total = max(total, left)
        progress(total - left, total, 0)
        at_work = any(name != COURIER for name in supervisor.pids)
        if left == 0 or (limited and not at_work):
            return total - left
        if clock.monotonic() - rescued > 1.0:
            store.rescue(config.queue.retries)
            rescued = clock.monotonic()
        clock.sleep(_LOOK / 5)
        wake.wait(_LOOK)
    return total - store.outstanding()


def _rescuer(config: Config) -> Callable[[str, int], None]:
    def rescue(_name: str, process: int) -> None:
        store.rescue(config.queue.retries, worker=worker_name(config, process))

    return rescue


def worker_name(config: Config, process: int) -> str:
    """What a worker is called on the queue."""
    return f"{config.host_name}:{process}"


def _mains(
    config: Config, workers: int, limit: int | None, report: courier.Report, *, lasting: bool
) -> dict[str, Callable[[], int]]:
    mains: dict[str, Callable[[], int]] = {}
    for number in range(workers):
        share = None if limit is None else limit // workers + (number < limit % workers)
        if share != 0:
            mains[f"worker-{number + 1}"] = partial(_worker_main, config, share)
    if config.targets:
        mains[COURIER] = partial(_courier_main, config, report, settle=not lasting)
    return mains


def _worker_main(config: Config, limit: int | None) -> int:
    opened = db.open_database(config)
    kind = publishing_kind.kind(config, Docroot(config.docroot, config.staging_folder))
    worker = Worker(worker_name(config, os.getpid()), [kind], config.queue, DatabaseWake(), orphaned())
    worker.wake = DatabaseWake(worker.stopping)
    with on_signals(worker.stop):
        worker.run(limit)
    opened.close()
    return 0


def _courier_main(config: Config, report: courier.Report, *, settle: bool) -> int:
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

"""Work until nothing is left to do."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass, field

from appliance import clock
from appliance.config import Config
from appliance.delivery import courier
from appliance.delivery.cursors import TargetState
from appliance.delivery.targets import targets
from appliance.queue import store
from appliance.queue.supervisor import Supervisor, on_signals
from appliance.queue.wakeup import DatabaseWake
from appliance.running.host import preflight, rescue_dead, rescuer
from appliance.running.mains import COURIER, mains

#: Seconds between two looks at how far a drain has come.
_LOOK = 0.05

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
        mains(config, workers or config.queue.workers, limit, report, lasting=False), rescuer(config)
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

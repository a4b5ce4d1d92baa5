"""Work until nothing is left to do."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from appliance import clock, db
from appliance.config import Config
from appliance.delivery import courier, journal
from appliance.delivery.cursors import TargetState
from appliance.delivery.targets import everywhere
from appliance.errors import UploadElsewhere
from appliance.queue import processes, store
from appliance.queue.supervisor import Supervisor, on_signals
from appliance.queue.wakeup import DatabaseWake
from appliance.running.host import Upkeep, preflight
from appliance.running.mains import COURIER, WORKER, Shift, kinds_done, mains

#: Seconds between two looks at how far a drain has come.
_LOOK = 0.05

#: Seconds; a retry that is further off is left to another time.
_PATIENCE = 30.0

#: Jobs that only another publishing host can do wait with this error.
_ELSEWHERE = UploadElsewhere.__name__

#: Told now and then: jobs ended, jobs known of, targets that are behind.
Progress = Callable[[int, int, int], None]


def _no_progress(_done: int, _total: int, _behind: int) -> None:
    pass


@dataclass
class Drained:
    """How a drain ended."""

    done: int = 0
    #: Publications made meanwhile: files written, and deleted.
    changed: int = 0
    #: (path, sentence) of jobs that are failed.
    failed: list[tuple[str, str]] = field(default_factory=list)
    #: (path, sentence) of jobs that wait for another publishing host, which nobody saw at work.
    waiting: list[tuple[str, str]] = field(default_factory=list)
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
        limit: jobs to work on at most, all workers together; that of the settings when None.
        report: takes a line for each push.
        progress: told how far the queue has come.

    Raises:
        DocrootError, DeliveryError: nothing has been started.
    """
    shift = Shift(
        workers or config.queue.workers, limit or config.queue.limit or None, pushing="settling", report=report
    )
    outcome = _run(config, shift, progress)
    if config.caches and config.targets and shift.limit is None and not outcome.stopped:
        # What the couriers delivered last, the caches have yet to drop.
        outcome.done += _run(config, Shift(0, once=True), _no_progress).done
        outcome.failed = [(key, message) for _, key, message in store.failures()]
    outcome.targets = courier.status(everywhere(config))
    return outcome


def work_off(
    config: Config, *, workers: int | None = None, limit: int | None = None, progress: Progress = _no_progress
) -> Drained:
    """Work until no job is due, and wait neither for retries nor for targets: what cron or a timer runs now and then.

    Arguments and errors are those of `drain`.
    """
    shift = Shift(workers or config.queue.workers, limit or config.queue.limit or None, once=True)
    return _run(config, shift, progress)


def _run(config: Config, shift: Shift, progress: Progress) -> Drained:
    preflight(config)
    upkeep, outcome = Upkeep(config, "draining"), Drained()
    before = journal.newest(config.host_name)
    upkeep.begin()
    wake = DatabaseWake()

    def before_fork() -> None:
        wake.close()
        db.disconnect()

    shift = replace(shift, keeper=upkeep.presence.name)
    supervisor = Supervisor(mains(config, shift), upkeep.died, before_fork)

    def interrupt() -> None:
        outcome.stopped = True
        supervisor.stop(signal.SIGINT)

    with on_signals(interrupt):
        supervisor.start()
        try:
            outcome.done = _until_done(config, supervisor, upkeep, wake, progress, shift)
        finally:
            supervisor.stop(signal.SIGINT if outcome.stopped else signal.SIGTERM)
            while supervisor.tend():
                upkeep.tend(supervisor)
                clock.sleep(0.002)
            wake.close()
            upkeep.end()
    outcome.changed = journal.made_since(config.host_name, before)
    outcome.peaks = supervisor.peaks
    outcome.failed = [(key, message) for _, key, message in store.failures()]
    outcome.waiting = [(key, message) for _, key, message in store.held_up(_ELSEWHERE)]
    return outcome


def _until_done(
    config: Config, supervisor: Supervisor, upkeep: Upkeep, wake: DatabaseWake, progress: Progress, shift: Shift
) -> int:
    """Wait for the queue to be empty, or for the workers to have ended of their own; returns the jobs ended."""

    def left_to_do() -> int:
        besides = () if _others_work(config) else (_ELSEWHERE,)
        return store.outstanding(kinds, _PATIENCE, besides)

    kinds = kinds_done(config, shift)
    total = left = left_to_do()
    ending = shift.once or shift.limit is not None
    while supervisor.tend():
        upkeep.tend(supervisor)
        with db.tolerant():
            left = left_to_do()
            total = max(total, left)
            progress(total - left, total, 0)
            if (left == 0 and not shift.once) or (ending and supervisor.over(but=COURIER)):
                return total - left
        clock.sleep(_LOOK / 5)
        wake.wait(_LOOK)
    with db.tolerant():
        left = left_to_do()
    return total - left


def _others_work(config: Config) -> bool:
    """Whether workers of another publishing host are there, to do what only they can."""
    several = len(config.publishing_hosts) > 1
    return several and any(row.role == WORKER and row.host != config.host_name for row in processes.list())

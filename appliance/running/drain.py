"""Run all outstanding jobs, deliver the results to every target, and end."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from appliance import clock, db
from appliance.config import Config
from appliance.db.listener import CommitListener
from appliance.delivery import courier, journal, target_state
from appliance.delivery.target_state import TargetState
from appliance.delivery.targets import courier_targets
from appliance.errors import UploadElsewhere
from appliance.queue import processes, store
from appliance.queue.supervisor import Supervisor, handle_signals
from appliance.running.host import HostMaintenance, preflight
from appliance.running.process_mains import COURIER, WORKER, RunOptions, kind_names, main_functions

#: Seconds between two checks of the progress.
_LOOK = 0.05

#: A drain does not wait for retries that are due later than this many seconds from now.
_PATIENCE = 30.0

#: The error class of jobs that only another publishing host can do.
_ELSEWHERE = UploadElsewhere.__name__

#: Called regularly with the number of ended jobs, of all known jobs, and of targets that are behind.
Progress = Callable[[int, int, int], None]


def _no_progress(_done: int, _total: int, _behind: int) -> None:
    pass


@dataclass
class DrainResult:
    """The result of a drain."""

    jobs_done: int = 0
    #: The number of files that were published or deleted during the drain.
    publications: int = 0
    #: (path, error message) of failed jobs.
    failed: list[tuple[str, str]] = field(default_factory=list)
    #: (path, error message) of jobs that still wait because only another publishing host can do them.
    waiting: list[tuple[str, str]] = field(default_factory=list)
    targets: list[TargetState] = field(default_factory=list)
    interrupted: bool = False
    #: The peak memory of each process in bytes, by name.
    peak_memory: dict[str, int] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """The exit code: 0 for success, 1 if jobs failed, 2 if a target lags behind, 130 after an interruption."""
        if self.interrupted:
            return 130
        if self.failed:
            return 1
        return 0 if all(t.level for t in self.targets) else 2


def drain(
    config: Config, *, workers: int | None = None, limit: int | None = None,
    report: courier.Report = courier.no_report, progress: Progress = _no_progress,
) -> DrainResult:  # fmt: skip
    """Run jobs until none is waiting and every target is level or has used up its tries.

    Args:
        config: the installation, opened by the caller.
        workers: the number of worker processes; None uses the setting.
        limit: the largest number of jobs to run, over all workers; None uses the setting.
        report: called with one line for each push.
        progress: called with the progress of the queue.

    Raises:
        DocrootError, DeliveryError: the host is not ready. No process was started.
    """
    options = RunOptions(
        workers or config.queue.workers, limit or config.queue.limit or None, courier_mode="settling", report=report
    )
    outcome = _run(config, options, progress)
    still_due = (config.caches and config.targets) or config.webhooks
    if still_due and options.job_limit is None and not outcome.interrupted:
        # The last deliveries of the couriers enqueued cache purges and events, which are still to be dealt with.
        for helpers in (1, 0) if config.webhooks else (0,):
            outcome.jobs_done += _run(config, RunOptions(helpers, once=True), _no_progress).jobs_done
        outcome.failed = [(key, message) for _, key, message in store.recent_failures()]
    outcome.targets = target_state.read_all(courier_targets(config))
    return outcome


def run_due_jobs(
    config: Config, *, workers: int | None = None, limit: int | None = None, progress: Progress = _no_progress
) -> DrainResult:
    """Run jobs until none is due, without waiting for retries or targets. Meant for cron or a timer.

    The arguments and errors are those of `drain`.
    """
    options = RunOptions(workers or config.queue.workers, limit or config.queue.limit or None, once=True)
    return _run(config, options, progress)


def _run(config: Config, options: RunOptions, progress: Progress) -> DrainResult:
    preflight(config)
    maintenance, outcome = HostMaintenance(config, "draining"), DrainResult()
    before = journal.newest(config.host_name)
    maintenance.start()
    wake = CommitListener()

    def before_fork() -> None:
        wake.close()
        db.disconnect()

    options = replace(options, supervisor=maintenance.process.name)
    wanted = main_functions(config, options)
    supervisor = Supervisor(wanted, maintenance.record_exit, before_fork)

    def interrupt() -> None:
        outcome.interrupted = True
        supervisor.stop(signal.SIGINT)

    with handle_signals(interrupt):
        supervisor.start()
        try:
            outcome.jobs_done = _until_done(
                config, supervisor, maintenance, wake, progress, options, kind_names(wanted)
            )
        finally:
            supervisor.stop(signal.SIGINT if outcome.interrupted else signal.SIGTERM)
            while supervisor.supervise():
                maintenance.run_due(supervisor)
                clock.sleep(0.002)
            wake.close()
            maintenance.stop()
    outcome.publications = journal.count_after(config.host_name, before)
    outcome.peak_memory = supervisor.peak_memory
    outcome.failed = [(key, message) for _, key, message in store.recent_failures()]
    outcome.waiting = [(key, message) for _, key, message in store.waiting_after_error(_ELSEWHERE)]
    return outcome


def _until_done(
    config: Config,
    supervisor: Supervisor,
    maintenance: HostMaintenance,
    wake: CommitListener,
    progress: Progress,
    options: RunOptions,
    kinds: list[str],
) -> int:
    """Wait until the queue is empty or the workers have ended by themselves; returns the number of ended jobs."""

    def left_to_do() -> int:
        besides = () if _others_work(config) else (_ELSEWHERE,)
        return store.count_outstanding(kinds, _PATIENCE, besides)

    counting = _Counting(left_to_do)
    total = left = counting.read()
    ending = options.once or options.job_limit is not None
    while supervisor.supervise():
        maintenance.run_due(supervisor)
        with db.suppress_unavailable():
            left = counting.read(anew=ending and supervisor.all_finished(except_for=COURIER))
            total = max(total, left)
            progress(total - left, total, 0)
            if (left == 0 and not options.once) or (ending and supervisor.all_finished(except_for=COURIER)):
                return total - left
        clock.sleep(_LOOK / 5)
        wake.wait(_LOOK)
    with db.suppress_unavailable():
        left = left_to_do()
    return total - left


class _Counting:
    """Counts what is left, and takes at most a twentieth of the time for it: it takes the longer the more is left."""

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count
        self._left = 0
        self._due = clock.monotonic()

    def read(self, *, anew: bool = False) -> int:
        """The number as it was not long ago, or with `anew` as it is now."""
        began = clock.monotonic()
        if anew or began >= self._due:
            self._left = self._count()
            ended = clock.monotonic()
            self._due = ended + 20 * (ended - began)
        return self._left


def _others_work(config: Config) -> bool:
    """Whether workers of another publishing host are running, which can do the jobs that this host cannot."""
    several = len(config.publishing_hosts) > 1
    return several and any(row.role == WORKER and row.host != config.host_name for row in processes.list_processes())

"""The main functions of a publishing host's processes, by process name."""

from __future__ import annotations

import gc
import mmap
import struct
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from appliance import caches, db, publishing, pull_job, target_job
from appliance.accounts import mails
from appliance.building import comparison_job
from appliance.building import publish_job as publishing_kind
from appliance.config import Config
from appliance.db.listener import CommitListener
from appliance.delivery import courier
from appliance.delivery.targets import has_courier
from appliance.editorial import spam_job, spam_reports
from appliance.notifications import author_digest, comment_notifications, reply_mails
from appliance.previews import build_job
from appliance.queue import store
from appliance.queue.handlers import registry
from appliance.queue.heartbeat import Heartbeat
from appliance.queue.processes import RegisteredProcess
from appliance.queue.supervisor import EXIT_RECYCLE, handle_signals, make_orphan_check
from appliance.queue.worker import Worker
from appliance.running.admin_process import admin_process
from appliance.running.courier_process import courier_main
from appliance.running.intake_process import intake_main
from appliance.running.schedule_process import schedule_main
from appliance.running.web_process import web_process
from appliance.webhooks import deliveries, gathering, published_pages

WORKER, ERRANDS, COURIER, SCHEDULE = "worker", "errands", "courier", "schedule"
INTAKE, WEB, ADMIN = "intake", "web", "admin"

#: The parts of a host's work. Each part may have a supervisor of its own.
PARTS: Final = (WORKER, ERRANDS, COURIER, SCHEDULE, INTAKE, WEB, ADMIN)

#: The handlers of all job kinds. Importing their modules registers them.
KINDS = (
    publishing.enqueue_plan,
    publishing_kind.publish_kind,
    comment_notifications.send_notification,
    author_digest.send_digest,
    reply_mails.send_confirmation,
    reply_mails.send_reply,
    spam_job.check_comment,
    spam_reports.report_decision,
    caches.purge,
    deliveries.deliver,
    gathering.gather,
    pull_job.pull_source,
    target_job.check,
    target_job.verify,
    target_job.look,
    mails.send_link,
    mails.send_notice,
    build_job.build_preview,
    comparison_job.compare_file,
)

_NUMBER = struct.Struct("q")


@dataclass(frozen=True)
class RunOptions:
    """Which processes to start, and how they run."""

    #: The number of worker processes.
    workers: int
    #: The largest number of jobs to run, over all workers; None for no limit.
    job_limit: int | None = None
    #: Whether workers end when no job is due.
    once: bool = False
    #: A 'lasting' courier runs until told to stop; a 'settling' one then waits for its targets; None starts no courier.
    courier_mode: Literal["lasting", "settling"] | None = None
    report: courier.Report = courier.no_report
    #: The process name of the supervisor that starts them.
    supervisor: str = ""
    #: The parts to run.
    parts: Collection[str] = PARTS


class JobCounters:
    """The number of jobs that each worker has ended.

    The counters are in shared memory, so that the replacement of a worker continues its count.
    Only one process writes to each slot at a time.
    """

    def __init__(self, places: int) -> None:
        self._memory = mmap.mmap(-1, _NUMBER.size * max(1, places))

    def __getitem__(self, place: int) -> int:
        number: int = _NUMBER.unpack_from(self._memory, place * _NUMBER.size)[0]
        return number

    def add(self, place: int, jobs: int) -> None:
        """Add `jobs` to a counter."""
        _NUMBER.pack_into(self._memory, place * _NUMBER.size, self[place] + jobs)


def main_functions(config: Config, options: RunOptions) -> dict[str, Callable[[], int]]:
    """The main functions of the processes that `options` and the settings call for, by process name.

    The result is empty if the wanted parts have nothing to do on this host.
    """
    with db.suppress_unavailable():  # the housekeeping does the same later
        published_pages.begin(config)
    found: dict[str, Callable[[], int]] = {}
    counters = JobCounters(options.workers + 1)
    for number in range(options.workers if WORKER in options.parts else 0):
        share = (
            None
            if options.job_limit is None
            else options.job_limit // options.workers + (number < options.job_limit % options.workers)
        )
        if share != 0:
            found[f"worker-{number + 1}"] = partial(_worker_main, config, options, share, counters, number)
    if has_errands_worker(config, options):
        found[ERRANDS] = partial(_worker_main, config, options, None, counters, options.workers, slow=True)
    if options.courier_mode == "lasting" and SCHEDULE in options.parts:
        found[SCHEDULE] = partial(schedule_main, config, supervisor=options.supervisor)
    if config.web.path and options.courier_mode == "lasting" and INTAKE in options.parts:
        found[INTAKE] = partial(intake_main, config, supervisor=options.supervisor)
    if has_courier(config) and options.courier_mode and COURIER in options.parts:
        found[COURIER] = partial(
            courier_main,
            config,
            options.report,
            settle=options.courier_mode == "settling",
            supervisor=options.supervisor,
        )
    if options.courier_mode == "lasting" and WEB in options.parts and config.web.path and config.web.with_work:
        found[WEB] = web_process(config)
    if options.courier_mode == "lasting" and ADMIN in options.parts and config.admin.url and config.admin.with_work:
        found[ADMIN] = admin_process(config, supervisor=options.supervisor)
    return found


def has_errands_worker(config: Config, options: RunOptions) -> bool:
    """Whether to run an errands worker. It takes jobs that wait for other machines, so publishing need not.

    The settings say whether such jobs may come: people ask the admin application for checks of targets, for example.
    Jobs that wait from before the settings changed need a worker too.
    """
    sites_wait = any(site.sources or site.comments.spam_check == "akismet" for site in config.sites)
    if options.job_limit is not None or ERRANDS not in options.parts:
        return False
    called_for = config.mail.host or config.caches or config.webhooks or config.admin.url or sites_wait
    return bool(called_for) or _errands_wait()


def _errands_wait() -> bool:
    """Whether jobs wait that settings of before called for, and that no other worker would end."""
    waiting = 1  # while the database cannot say
    with db.suppress_unavailable():
        waiting = store.count_pending(registry.names(slow=True))
    return waiting > 0


def kind_names(started: Collection[str]) -> list[str]:
    """The names of the job kinds that the processes with these names run."""
    return registry.names() if ERRANDS in started else registry.names(slow=False)


def tune_collector() -> None:
    """Have the garbage collector look for circles more seldom in this process.

    Nearly all that a worker allocates is freed without it, and by default it took a tenth of a worker's time.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _worker_main(
    config: Config, options: RunOptions, share: int | None, counters: JobCounters, place: int, *, slow: bool = False
) -> int:
    """Run jobs until told to stop, or until this worker and the ones it replaced have ended `share` jobs."""
    opened = db.open_database(config)
    process = RegisteredProcess(ERRANDS if slow else WORKER, config.host_name, options.supervisor)
    process.register()
    kinds = registry.kinds(config, slow=slow)
    wake = CommitListener(lambda: worker.is_stopping())
    worker = Worker(process.name, kinds, config.queue, wake, make_orphan_check(), process)
    tune_collector()
    left = None if share is None else share - counters[place]
    with handle_signals(worker.stop), Heartbeat(worker.heartbeat, every=min(0.5, config.queue.lease / 6)):
        worker.run(left, once=options.once, on_batch_done=partial(counters.add, place))
    with db.suppress_unavailable():
        process.deregister()
    wake.close()
    opened.close()
    return EXIT_RECYCLE if worker.should_recycle and (share is None or counters[place] < share) else 0

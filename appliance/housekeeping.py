"""The periodic tasks of an installation.

- `scheduled` publishes and withdraws entries at their time.
- `rescue` frees the jobs of workers that vanished, plans sites that nobody planned, and catches up on cache purges.
- `measure` measures each minute and the lag of targets, `disk` the disks of each host.
- `webhooks` tells of targets that are behind, and level again.
- `search` reads the words of entries that no edit has read: imports, and sites that were never searched.
- `statistics` updates the statistics of SQLite's query planner. PostgreSQL does that itself.
- `prune` deletes rows that nobody needs any more, and what identifies readers once it is no longer kept.
- `previews` deletes previews when their last link expires.
- `audit` logs the head of the audit, so that it is known elsewhere too.
- `pull` enqueues the job that pulls a source.
- `verify` and `verify-bytes` compare the docroot of each host with what was published, `verify-targets` every target.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final

from appliance import audit, caches, db, logging, plan_job, publishing, pull_job
from appliance.building import comparisons
from appliance.building.verification import verify
from appliance.config import Config
from appliance.config.services import Interval
from appliance.content import changes
from appliance.delivery import journal, lag_history, repair
from appliance.delivery.targets import courier_targets
from appliance.editorial import decisions, senders
from appliance.history import disks, measuring
from appliance.importing import sources
from appliance.previews import pruning as preview_pruning
from appliance.queue import failure_groups, pruning, store
from appliance.queue.periodic import PeriodicTask, Schedule
from appliance.queue.recurrence import Every, rule_for
from appliance.webhooks import late_targets, outbox, published_pages, receipts

log = logging.get_logger("schedule")

_DAY = 86_400.0
#: What each task does, by the first word of its name.
_DOES: Final = {
    "scheduled": "publishes entries when their date comes, and withdraws those that expire",
    "rescue": "frees jobs of vanished workers, plans what nobody planned, enqueues missed purges",
    "measure": "measures the last minute and the lag of targets, for the charts",
    "disk": "looks how full the disks of the host are",
    "webhooks": "tells of targets that are behind, and level again",
    "search": "reads the words of entries that no edit has read",
    "statistics": "updates the statistics of SQLite's query planner",
    "prune": "deletes old jobs, publications, changes and what identifies readers",
    "accounts": "deletes sessions, links and failed sign-ins that are over",
    "comments": "deletes for good what moderators deleted more than a minute ago",
    "audit": "logs the head of the audit",
    "previews": "deletes previews whose last link has expired",
    "pull": "enqueues the pull of the source",
    "verify": "compares the docroot of the host with what was published, by size and time",
    "verify-bytes": "compares the docroot of the host with what was published, byte for byte",
    "verify-targets": "compares every file of every target with what was published, and repairs it",
}


def make_schedule(config: Config, stopping: Callable[[], bool] = lambda: False) -> Schedule:
    """The schedule of this installation's periodic tasks. Long tasks end early when `stopping` returns true."""
    return Schedule(periodic_tasks(config, stopping), f"{config.host_name}:{os.getpid()}")


def make_shown_schedule(config: Config) -> Schedule:
    """The schedule with the tasks of all publishing hosts: to be looked at and to ask for runs, never to be run."""
    own = periodic_tasks(config)
    others = [host.name for host in config.publishing_hosts if host.name != config.host_name]
    bound = [task for task in own if task.name.endswith(f" {config.host_name}")]
    theirs = [replace(task, name=f"{task.name.partition(' ')[0]} {host}") for host in others for task in bound]
    return Schedule([*own, *theirs], f"{config.host_name}:{os.getpid()}")


def describe(task: str) -> str:
    """What a periodic task does, in a few words; empty for one of another release."""
    return _DOES.get(task.partition(" ")[0], "")


def periodic_tasks(config: Config, stopping: Callable[[], bool] = lambda: False) -> list[PeriodicTask]:
    """The periodic tasks, in the order in which they run when several are due."""
    names, host, times = [site.name for site in config.sites], config.host_name, config.schedule
    checks = partial(_verify, config, False, stopping), partial(_verify, config, True, stopping)
    targets = partial(repair.verify_all, config, stopping)
    return [
        PeriodicTask("scheduled", partial(_scheduled, config), next_time=partial(publishing.next_due, names)),
        PeriodicTask("rescue", partial(_rescue, config), Every(60)),
        PeriodicTask("measure", partial(_measure, config, stopping), next_time=measuring.next_due),
        PeriodicTask(f"disk {host}", partial(_look_at_disks, config), Every(60)),
        *([PeriodicTask("webhooks", partial(late_targets.watch, config), Every(10))] if _watches(config) else []),
        *([_search_task(stopping)] if config.web.path else []),
        *([] if config.database_url else [PeriodicTask("statistics", _update_statistics, Every(600))]),
        *_at(config, times.prune, "prune", partial(_prune, config)),
        # More often, since strangers make some of these rows.
        *([PeriodicTask("accounts", _prune_accounts, Every(3600))] if config.admin.url else []),
        # Deleted comments can be brought back for a minute.
        PeriodicTask("comments", _prune_decisions, Every(60)),
        PeriodicTask("audit", _log_head, Every(3600)),
        *(
            [PeriodicTask("previews", _prune_previews, next_time=preview_pruning.next_due)]
            if config.admin.preview_url
            else []
        ),
        *(
            PeriodicTask(
                f"pull {one.site}/{one.name}", partial(pull_job.enqueue_pull, config, one), Every(one.settings.seconds)
            )
            for one in sources.find_sources(config)
            if one.settings.seconds
        ),
        # Each host has a docroot of its own to look after.
        *_at(config, times.verify, f"verify {host}", checks[0]),
        *_at(config, times.verify_bytes, f"verify-bytes {host}", checks[1]),
        *(_at(config, times.verify_targets, "verify-targets", targets) if courier_targets(config) else []),
    ]


def _at(config: Config, interval: Interval, name: str, run: Callable[[], str]) -> list[PeriodicTask]:
    found = rule_for(interval, config.schedule.at, config.schedule.timezone)
    return [PeriodicTask(name, run, found)] if found else []


def _watches(config: Config) -> bool:
    return bool(courier_targets(config)) and outbox.is_wanted(config, late_targets.BEHIND)


def _scheduled(config: Config) -> str:
    jobs = publishing.publish_due(config)
    return f"{jobs} jobs" if jobs else ""


def _rescue(config: Config) -> str:
    freed = store.rescue(config.queue.retries, lease=config.queue.lease)
    failure_groups.group_others()
    with db.write():
        caches.enqueue_purges(config)  # a cache or target that came to or left the settings is no event
        published_pages.enqueue_published(config)
    asked = plan_job.enqueue_forgotten(config, [site.name for site in config.sites])
    said = [f"{freed} jobs freed"] if freed else []
    said += [f"asked to plan {asked} sites"] if asked else []
    return ", ".join(said)


def _measure(config: Config, stopping: Callable[[], bool]) -> str:
    lag_history.sample(config)  # first, since minutes that were missed may take a while
    measuring.measure(config, stopping)
    return ""


def _look_at_disks(config: Config) -> str:
    disks.look(config)
    return ""


def _search_task(stopping: Callable[[], bool]) -> PeriodicTask:
    from appliance.search import index  # loads the stemmers, which an installation without a web process does not need

    def run() -> str:
        count = index.catch_up(stopping=stopping)
        return f"{count} entries read" if count else ""

    return PeriodicTask("search", run, next_time=index.next_due)


def _update_statistics() -> str:
    db.analyze()
    return ""


def _prune(config: Config) -> str:
    counts = {
        "jobs": pruning.prune(config.schedule.keep_jobs * _DAY),
        "publications": journal.prune(caches.confirmed_by_all(config)),
        "changes": changes.prune(config.schedule.keep_changes * _DAY),
        "webhook receipts": receipts.prune(),
        "previews": preview_pruning.prune(),
        "comparisons": comparisons.prune(),
        **senders.erase_due(config),
    }
    _audit(counts)
    return _removed(counts)


def _prune_decisions() -> str:
    return _removed({"decisions about comments": decisions.prune()})


def _prune_accounts() -> str:
    from appliance.accounts import pruning as accounts

    return _removed(accounts.prune())


def _removed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {what} removed" for what, number in counts.items() if number)


def _prune_previews() -> str:
    count = preview_pruning.prune()
    return f"{count} previews removed" if count else ""


def _audit(counts: Mapping[str, int]) -> None:
    """Record what was removed, if anything was."""
    if removed := {what: number for what, number in counts.items() if number}:
        audit.record("schedule.prune", "installation", after={"removed": removed})


def _log_head() -> str:
    """Have the log of this host hold the head of the audit, which then cannot be written anew unnoticed."""
    head = audit.read_head()
    if head.number:
        log.info("audit", number=head.number, digest=head.digest)
    return ""


def _verify(config: Config, contents: bool, stopping: Callable[[], bool]) -> str:
    found = verify(config, contents=contents, stopping=stopping)
    return f"{found.differing} of {found.checked} files differ and are published again" if found.differing else ""

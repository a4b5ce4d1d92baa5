"""The periodic tasks of an installation: what is done when its time comes, without anybody asking.

`scheduled` publishes and withdraws entries at their second; `rescue` frees the jobs of workers that vanished and
catches up on purges; `prune` removes rows nobody needs any more; `pull` asks for a source of a site; `verify` and
`verify-bytes` compare the docroot of each host with what was published, `verify-targets` every target.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

from appliance import db, publishing, pulling
from appliance.building.verification import verify
from appliance.config import Config
from appliance.config.services import Interval
from appliance.content import changes
from appliance.delivery import pruning as journal_pruning
from appliance.delivery import purge, repairing
from appliance.delivery.targets import everywhere
from appliance.importing import sources
from appliance.queue import pruning, store
from appliance.queue.schedule import Schedule, Task
from appliance.queue.times import Every, rule

_DAY = 86_400.0


def scheduler(config: Config, stopping: Callable[[], bool] = lambda: False) -> Schedule:
    """The periodic tasks of this installation as this process serves them; `stopping` ends those that take long."""
    return Schedule(tasks(config, stopping), f"{config.host_name}:{os.getpid()}")


def tasks(config: Config, stopping: Callable[[], bool] = lambda: False) -> list[Task]:
    """The periodic tasks in the order in which they are served when several are due."""
    names, host, times = [site.name for site in config.sites], config.host_name, config.schedule
    checks = partial(_verify, config, False, stopping), partial(_verify, config, True, stopping)
    targets = partial(repairing.verify_all, config, stopping)
    return [
        Task("scheduled", partial(_scheduled, config), moment=partial(publishing.next_due, names)),
        Task("rescue", partial(_rescue, config), Every(60)),
        *_at(config, times.prune, "prune", partial(_prune, config)),
        *(
            Task(f"pull {one.site}/{one.name}", partial(pulling.ask, config, one), Every(one.settings.seconds))
            for one in sources.find(config)
            if one.settings.seconds
        ),
        # Each host has a docroot of its own to look after.
        *_at(config, times.verify, f"verify {host}", checks[0]),
        *_at(config, times.verify_bytes, f"verify-bytes {host}", checks[1]),
        *(_at(config, times.verify_targets, "verify-targets", targets) if everywhere(config) else []),
    ]


def _at(config: Config, interval: Interval, name: str, run: Callable[[], str]) -> list[Task]:
    found = rule(interval, config.schedule.at, config.schedule.timezone)
    return [Task(name, run, found)] if found else []


def _scheduled(config: Config) -> str:
    jobs = publishing.publish_due(config)
    return f"{jobs} jobs" if jobs else ""


def _rescue(config: Config) -> str:
    freed = store.rescue(config.queue.retries)
    with db.write():
        purge.ask(config)  # a cache or target that came to or left the settings is no event
    return f"{freed} jobs freed" if freed else ""


def _prune(config: Config) -> str:
    counts = {
        "jobs": pruning.prune(config.schedule.keep_jobs * _DAY),
        "publications": journal_pruning.prune(config),
        "changes": changes.prune(config.schedule.keep_changes * _DAY),
    }
    return ", ".join(f"{number} {what} removed" for what, number in counts.items() if number)


def _verify(config: Config, contents: bool, stopping: Callable[[], bool]) -> str:
    found = verify(config, contents=contents, stopping=stopping)
    return f"{found.differing} of {found.checked} files differ and are published again" if found.differing else ""

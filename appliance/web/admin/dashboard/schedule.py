"""The schedule: periodic tasks with their last and next runs, sources with their last pulls, and either of them now.

People with a role on some sites see the sources of these; the tasks of the installation are for those with a role on
all sites.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from appliance import housekeeping, pull_job
from appliance.config import Config
from appliance.errors import ConfigError, QueueError
from appliance.importing import pull_history, sources
from appliance.importing.sources import SiteSource
from appliance.queue import periodic_history, processes
from appliance.queue.periodic import TaskOverview
from appliance.web.admin import guard
from appliance.web.admin.dashboard.schedule_rows import ShownSource, ShownTask, shown_sources, shown_tasks, summary
from appliance.web.admin.pages import shown_times
from appliance.web.admin.pages.layout import live_page, see
from appliance.web.admin.pages.own_addresses import own_address

_SCHEDULE: Final = "/schedule"


def add_routes(blueprint: Blueprint, config: Config) -> None:
    """Add the routes."""

    @guard.route(blueprint, _SCHEDULE, action="source.read")
    def show_schedule() -> Response:
        tasks = _tasks(config) if guard.principal().may("periodic.read") else []
        scheduled = any(row.role == "schedule" for row in processes.list_processes()) if tasks else True
        return live_page(
            "dashboard/schedule.html",
            {"schedule": "dashboard/_schedule.html"},
            tasks=tasks,
            summary=summary(tasks, shown_times.now(), is_run=scheduled) if tasks else None,
            sources=_sources(config, guard.allowed_sites("source.read"), tasks),
            may_run=guard.principal().may("periodic.run"),
        )

    @guard.route(blueprint, f"{_SCHEDULE}/task", action="periodic.read")
    def show_task() -> Response:
        name = request.args.get("name", "")
        task = next((each for each in _tasks(config) if each.name == name), None)
        if task is None:
            raise NotFound
        return live_page(
            "dashboard/task.html", {"runs": "dashboard/_runs.html"}, task=task, runs=periodic_history.read(name),
            may_run=guard.principal().may("periodic.run"),
        )  # fmt: skip

    @guard.route(blueprint, f"{_SCHEDULE}/run", action="periodic.run", methods=("POST",))
    def run_task() -> Response:
        try:
            housekeeping.make_shown_schedule(config).request_run(request.form.get("name", ""))
        except QueueError:
            return see(_SCHEDULE, "task-unknown")
        return see(own_address(request.form.get("back", ""), _SCHEDULE), "task-asked")

    @guard.route(blueprint, "/sites/<site:site>/sources/<source>", action="source.read")
    def show_source(site: str, source: str) -> Response:
        (shown,) = _shown(config, [_find(config, site, source)], [])
        return live_page(
            "dashboard/source.html",
            {"pulls": "dashboard/_pulls.html"},
            source=shown,
            pulls=pull_history.read(site, source),
        )

    @guard.route(blueprint, "/sites/<site:site>/sources/<source>/pull", action="source.pull", methods=("POST",))
    def pull_source(site: str, source: str) -> Response:
        pull_job.request_pull(config, _find(config, site, source))
        return see(f"/sites/{site}/sources/{source}", "pull-asked")


def _tasks(config: Config) -> list[ShownTask]:
    return shown_tasks(housekeeping.make_shown_schedule(config).overview(), housekeeping.describe)


def _sources(config: Config, sites: Sequence[str], tasks: Sequence[ShownTask]) -> list[ShownSource]:
    chosen = [one for one in sources.find_sources(config) if one.site in sites]
    return _shown(config, chosen, [task.overview for task in tasks])


def _shown(config: Config, chosen: Sequence[SiteSource], tasks: Sequence[TaskOverview]) -> list[ShownSource]:
    states = {(state.site, state.name): state for state in sources.source_states(config)}
    may_pull = {site for site in guard.sites() if guard.principal().may("source.pull", site)}
    due = {task.state.name: task.state.next_at for task in tasks}
    return shown_sources([states[one.site, one.name] for one in chosen], pull_job.open_pulls(chosen), due, may_pull)


def _find(config: Config, site: str, name: str) -> SiteSource:
    """Return a source of a site.

    Raises:
        NotFound: the site has no such source.
    """
    try:
        (found,) = sources.find_sources(config, [name], site)
    except ConfigError:
        raise NotFound from None
    return found

"""What can be done with one job from its page: the acts of the list of jobs, on one."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response

from appliance.config import Config
from appliance.queue import administration
from appliance.queue.administration import Acted, JobFilter
from appliance.web.admin import guard
from appliance.web.admin.dashboard.visible_jobs import find_job
from appliance.web.admin.pages.forms import Form
from appliance.web.admin.pages.layout import see

#: As the command and the API have it.
_LARGEST: Final = 9999


def add_routes(pages: Blueprint, config: Config) -> None:
    """Add the routes."""

    @guard.route(pages, "/jobs/<int:job>/retry", action="job.retry", methods=("POST",))
    def retry_job(job: int) -> Response:
        find_job(job, "job.retry")
        return _done(job, administration.retry(JobFilter(ids=[job])), "job-retried")

    @guard.route(pages, "/jobs/<int:job>/prioritise", action="job.prioritise", methods=("POST",))
    def prioritise_job(job: int) -> Response:
        find_job(job, "job.prioritise")
        text = Form.sent().text("priority")
        if not text.removeprefix("-").isdecimal() or abs(int(text)) > _LARGEST:
            return see(f"/jobs/{job}", "no-priority")
        acted = administration.prioritise(JobFilter(ids=[job]), int(text), ageing=config.queue.ageing)
        return _done(job, acted, "job-prioritised", same="pending")


def _done(job: int, acted: Acted, notice: str, same: str = "") -> Response:
    """Send back to the job, and say whether anything was done; an act may keep the state `same`."""
    changed = any(number for (old, new), number in acted.items() if old != new or old == same)
    return see(f"/jobs/{job}", notice if changed else "job-left")

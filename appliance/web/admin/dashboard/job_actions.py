"""What can be done with one job from its page: the acts of the list of jobs, on the job as the page showed it."""

from __future__ import annotations

from typing import get_args

from flask import Blueprint, Response

from appliance.config import Config
from appliance.queue import job_acts
from appliance.queue.administration import JobFilter
from appliance.queue.job_acts import Act
from appliance.web.admin import guard
from appliance.web.admin.dashboard.job_forms import form_number, priority_of, seen_jobs
from appliance.web.admin.dashboard.job_rights import RIGHTS
from appliance.web.admin.pages.forms import Form
from appliance.web.admin.pages.layout import see
from appliance.web.admin.pages.own_addresses import with_query
from appliance.web.admin.visible_jobs import find_job, limited


def add_routes(pages: Blueprint, config: Config) -> None:
    """Add the routes: each act has its own, since each needs its own right."""
    for act in get_args(Act):
        _add_act(pages, config, act)


def _add_act(pages: Blueprint, config: Config, act: Act) -> None:
    right = RIGHTS[act]

    @guard.route(pages, f"/jobs/<int:job>/{act}", action=right, methods=("POST",), endpoint=f"{act}_one_job")
    def act_on_job(job: int) -> Response:
        find_job(job, right)
        form = Form.sent()
        priority = priority_of(form) if act == "prioritise" else 0
        if not form.is_right:
            return see(f"/jobs/{job}", "no-priority")
        seen = [one for one in seen_jobs() if one.id == job]
        result = job_acts.act_on_seen(
            act, seen, limited(JobFilter(), right), limited(JobFilter(), "job.read"),
            form_number(act, str(priority), *map(str, seen)), priority=priority, ageing=config.queue.ageing,
        )  # fmt: skip
        return see(with_query(f"/jobs/{job}", act=str(result.id)))

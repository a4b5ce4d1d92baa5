"""Failed jobs grouped by what is wrong, and retrying all jobs of a group.

Guarantees that all jobs of a group are retried only after a question that says how many there are, and of these only
those that are as they were when it was asked (`job_acts`).
"""

from __future__ import annotations

import secrets

from flask import Blueprint, Response
from werkzeug.exceptions import NotFound

from appliance.config import Config
from appliance.errors import JobsChanged
from appliance.queue import failure_groups, job_acts
from appliance.queue.failure_groups import FailureGroup, jobs_of
from appliance.web.admin import guard
from appliance.web.admin.dashboard.act_sentences import told
from appliance.web.admin.dashboard.job_forms import form_number, question_of
from appliance.web.admin.dashboard.search_links import link_to_group
from appliance.web.admin.pages.forms import Form
from appliance.web.admin.pages.layout import live_page, page, see, wanted_region
from appliance.web.admin.pages.own_addresses import with_query
from appliance.web.admin.visible_jobs import is_visible, visible_scopes

_REGIONS = {"failures": "dashboard/_failures.html"}


def add_routes(pages: Blueprint, _config: Config) -> None:
    """Add the routes."""

    @guard.route(pages, "/failures", action="job.read")
    def failure_list() -> Response:
        groups, has_more = failure_groups.list_groups(visible_scopes("job.read"))
        return live_page(
            "dashboard/failures.html", _REGIONS, groups=groups, has_more=has_more, jobs_of=link_to_group,
            may_retry={group.scope: is_visible(group.scope, "job.retry") for group in groups},
            told=None if wanted_region() else told(),
        )  # fmt: skip

    @guard.route(pages, "/failures/<group>/retry", action="job.retry")
    def ask_to_retry(group: str) -> Response:
        found = _find(group)
        return _ask(found, Form()) if found else see("/failures", "group-gone")

    @guard.route(pages, "/failures/<group>/retry", action="job.retry", methods=("POST",))
    def retry_group(group: str) -> Response:
        found, form = _find(group), Form.sent()
        if found is None:
            return see("/failures", "group-gone")
        question = question_of(jobs_of(found), form)
        try:
            result = job_acts.act_on_all("retry", question, form_number("retry", group, str(question)))
        except JobsChanged as error:
            form.refuse("", f"{error}.")
            return _ask(found, form)
        return see(with_query("/failures", act=str(result.id)))


def _find(name: str) -> FailureGroup | None:
    """The group of this name, of a site on which the user may retry jobs; None if none of its jobs is failed any more.

    Raises:
        NotFound: it is of another site.
    """
    visible = visible_scopes("job.retry")
    group = failure_groups.find_group(name)
    if group and visible is not None and group.scope not in visible:
        raise NotFound
    return group


def _ask(group: FailureGroup, form: Form) -> Response:
    """The question: how many jobs there are, and what is done to them."""
    return page(
        "dashboard/retry_group.html", 200 if form.is_right else 409, group=group, form=form, jobs_of=link_to_group,
        question=job_acts.ask("retry", jobs_of(group)), form_number=secrets.token_urlsafe(12),
    )  # fmt: skip

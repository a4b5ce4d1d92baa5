"""Failed jobs grouped by what is wrong, and retrying all jobs of a group.

Guarantees that all jobs of a group are retried only after a question that says how many there are, and only if there
still are as many.
"""

from __future__ import annotations

from flask import Blueprint, Response
from werkzeug.exceptions import NotFound

from appliance.config import Config
from appliance.queue import administration, failure_groups
from appliance.queue.failure_groups import FailureGroup
from appliance.web.admin import guard
from appliance.web.admin.dashboard.search_links import link_to_group
from appliance.web.admin.dashboard.visible_jobs import is_visible, visible_scopes
from appliance.web.admin.pages.forms import Form
from appliance.web.admin.pages.layout import live_page, page, see

_REGIONS = {"failures": "dashboard/_failures.html"}


def add_routes(pages: Blueprint, _config: Config) -> None:
    """Add the routes."""

    @guard.route(pages, "/failures", action="job.read")
    def failure_list() -> Response:
        groups, has_more = failure_groups.list_groups(visible_scopes("job.read"))
        return live_page(
            "dashboard/failures.html", _REGIONS, groups=groups, has_more=has_more, jobs_of=link_to_group,
            may_retry={group.scope: is_visible(group.scope, "job.retry") for group in groups},
        )  # fmt: skip

    @guard.route(pages, "/failures/<group>/retry", action="job.retry")
    def ask_to_retry(group: str) -> Response:
        found = _find(group)
        return _question(found) if found else see("/failures", "group-gone")

    @guard.route(pages, "/failures/<group>/retry", action="job.retry", methods=("POST",))
    def retry_group(group: str) -> Response:
        found = _find(group)
        if found is None:
            return see("/failures", "group-gone")
        if Form.sent().text("expected") != str(failure_groups.count(found)):
            return _question(found, is_repeated=True)
        administration.retry(failure_groups.jobs_of(found))
        return see("/failures", "group-retried")


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


def _question(group: FailureGroup, *, is_repeated: bool = False) -> Response:
    return page(
        "dashboard/retry_group.html", 409 if is_repeated else 200, group=group, number=failure_groups.count(group),
        is_repeated=is_repeated, jobs_of=link_to_group,
    )  # fmt: skip

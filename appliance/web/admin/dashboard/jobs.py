"""The list of jobs: tabs by state, one line to search with, and pages in the orders of its columns."""

from __future__ import annotations

import secrets
from typing import Any, Final

from flask import Blueprint, Response, request

from appliance.config import Config
from appliance.paging import NONE, Count
from appliance.queue.administration import JobFilter, JobRow
from appliance.queue.failures import brief
from appliance.queue.job_acts import ACTED_ON, Act
from appliance.queue.job_pages import count_tabs, known_values, read_page
from appliance.queue.models import STATES, State
from appliance.queue.search_completion import complete
from appliance.web.admin import guard
from appliance.web.admin.dashboard.act_sentences import told
from appliance.web.admin.dashboard.job_forms import token_of
from appliance.web.admin.dashboard.job_rights import RIGHTS
from appliance.web.admin.dashboard.job_view import LIST, JobView
from appliance.web.admin.pages.forms import Form
from appliance.web.admin.pages.layout import live_page, page, wanted_region
from appliance.web.admin.visible_jobs import limited, visible_scopes

_REGIONS: Final = {"job-tabs": "dashboard/_job_tabs.html", "job-list": "dashboard/_jobs.html"}


def add_routes(pages: Blueprint, config: Config) -> None:
    """Add the routes."""

    @guard.route(pages, LIST, action="job.read")
    def list_jobs() -> Response:
        view, region = JobView.of(config, request.args), wanted_region()
        shown: dict[str, Any] = {"view": view, "search": view.search, "order": view.order}
        if region != "job-tabs":
            shown |= _rows(config, view)
        if region != "job-list":
            shown |= _tabs(view)
        if region not in _REGIONS:
            shown |= _frame(view)
        status = 422 if view.search.problems else 200
        return _with_status(live_page("dashboard/jobs.html", _REGIONS, **shown), status)

    @guard.route(pages, f"{LIST}/search-help", action="job.read")
    def search_help() -> Response:
        view = JobView.of(config, request.args)
        return page("dashboard/_search_help.html", search=view.search, completions=_completions())


def _with_status(response: Response, status: int) -> Response:
    if response.status_code == 200:
        response.status_code = status
    return response


def _rows(config: Config, view: JobView) -> dict[str, Any]:
    wanted = limited(view.search.filter, "job.read")
    found = read_page(wanted, view.order, after=view.after or None)
    allowed = {act: visible_scopes(action) for act, action in RIGHTS.items()}

    def may(act: Act, job: JobRow) -> bool:
        scopes = allowed[act]
        return job.state in ACTED_ON[act] and (scopes is None or job.scope in scopes)

    return {"page": found, "may": may, "token": token_of, "brief": brief, "has_sites": len(config.sites) > 1}


def _tabs(view: JobView) -> dict[str, Any]:
    counts = count_tabs(limited(view.search.in_any_state(), "job.read")) if not view.search.problems else {}
    total = sum(counts.values(), NONE)
    every: list[tuple[str, State | None, Count]] = [("All", None, total)]
    every += [(state.capitalize(), state, counts.get(state, NONE)) for state in STATES]
    named = view.search.filter.states
    tabs = [
        (view.address(q=view.search.in_state(state)), text, count, view.search.state == state and (state or not named))
        for text, state, count in every
    ]
    return {"tabs": tabs, "counts": counts}


def _frame(view: JobView) -> dict[str, Any]:
    form = Form({"q": view.search.text}, heading="This search cannot be read")
    for number, problem in enumerate(view.search.problems):
        form.refuse("q" if not number else f"q-{number}", problem)
    scopes = {act: visible_scopes(action) for act, action in RIGHTS.items()}
    return {
        "form": form,
        "form_number": secrets.token_urlsafe(12),
        "acts": [act for act, found in scopes.items() if (found is None or found) and _is_for(act, view.search.state)],
        "completions": _completions(),
        "told": told(),
    }


def _is_for(act: Act, state: State | None) -> bool:
    """Whether an act changes jobs in the state that is shown."""
    return state is None or state in ACTED_ON[act]


def _completions() -> list[str]:
    text, sites = request.args.get("q", "")[:300], guard.allowed_sites("job.read")
    return complete(text, sites, lambda: known_values(limited(JobFilter(), "job.read")))

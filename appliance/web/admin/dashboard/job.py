"""The page of a job: why it exists, how each attempt ended, what its file depends on and where that file is.

Guarantees that a poll of the page reads the job and its attempts alone; that stack traces and the lines of themes are
for those who may retry the job, as over the API; and that no template is rendered in a request: a worker builds what a
file is compared with (`comparisons`).
"""

from __future__ import annotations

import secrets
from typing import Any, Final

from flask import Blueprint, Response

from appliance.building import comparisons
from appliance.building.comparisons import COMPARE
from appliance.config import Config
from appliance.delivery.whereabouts import whereabouts
from appliance.editorial.causes import causes_of
from appliance.editorial.dependencies import find_file
from appliance.planning.plan import PUBLISH
from appliance.queue import administration
from appliance.queue.administration import JobDetails, JobFilter, TextFilter
from appliance.queue.failures import shortened
from appliance.web.admin import guard
from appliance.web.admin.dashboard import target_words
from appliance.web.admin.dashboard.act_sentences import told
from appliance.web.admin.dashboard.attempt_chart import attempt_chart
from appliance.web.admin.dashboard.job_forms import token_of
from appliance.web.admin.dashboard.search_links import search_link
from appliance.web.admin.pages.layout import live_page, see, wanted_region
from appliance.web.admin.pages.shown_times import now
from appliance.web.admin.visible_jobs import find_job, is_visible, limited

#: Things of one sort that are named; of more the page says that there are more.
_MOST: Final = 10
#: Triggers that are shown, the latest ones, and other jobs for the same key.
_TRIGGERS, _OTHERS = 20, 5
#: Kinds whose key is the path of a file.
_OF_FILES: Final = (PUBLISH, COMPARE)
_ACTIONS: Final = ("retry", "delete", "prioritise", "compare")
_REGIONS: Final = {"job": "dashboard/_job.html", "comparison": "dashboard/_comparison.html"}


def add_routes(pages: Blueprint, config: Config) -> None:
    """Add the routes."""

    @guard.route(pages, "/jobs/<int:job>", action="job.read")
    def job_page(job: int) -> Response:
        details = find_job(job, "job.read")
        scope = details.job.scope
        may = {name: is_visible(scope, f"job.{name}") for name in _ACTIONS}
        shown: dict[str, Any] = {
            "details": details, "job": details.job, "may": may, "token": token_of(details.job),
        }  # fmt: skip
        region = wanted_region()
        if region != "comparison":
            shown["failed"] = failed = next((one for one in reversed(details.attempts) if one.excerpt), None)
            shown["chart"] = attempt_chart(details.attempts, now())
            shown["wrong"] = shortened(
                details.job.error_message or "", details.job.key, failed.excerpt if failed else None
            )
        if region != "job" and may["compare"] and details.job.kind in _OF_FILES:
            shown["comparison"] = comparisons.find(details.job.key)
        if region not in _REGIONS:
            shown |= _rest(config, details)
        return live_page("dashboard/job.html", _REGIONS, **shown)

    @guard.route(pages, "/jobs/<int:job>/compare", action="job.compare", methods=("POST",))
    def compare_file(job: int) -> Response:
        found = find_job(job, "job.compare").job
        if found.kind not in _OF_FILES or found.scope not in guard.sites():
            return see(f"/jobs/{job}", "no-file")
        comparisons.request(config, found.scope, found.key)
        return see(f"/jobs/{job}", "compared")


def _rest(config: Config, details: JobDetails) -> dict[str, Any]:
    """What no poll asks for again: the causes, the file, where it is, and the other jobs for the same key."""
    job = details.job
    of_file, may_see_pages = job.kind in _OF_FILES, guard.principal().may("target.read")
    return {
        "told": told(),
        "form_number": secrets.token_urlsafe(12),
        "causes": causes_of(details.chain[-_TRIGGERS:]),
        "left_out": max(0, len(details.chain) - _TRIGGERS),
        "audit_of": _audit_address,
        "made_file": find_file(job.key, _MOST) if of_file else None,
        "most": _MOST,
        "where": whereabouts(config, job.key) if of_file and may_see_pages else None,
        "may_see_pages": may_see_pages,
        "words": target_words,
        "others": _others(details),
        "all_others": search_link(kind=job.kind, path=job.key),
    }


def _others(details: JobDetails) -> list[administration.JobRow]:
    """The newest other jobs for the same key that the user may see."""
    job = details.job
    wanted = JobFilter(kinds=[job.kind], keys=[TextFilter("equals", job.key)])
    found = administration.find(limited(wanted, "job.read"), "-id", _OTHERS + 1)
    return [other for other in found if other.id != job.id][:_OTHERS]


def _audit_address(number: int | None, site: str) -> str:
    """The address of a row of the audit; empty if there is none or the user may not read it."""
    if number is None:
        return ""
    if guard.principal().may("audit.read_all"):
        return f"/audit/{number}"
    return f"/sites/{site}/audit/{number}" if site in guard.allowed_sites("audit.read") else ""

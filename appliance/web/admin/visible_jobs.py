"""Which jobs a user may see and act on, by the site of each; those of no site are for roles on all sites."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from werkzeug.exceptions import Forbidden, NotFound

from appliance.queue import administration
from appliance.queue.administration import JobDetails, JobFilter
from appliance.web.admin import guard


def visible_scopes(action: str) -> Collection[str] | None:
    """Return the sites with whose jobs the user may do this; None for all jobs, those of no site among them."""
    allowed = guard.allowed_sites(action)
    return None if guard.principal().may(action, "") else allowed


def find_job(number: int, action: str) -> JobDetails:
    """Return a job with which the user may do this.

    Raises:
        NotFound: there is no such job, or the user may not see it, which looks the same.
        Forbidden: the user may see it and no more.
    """
    found = administration.show(number)
    if found is None or not is_visible(found.job.scope, "job.read"):
        raise NotFound
    if not is_visible(found.job.scope, action):
        raise Forbidden
    return found


def is_visible(scope: str, action: str) -> bool:
    """Return whether the user may do this with jobs of a site."""
    scopes = visible_scopes(action)
    return scopes is None or scope in scopes


def limited(wanted: JobFilter, action: str) -> JobFilter:
    """Return the filter of the jobs among those of another with which the user may do this."""
    scopes = visible_scopes(action)
    if scopes is None:
        return wanted
    allowed = [scope for scope in scopes if not wanted.scopes or scope in wanted.scopes]
    # Without any site a filter is for all of them.
    return replace(wanted, scopes=tuple(allowed)) if allowed else JobFilter(ids=())

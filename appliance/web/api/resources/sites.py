"""Sites: which there are, what they hold, and publishing them."""

from __future__ import annotations

from pydantic import Field

from appliance import publishing
from appliance.config import Config
from appliance.content.sites import find_site
from appliance.editorial import count_comments, count_entries
from appliance.paging import Counts
from appliance.queue import administration
from appliance.queue.administration import JobFilter
from appliance.web.admin import guard
from appliance.web.api.fields import CountOfRows, Rows, Sent, Shown
from appliance.web.api.operations import Answer, Call, operation
from appliance.web.api.resources.jobs import MOST_COUNTED


class Site(Shown):
    """A site."""

    name: str
    title: str
    url: str
    description: str
    language: str
    timezone: str
    theme: str


class SiteDetails(Site):
    """A site with how much it holds."""

    entries: dict[str, CountOfRows] = Field(description="Number of entries and pages by status.")
    comments: dict[str, CountOfRows] = Field(description="Number of comments by status.")
    jobs: dict[str, CountOfRows] = Field(description="Number of jobs by state, those that are over aside.")


class Publication(Sent):
    """What to publish."""

    rebuild: bool = Field(False, description="Build every file of the site again, not only what changed.")


class Requested(Shown):
    """What was asked for. A worker does it."""

    requested: bool
    detail: str = Field(description="A sentence that says what happens now.")


@operation("GET", "/sites", "site.read", answer=Rows[Site])
def list_sites(call: Call) -> Answer:
    """List the sites on which you have a role."""
    return Answer({"rows": [_site(call.config, name) for name in guard.allowed_sites("site.read")]})


@operation("GET", "/sites/{site}", "site.read", answer=SiteDetails)
def read_site(call: Call) -> Answer:
    """Return a site and how much it holds."""
    jobs = JobFilter(states=["pending", "running", "failed"], scopes=[call.site])
    return Answer(
        {
            **_site(call.config, call.site),
            "entries": _by_state(count_entries(call.config, [call.site])),
            "comments": _by_state(count_comments(call.config, [call.site], cap=MOST_COUNTED)),
            "jobs": _by_state(administration.count_jobs(jobs, reach=MOST_COUNTED)),
        }
    )


@operation("POST", "/sites/{site}/publish", "site.publish", body=Publication, answer=Requested, status=202)
def publish_site(call: Call) -> Answer:
    """Have a worker publish what changed on a site, or build all of it again.

    Changes are published by themselves; this is for a theme that changed, and to make sure.
    """
    publishing.request_publication(call.config, call.site, rebuild=call.body.rebuild)
    what = "every file of the site" if call.body.rebuild else "what changed"
    return Answer({"requested": True, "detail": f"A worker plans {what} now."})


def _site(config: Config, name: str) -> dict[str, object]:
    row = find_site(config, name)
    return {field: getattr(row, field) for field in Site.model_fields}


def _by_state(counts: Counts) -> dict[str, object]:
    return {state: {"number": count.number, "is_capped": count.is_capped} for state, count in counts.by_state().items()}

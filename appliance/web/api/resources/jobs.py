"""Jobs of a site: listed, explained, and retried, deleted or prioritised by a filter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field

from appliance import db
from appliance.queue import administration
from appliance.queue.administration import Acted, JobDetails, JobFilter, TextFilter
from appliance.queue.attempts import Attempt
from appliance.queue.models import State
from appliance.web.api.fields import CountOfRows, PageOf, PageQuery, Sent, Shown
from appliance.web.api.operations import Answer, Call, operation
from appliance.web.api.problems import NotThere, Problem

#: Jobs that are counted one by one of each part of the queue. A page of the API is not to wait for more.
MOST_COUNTED = 2_000
_KEYS = "A part of the key: for publishing, the path of the file. Case matters."


class Job(Shown):
    """A job. Times are seconds since the epoch, by the database's clock."""

    id: int
    kind: str
    key: str
    priority: int
    state: State
    outcome: str | None
    run_at: float
    created_at: float
    claimed_at: float | None
    finished_at: float | None
    worker: str | None
    attempt: int
    failures: int
    triggers: int
    reason: str
    error_class: str | None
    error_message: str | None
    template: str = Field(description="What the page is made with; empty for files and other kinds of jobs.")


class JobTrigger(Shown):
    """One reason for a job."""

    reason: str
    actor: str
    change_id: int | None
    first_at: float
    last_at: float
    times: int


class Excerpt(Shown):
    """The lines of a theme's file around a fault."""

    file: str = Field(description="The path below the theme's folder.")
    line: int = Field(description="The number of the line that failed.")
    first: int = Field(description="The number of the first of the lines.")
    lines: list[str]


class JobAttempt(Shown):
    """An attempt of a job, or several in a row that were put off by the same error."""

    number: int = Field(description="The number of the last one.")
    times: int
    worker: str
    due_at: float
    started_at: float
    ended_at: float | None
    result: Literal["running", "changed", "unchanged", "failed", "snoozed", "lost"]
    error_class: str
    error_message: str
    about: str = Field(description="What it failed on: for publishing, the template.")
    excerpt: Excerpt | None = Field(description="Null without the right to retry jobs.")


class FullJob(Job):
    """A job with why it exists."""

    trace: str | None = Field(description="The stack trace of the last error; null without the right to retry jobs.")
    chain: list[JobTrigger]
    attempts: list[JobAttempt] = Field(description="Those that failed, and the one that runs or succeeded.")


class JobSelection(Sent):
    """Which jobs of the site. All given conditions hold; one with several values holds for any of them."""

    id: list[int] = Field([], max_length=500)
    state: list[State] = Field([], max_length=10)
    kind: list[str] = Field([], max_length=50)
    worker: list[str] = Field([], max_length=50)
    key: str = Field("", max_length=1000, description=_KEYS)
    key_equals: str = Field("", max_length=1000)
    key_begins: str = Field("", max_length=1000)
    error: str = Field("", max_length=1000, description="A part of the error, `Class: message`.")
    older: float | None = Field(None, ge=0, le=1e9, description="At least so many seconds on the queue.")
    within: float | None = Field(None, ge=0, le=1e9, description="At most so many seconds on the queue.")

    def of_site(self, site: str) -> JobFilter:
        """The filter of jobs of a site."""
        keys = [("contains", self.key), ("equals", self.key_equals), ("begins", self.key_begins)]
        return JobFilter(
            ids=self.id or None, states=self.state, kinds=self.kind, scopes=[site], workers=self.worker,
            keys=[TextFilter(how, text) for how, text in keys if text],  # type: ignore[arg-type]
            errors=[TextFilter("contains", self.error)] if self.error else [], older=self.older, within=self.within,
        )  # fmt: skip

    def has_conditions(self) -> bool:
        """Whether it names any jobs rather than all."""
        return self != type(self)()


class JobQuery(JobSelection, PageQuery):
    """Which jobs of the site, and in which order."""

    order: Literal["queue", "-queue", "id", "-id", "path", "-path"] = Field(
        "queue", description="`queue` is what runs, what waits in the order of its turn, what failed, and the rest."
    )


class BulkAction(Sent):
    """An action on all jobs of the site that match a filter."""

    filter: JobSelection
    all: bool = Field(False, description="Whether a filter without conditions is meant: all jobs of the site.")
    dry_run: bool = Field(False, description="Only count what would be done.")
    expected: int | None = Field(
        None, ge=0, description="Do nothing unless so many jobs would change: the number of a dry run."
    )


class Priorities(BulkAction):
    """The new priority of all pending jobs that match a filter."""

    priority: int = Field(ge=-1000, le=1000, description="Higher is sooner.")


class StateChange(Shown):
    """How many jobs went from one state to another."""

    before: State
    after: State
    number: int


class BulkResult(Shown):
    """What was done, or would be."""

    dry_run: bool
    number: int = Field(description="Jobs that changed, or would.")
    jobs: list[StateChange] = Field(description="All that match. Those with two equal states were left alone.")


class JobCounts(Shown):
    """Numbers of jobs by state."""

    states: dict[str, CountOfRows]


_PATH = "/sites/{site}/jobs"


@operation("GET", _PATH, "job.read", query=JobQuery, answer=PageOf[Job])
def list_jobs(call: Call) -> Answer:
    """List the jobs of a site."""
    asked: JobQuery = call.query
    page = administration.list_jobs(
        asked.of_site(call.site), asked.order, size=asked.size, after=asked.after, with_total=asked.total,
        counted=MOST_COUNTED,
    )  # fmt: skip
    return Answer(page)


@operation("GET", f"{_PATH}/counts", "job.read", query=JobSelection, answer=JobCounts)
def count_jobs(call: Call) -> Answer:
    """Count the jobs of a site by state."""
    counts = administration.count_jobs(call.query.of_site(call.site), reach=MOST_COUNTED).by_state()
    return Answer({"states": {state: {"number": n.number, "is_capped": n.is_capped} for state, n in counts.items()}})


@operation("GET", f"{_PATH}/{{job}}", "job.read", answer=FullJob)
def read_job(call: Call) -> Answer:
    """Return a job, and why it exists."""
    found: JobDetails | None = administration.show(call.path["job"])
    if found is None or found.job.scope != call.site:
        raise NotThere(f"There is no job {call.path['job']} of the site {call.site}.")
    values = Job.model_validate(found.job).model_dump()
    trace = found.trace if call.may("job.retry") else None
    attempts = shown_attempts(found, call.may("job.retry"))
    return Answer({**values, "trace": trace, "chain": found.chain, "attempts": attempts})


def shown_attempts(details: JobDetails, with_excerpts: bool) -> list[Attempt]:
    """Return the attempts of a job, with the lines of themes for those who may see them."""
    return details.attempts if with_excerpts else [replace(one, excerpt=None) for one in details.attempts]


@operation("POST", f"{_PATH}/retry", "job.retry", body=BulkAction, answer=BulkResult, is_transaction=False)
def retry_jobs(call: Call) -> Answer:
    """Retry the failed jobs that match a filter, as if for the first time."""
    chosen = _chosen(call)
    return _result(call, chosen, ("failed",)) or _act(call, lambda: administration.retry(chosen))


@operation("POST", f"{_PATH}/delete", "job.delete", body=BulkAction, answer=BulkResult, is_transaction=False)
def delete_jobs(call: Call) -> Answer:
    """Cancel the jobs that match a filter, if they wait or have failed."""
    chosen = _chosen(call)
    return _result(call, chosen, ("pending", "failed")) or _act(call, lambda: administration.delete(chosen))


@operation("POST", f"{_PATH}/prioritise", "job.prioritise", body=Priorities, answer=BulkResult, is_transaction=False)
def prioritise_jobs(call: Call) -> Answer:
    """Change the priority of the pending jobs that match a filter."""
    chosen, ageing = _chosen(call), call.config.queue.ageing
    return _result(call, chosen, ("pending",)) or _act(
        call, lambda: administration.prioritise(chosen, call.body.priority, ageing=ageing), ("pending",)
    )


def _chosen(call: Call) -> JobFilter:
    body: BulkAction = call.body
    if not body.filter.has_conditions() and not body.all:
        raise Problem(422, "The filter has no conditions; give some, or say “all” if all jobs are meant.", "invalid")
    return body.filter.of_site(call.site)


def require_expected(expected: int | None, number: int) -> None:
    """Check that as many jobs change as the caller expects. Call it in the transaction that changes them.

    Raises:
        Problem: more or fewer do, since others act on the queue as well.
    """
    if expected not in (None, number):
        raise Problem(
            409, f"{number} jobs would change and not {expected}, so nothing was done.", "other-number", number=number
        )


def _result(call: Call, chosen: JobFilter, states: tuple[State, ...]) -> Answer | None:
    """The answer of a dry run; None if it is to be done."""
    if not call.body.dry_run:
        return None
    found = administration.count(chosen)
    rows = [{"before": state, "after": state, "number": number} for state, number in sorted(found.items()) if number]
    number = sum(found[state] for state in states)
    require_expected(call.body.expected, number)
    return Answer({"dry_run": True, "number": number, "jobs": rows})


def _act(call: Call, act: Callable[[], Acted], same: tuple[State, ...] = ()) -> Answer:
    """Act in one transaction, which is rolled back if other than the expected number of jobs change."""
    with db.write():
        answer = _done(act(), same)
        require_expected(call.body.expected, answer.value["number"])
    return answer


def _done(acted: Acted, same: tuple[State, ...] = ()) -> Answer:
    """The answer of what was done. An action keeps the state of jobs that were in one of `same`."""
    rows: list[dict[str, Any]] = [
        {"before": before, "after": after, "number": number} for (before, after), number in sorted(acted.items())
    ]
    changed = sum(row["number"] for row in rows if row["before"] != row["after"] or row["before"] in same)
    return Answer({"dry_run": False, "number": changed, "jobs": rows})

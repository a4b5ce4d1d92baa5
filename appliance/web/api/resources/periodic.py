"""Periodic tasks: when each is due, and running one now."""

from __future__ import annotations

from pydantic import Field

from appliance import housekeeping
from appliance.web.api.fields import Rows, Sent, Shown
from appliance.web.api.operations import Answer, Call, found, operation


class PeriodicTask(Shown):
    """A periodic task. Times are seconds since the epoch."""

    name: str
    due_at: float | None = Field(description="The due time that was served last.")
    done_at: float | None
    host: str
    error: str | None
    next_at: float | None


class PeriodicTasks(Rows[PeriodicTask]):
    """The periodic tasks."""

    timezone: str = Field(description="The time zone of the schedule.")


class PeriodicRun(Shown):
    """A run of a periodic task, or several in a row with the same result. Times are seconds since the epoch."""

    first_at: float = Field(description="When the first of them began.")
    started_at: float = Field(description="When the last of them began.")
    ended_at: float
    host: str = Field(description="Host and process id of the process that ran the last of them.")
    times: int
    did: str = Field(description="What it did; empty if there was nothing to do, or if it failed.")
    error: str = Field(description="Why it failed; empty if it did not.")


class TaskName(Sent):
    """Which task."""

    name: str = Field(min_length=1, max_length=200)


@operation("GET", "/periodic", "periodic.read", answer=PeriodicTasks)
def list_periodic_tasks(call: Call) -> Answer:
    """List the periodic tasks, and when each was and is due."""
    schedule = housekeeping.make_schedule(call.config)
    return Answer({"rows": schedule.states(), "timezone": call.config.schedule.timezone})


@operation("GET", "/periodic/runs", "periodic.read", query=TaskName, answer=Rows[PeriodicRun])
def list_periodic_runs(call: Call) -> Answer:
    """List the last runs of a periodic task, the newest first."""
    schedule = housekeeping.make_shown_schedule(call.config)
    return Answer({"rows": found(lambda: schedule.runs_of(call.query.name))})


@operation("POST", "/periodic/run", "periodic.run", body=TaskName, status=202)
def run_periodic_task(call: Call) -> Answer:
    """Have a publishing host run a periodic task now."""
    schedule = housekeeping.make_schedule(call.config)
    found(lambda: schedule.request_run(call.body.name))
    return Answer()

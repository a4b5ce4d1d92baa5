"""The job: one row of work.

A state is one of

    pending ──claim──► running ──finish──► done (changed or unchanged)
       ▲                  │
       └──retry/release───┼──► failed        no retry is left, or none can help
                          └──► superseded    it failed while a newer request for the same key waited
    pending ──delete──► cancelled

Two partial unique indexes hold the fold: at most one job of a (kind, key) is pending and at most one runs.
"""

from __future__ import annotations

from typing import Final, Literal

from peewee import (
    SQL,
    BigAutoField,
    BigIntegerField,
    CompositeKey,
    DoubleField,
    ForeignKeyField,
    IntegerField,
    TextField,
)

from appliance.db import Table

State = Literal["pending", "running", "done", "failed", "superseded", "cancelled"]
STATES: Final = ("pending", "running", "done", "failed", "superseded", "cancelled")

#: What enqueuing did: a new row; the priority of the waiting row raised; folded into it; or one more row that
#: waits for the running one to end.
Answer = Literal["added", "raised", "coalesced", "follow-up"]
ANSWERS: Final = ("added", "raised", "coalesced", "follow-up")


class Job(Table):
    """One row of work. Times are seconds since the epoch on the database's clock."""

    id = BigAutoField()
    kind = TextField()
    #: What the job is about; two requests with one (kind, key) are the same work. For publishing: the
    #: artifact's path.
    key = TextField()
    #: A name to filter by; for publishing the site's.
    scope = TextField(default="")
    priority = IntegerField(default=0)
    #: Order of claiming, lowest first: created_at less `ageing` seconds for each step of priority.
    rank = DoubleField()
    state = TextField(default="pending")
    #: 'changed' or 'unchanged' once done.
    outcome = TextField(null=True)
    #: Seconds that must lie between the end of one run of the key and the beginning of the next; 0 for none.
    every = DoubleField(default=0)
    run_at = DoubleField()
    created_at = DoubleField()
    claimed_at = DoubleField(null=True)
    finished_at = DoubleField(null=True)
    worker = TextField(null=True)
    #: The fence: counts claims, so (id, attempt) names one run.
    attempt = IntegerField(default=0)
    #: Runs that failed or were lost; a released run does not count.
    failures = IntegerField(default=0)
    lease_until = DoubleField(null=True)
    #: How many requests were folded into this row, itself included.
    triggers = IntegerField(default=1)
    #: Why the job exists: the latest request in words; all of them are in `JobTrigger`.
    reason = TextField(default="")
    #: What enqueuing last did to this row; see `Answer`.
    answer = TextField(default="added")
    payload = TextField(null=True)
    error_class = TextField(null=True)
    error_message = TextField(null=True)
    error_trace = TextField(null=True)


Job.add_index(Job.index(Job.kind, Job.key, unique=True, name="job_one_pending", where=SQL("state = 'pending'")))
Job.add_index(Job.index(Job.kind, Job.key, unique=True, name="job_one_running", where=SQL("state = 'running'")))
Job.add_index(Job.index(Job.kind, Job.key, name="job_failed", where=SQL("state = 'failed'")))
Job.add_index(Job.index(Job.rank, Job.id, name="job_order", where=SQL("state = 'pending'")))
Job.add_index(Job.index(Job.run_at, name="job_held_back", where=SQL("state = 'pending' AND every > 0")))
# Partial, lest a planner prefer it to job_order when it looks for pending jobs.
Job.add_index(Job.index(Job.state, Job.finished_at, name="job_ended", where=SQL("state NOT IN ('pending', 'running')")))


class JobTrigger(Table):
    """Why a job exists: what was asked for, by whom, the latest change that did, when first and last, how often."""

    job = ForeignKeyField(Job, backref="chain", on_delete="CASCADE")
    reason = TextField()
    actor = TextField()
    change_id = BigIntegerField(null=True)
    first_at = DoubleField()
    last_at = DoubleField()
    times = IntegerField(default=1)

    class Meta:
        """One row for what the same person did again."""

        primary_key = CompositeKey("job", "reason", "actor")


class Throttle(Table):
    """Until when a key that has a least interval between two runs may not run."""

    kind = TextField()
    key = TextField()
    until = DoubleField()

    class Meta:
        """One row a key."""

        primary_key = CompositeKey("kind", "key")


class Process(Table):
    """A process of ours that beats in the database; people see it and may ask it to pause or be replaced."""

    #: Host and process id: `pub1:4711`; the name under which a worker holds jobs.
    name = TextField(primary_key=True)
    host = TextField()
    pid = IntegerField()
    #: 'worker', 'errands', 'courier', 'schedule', 'supervisor'.
    role = TextField()
    #: The name of the supervisor that keeps it; empty for a supervisor.
    keeper = TextField(default="")
    #: What it is doing, in words.
    doing = TextField(default="")
    #: Bytes.
    memory = BigIntegerField(default=0)
    #: Jobs ended since it started.
    jobs = BigIntegerField(default=0)
    started_at = DoubleField()
    beat_at = DoubleField()
    #: 'pause' or 'recycle' when somebody asked for it.
    request = TextField(null=True)


class Periodic(Table):
    """A periodic task: when it last was due and done, by whom."""

    name = TextField(primary_key=True)
    #: The due time that was served last; the next one follows from the schedule, not from when it ran.
    due_at = DoubleField()
    done_at = DoubleField(null=True)
    #: Host and process id of who served it last.
    host = TextField(default="")
    #: Until when a run goes on unless renewed; null between runs.
    lease_until = DoubleField(null=True)
    #: Why the last run failed; null when it did not.
    error = TextField(null=True)

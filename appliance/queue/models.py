"""The tables of the queue: jobs, why they were enqueued, throttled keys, processes and periodic tasks.

The package's docstring has the diagram of a job's states. Two partial unique indexes enforce that at most one job of
a (kind, key) is pending and at most one is running.
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

from appliance.db import BaseModel

State = Literal["pending", "running", "done", "failed", "superseded", "cancelled"]
STATES: Final[tuple[State, ...]] = ("pending", "running", "done", "failed", "superseded", "cancelled")

#: States of jobs that have ended for good. Such jobs are pruned after a while; failed ones are not.
OVER: Final[tuple[State, ...]] = ("done", "superseded", "cancelled")

#: The result of enqueueing one key: a new job; a pending job whose priority was raised; a pending job that absorbed
#: the request; or a follow-up of the running job.
EnqueueResult = Literal["added", "raised", "coalesced", "follow-up"]
ANSWERS: Final = ("added", "raised", "coalesced", "follow-up")


class Job(BaseModel):
    """A job. Times are seconds since the epoch on the database's clock."""

    id = BigAutoField()
    kind = TextField()
    #: The subject of the job. Requests with the same (kind, key) are the same work. For publishing, the artifact's
    #: path.
    key = TextField()
    #: A name to filter by. For publishing, the site's name.
    scope = TextField(default="")
    #: What the result is made with, another name to filter by. For publishing, the template; empty where there is none.
    template = TextField(default="", constraints=[SQL("DEFAULT ''")])
    priority = IntegerField(default=0)
    #: Jobs are claimed in this order, lowest first: created_at minus `ageing` seconds for each step of priority.
    rank = DoubleField()
    state = TextField(default="pending")
    #: 'changed' or 'unchanged' when the state is done.
    outcome = TextField(null=True)
    #: Least number of seconds between the end of one run of the key and the start of the next; 0 for no limit.
    every = DoubleField(default=0)
    run_at = DoubleField()
    created_at = DoubleField()
    claimed_at = DoubleField(null=True)
    finished_at = DoubleField(null=True)
    worker = TextField(null=True)
    #: The number of claims so far. (id, attempt) identifies one run and is the fence.
    attempt = IntegerField(default=0)
    #: Runs that failed or lost their lease. Released runs do not count.
    failures = IntegerField(default=0)
    lease_until = DoubleField(null=True)
    #: Number of requests that this job stands for, the first included.
    triggers = IntegerField(default=1)
    #: The latest reason for the job, in words. All reasons are in `JobTrigger`.
    reason = TextField(default="")
    #: The latest `EnqueueResult` for this job.
    answer = TextField(default="added")
    payload = TextField(null=True)
    error_class = TextField(null=True)
    error_message = TextField(null=True)
    error_trace = TextField(null=True)
    #: The group of failures that the last error belongs to; see `failure_groups`.
    fault = TextField(null=True)
    #: The reasons that it shares with other jobs that were enqueued with it; null when it has only its own.
    trigger_set = BigIntegerField(null=True)


Job.add_index(Job.index(Job.kind, Job.key, unique=True, name="job_one_pending", where=SQL("state = 'pending'")))
Job.add_index(Job.index(Job.kind, Job.key, unique=True, name="job_one_running", where=SQL("state = 'running'")))
Job.add_index(Job.index(Job.kind, Job.key, name="job_failed", where=SQL("state = 'failed'")))
Job.add_index(Job.index(Job.rank, Job.id, name="job_order", where=SQL("state = 'pending'")))
# The waiting jobs of some sites, and of all sites by their priority.
Job.add_index(Job.index(Job.scope, Job.priority, Job.rank, Job.id, name="job_waiting", where=SQL("state = 'pending'")))
Job.add_index(Job.index(Job.run_at, name="job_held_back", where=SQL("state = 'pending' AND every > 0")))
# Frequent queries have partial indexes of their own. A statement must repeat the condition of the index literally.
Job.add_index(Job.index(Job.lease_until, name="job_lease", where=SQL("state = 'running'")))
Job.add_index(Job.index(Job.worker, name="job_holder", where=SQL("state = 'running'")))
Job.add_index(Job.index(Job.finished_at, Job.id, name="job_failed_at", where=SQL("state = 'failed'")))
Job.add_index(Job.index(Job.fault, Job.finished_at, Job.id, name="job_fault", where=SQL("state = 'failed'")))
_OVER = SQL("state IN ('done', 'superseded', 'cancelled')")
Job.add_index(Job.index(Job.finished_at, Job.id, name="job_over", where=_OVER))
# Lists and counts of those that are over, by kind, scope and state. The state is not the first: of a condition on it
# alone SQLite would think that this index serves it best.
Job.add_index(Job.index(Job.kind, Job.scope, Job.state, Job.finished_at, Job.id, name="job_over_group", where=_OVER))
Job.add_index(Job.index(Job.state, name="job_undone", where=SQL("state IN ('superseded', 'cancelled')")))
Job.add_index(Job.index(Job.key, Job.id, name="job_key"))
# Jobs that wait for a later time: retries and throttled keys.
Job.add_index(Job.index(Job.run_at, name="job_later", where=SQL("state = 'pending' AND run_at > created_at")))
# Finds out whether any job is left of a set of triggers.
Job.add_index(Job.index(Job.trigger_set, name="job_trigger_set", where=SQL("trigger_set IS NOT NULL")))


class JobTrigger(BaseModel):
    """A reason why a job was enqueued: what happened, who did it, when first and last, and how often.

    What many jobs were enqueued for at once is in `SharedTrigger`, once for all of them.
    """

    job = ForeignKeyField(Job, backref="chain", on_delete="CASCADE")
    reason = TextField()
    actor = TextField()
    change_id = BigIntegerField(null=True)
    first_at = DoubleField()
    last_at = DoubleField()
    times = IntegerField(default=1)

    class Meta:
        """A repeated action of the same actor updates one row."""

        primary_key = CompositeKey("job", "reason", "actor")


class TriggerSet(BaseModel):
    """The reasons for which many jobs were enqueued at once. Removed some time after the last of these jobs."""

    id = BigAutoField()
    at = DoubleField(index=True)


class SharedTrigger(BaseModel):
    """One reason of a set. Its time is that at which each job was created."""

    trigger_set = ForeignKeyField(TriggerSet, backref="triggers", on_delete="CASCADE", index=False)
    reason = TextField()
    actor = TextField()
    change_id = BigIntegerField(null=True)
    times = IntegerField(default=1)

    class Meta:
        """A reason and an actor are there once in a set."""

        primary_key = CompositeKey("trigger_set", "reason", "actor")


#: How an attempt without success ended: with an error; with one that is no fault of the job, such as a docroot that is
#: away; or with its worker, which vanished.
BadEnd = Literal["failed", "snoozed", "lost"]


class JobAttempt(BaseModel):
    """An attempt that ended without success. The attempt that runs, or that succeeded, is in the row of its job."""

    job = ForeignKeyField(Job, backref="attempts", on_delete="CASCADE")
    #: The number of the attempt; the last one if the row stands for several.
    number = IntegerField()
    #: Snoozed attempts in a row with the same error share a row.
    times = IntegerField(default=1)
    worker = TextField()
    #: When it was due, began and ended; the first two are those of the first attempt of the row.
    due_at = DoubleField()
    started_at = DoubleField()
    ended_at = DoubleField()
    #: A `BadEnd`.
    result = TextField()
    error_class = TextField()
    #: Shortened.
    error_message = TextField()
    #: What the job failed on: for publishing, the template.
    about = TextField(default="")
    #: The lines of a file around the fault, as JSON; see `errors.SourceExcerpt`.
    excerpt = TextField(null=True)

    class Meta:
        """An attempt is found by its job and its number."""

        primary_key = CompositeKey("job", "number")


class JobAct(BaseModel):
    """What a person did to some jobs at once, in the browser: kept for a while, to be told and to be undone."""

    id = BigAutoField()
    #: 'delete', 'retry', 'run' or 'prioritise'.
    act = TextField()
    #: The name of who did it.
    actor = TextField()
    at = DoubleField()
    #: The number of the form that asked for it: a form that is sent twice acts once.
    form = TextField(unique=True)
    #: Jobs that it changed.
    number = IntegerField(default=0)
    #: JSON object with what else there is to tell about it: see `job_acts.Result`.
    result = TextField(default="{}")
    #: When a deletion was undone.
    undone_at = DoubleField(null=True)


class ActedJob(BaseModel):
    """A job that an act changed, as it was before."""

    act = ForeignKeyField(JobAct, backref="jobs", on_delete="CASCADE", index=False)
    job = BigIntegerField(index=True)
    state = TextField()
    finished_at = DoubleField(null=True)

    class Meta:
        """One row for each job of an act."""

        primary_key = CompositeKey("act", "job")


class Throttle(BaseModel):
    """The earliest next run of a key that has a minimum interval between runs."""

    kind = TextField()
    key = TextField()
    until = DoubleField()
    #: When `until` was set; null in rows of an older release.
    since = DoubleField(null=True)

    class Meta:
        """One row for each key."""

        primary_key = CompositeKey("kind", "key")


Throttle.add_index(Throttle.index(Throttle.since, name="throttle_since"))


class Process(BaseModel):
    """A registered process. It sends heartbeats, and people may ask it to pause or to be recycled."""

    #: Host and process id, such as `pub1:4711`. Workers claim jobs under this name.
    name = TextField(primary_key=True)
    host = TextField()
    pid = IntegerField()
    #: 'worker', 'errands', 'courier', 'schedule', 'supervisor'.
    role = TextField()
    #: The name of its supervisor; empty for a supervisor.
    keeper = TextField(default="")
    #: Its current activity, in words.
    doing = TextField(default="")
    #: Bytes.
    memory = BigIntegerField(default=0)
    #: Jobs that ended since it started.
    jobs = BigIntegerField(default=0)
    started_at = DoubleField()
    beat_at = DoubleField()
    #: 'pause' or 'recycle' while somebody's request is open.
    request = TextField(null=True)


class Periodic(BaseModel):
    """A periodic task: when it was last due and last done, and by which host."""

    name = TextField(primary_key=True)
    #: The due time that was served last. The next one follows from the schedule, not from the time of the run.
    due_at = DoubleField()
    done_at = DoubleField(null=True)
    #: Host and process id of the process that served it last.
    host = TextField(default="")
    #: When the lease of the current run ends unless it is renewed; null between runs.
    lease_until = DoubleField(null=True)
    #: The error of the last run; null if it succeeded.
    error = TextField(null=True)

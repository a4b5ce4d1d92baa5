"""A generic job queue in the database. It knows kinds, keys and attempts, and nothing of publishing.

A job is a row of work with a kind, a key (what the work is about) and a state:

    pending ──claim──► running ──complete──► done (changed or unchanged)
       ▲                  │
       └──retry/release───┼──► failed        no retry is left, or the error cannot be retried
                          └──► superseded    the run failed while a newer job for the same key was pending
    pending ──delete──► cancelled

**Enqueueing folds.** For one (kind, key) at most one job is pending and at most one is running; two partial unique
indexes enforce it. Enqueueing a key that is pending coalesces into that job. Enqueueing a key that is running adds
one follow-up, because the run may have read the data before the change.

**Claims are fenced.** A claim hands out the job's id, an attempt number and a lease on the database's clock.
Heartbeats, effects and completion name that pair, so a worker that lost its lease changes nothing.

**Nothing stays claimed.** A worker's heartbeat renews its leases. When a lease runs out, or a worker is known to be
dead, `store.rescue` makes its jobs pending again, and counts a failure so that a job which kills workers ends.

The modules: `enqueue` adds jobs, `store` holds the state machine, `handlers` maps kinds to functions, `worker` runs
them, `supervisor` keeps worker processes alive, `periodic` runs tasks by the clock, `processes` lists what is running,
and `administration` lists and changes jobs for people.
"""

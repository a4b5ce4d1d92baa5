"""Indexes for what is asked of the queue all the time, so that it does not depend on how many jobs are over."""

_INDEXES = {
    "job_lease": ("lease_until", "state = 'running'"),
    "job_holder": ("worker", "state = 'running'"),
    "job_failed_at": ("finished_at", "state = 'failed'"),
    "job_over": ("finished_at", "state IN ('done', 'superseded', 'cancelled')"),
    "job_undone": ("state", "state IN ('superseded', 'cancelled')"),
    "job_key": ("key", ""),
}


def up(migrator, db):
    for name, (column, condition) in _INDEXES.items():
        where = f" WHERE {condition}" if condition else ""
        db.execute_sql(f'CREATE INDEX "{name}" ON "job" ("{column}"){where}')
    db.execute_sql('DROP INDEX "job_ended"')

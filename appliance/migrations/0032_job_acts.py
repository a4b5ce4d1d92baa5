"""What people did to jobs, so that a deletion can be undone; the template of a job; and the waiting jobs of a site.

The release before goes on: it enqueues jobs without a template, and does not know the tables.
"""

from peewee import (
    BigAutoField,
    BigIntegerField,
    CompositeKey,
    DoubleField,
    ForeignKeyField,
    IntegerField,
    Model,
    TextField,
)


class JobAct(Model):
    id = BigAutoField()
    act = TextField()
    actor = TextField()
    at = DoubleField()
    form = TextField(unique=True)
    number = IntegerField()
    result = TextField()
    undone_at = DoubleField(null=True)

    class Meta:
        legacy_table_names = False


class ActedJob(Model):
    act = ForeignKeyField(JobAct, on_delete="CASCADE", index=False)
    job = BigIntegerField(index=True)
    state = TextField()
    finished_at = DoubleField(null=True)

    class Meta:
        legacy_table_names = False
        primary_key = CompositeKey("act", "job")


MODELS = [JobAct, ActedJob]


def up(migrator, db):
    with db.bind_ctx(MODELS):
        db.create_tables(MODELS)
    db.execute_sql("ALTER TABLE job ADD COLUMN template TEXT NOT NULL DEFAULT ''")
    # Of jobs that are over nobody asks any more what they were made with.
    db.execute_sql(
        """UPDATE job SET template = COALESCE((SELECT a.template FROM artifact a
               WHERE a.path = job.key AND a.type NOT IN ('static', 'thumbnail')), '')
           WHERE kind = 'publish' AND state IN ('pending', 'running', 'failed')"""
    )
    db.execute_sql('CREATE INDEX "job_waiting" ON "job" ("scope", "priority", "rank", "id") WHERE state = \'pending\'')

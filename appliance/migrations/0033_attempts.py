"""Attempts that ended without success, groups of failures, and files compared with what would be built now.

The release before goes on: it knows neither of the tables, and leaves the new column of jobs empty.
"""

from peewee import SQL, BigAutoField, CompositeKey, DoubleField, ForeignKeyField, IntegerField, Model, TextField


class Table(Model):
    class Meta:
        legacy_table_names = False


class Job(Table):
    id = BigAutoField()
    state = TextField()
    finished_at = DoubleField(null=True)
    fault = TextField(null=True)


Job.add_index(Job.index(Job.fault, Job.finished_at, Job.id, name="job_fault", where=SQL("state = 'failed'")))


class JobAttempt(Table):
    job = ForeignKeyField(Job, on_delete="CASCADE")
    number = IntegerField()
    times = IntegerField()
    worker = TextField()
    due_at = DoubleField()
    started_at = DoubleField()
    ended_at = DoubleField()
    result = TextField()
    error_class = TextField()
    error_message = TextField()
    about = TextField()
    excerpt = TextField(null=True)

    class Meta:
        primary_key = CompositeKey("job", "number")


class Comparison(Table):
    path = TextField(primary_key=True)
    requested_at = DoubleField()
    built_at = DoubleField(null=True)
    host = TextField()
    result = TextField()
    message = TextField()
    published_size = IntegerField(null=True)
    built_size = IntegerField(null=True)
    lines = TextField(null=True)
    excerpt = TextField(null=True)


def up(migrator, db):
    migrator.migrate(migrator.add_column("job", "fault", TextField(null=True)))
    with db.bind_ctx([Job]):
        Job._schema.create_indexes()
    with db.bind_ctx([JobAttempt, Comparison, Job]):
        db.create_tables([JobAttempt, Comparison])

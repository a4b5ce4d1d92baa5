"""Reasons that many jobs share: one row for what one change asks of all of them.

The release before goes on: jobs that it enqueues have reasons of their own, and of those that share theirs it shows
the latest.
"""

from peewee import (
    SQL,
    BigAutoField,
    BigIntegerField,
    CompositeKey,
    DoubleField,
    ForeignKeyField,
    IntegerField,
    Model,
    TextField,
)


class Table(Model):
    class Meta:
        legacy_table_names = False


class Job(Table):
    id = BigAutoField()
    trigger_set = BigIntegerField(null=True)


Job.add_index(Job.index(Job.trigger_set, name="job_trigger_set", where=SQL("trigger_set IS NOT NULL")))


class TriggerSet(Table):
    id = BigAutoField()
    at = DoubleField(index=True)


class SharedTrigger(Table):
    trigger_set = ForeignKeyField(TriggerSet, on_delete="CASCADE", index=False)
    reason = TextField()
    actor = TextField()
    change_id = BigIntegerField(null=True)
    times = IntegerField()

    class Meta:
        primary_key = CompositeKey("trigger_set", "reason", "actor")


def up(migrator, db):
    migrator.migrate(migrator.add_column("job", "trigger_set", BigIntegerField(null=True)))
    with db.bind_ctx([Job, TriggerSet, SharedTrigger]):
        Job._schema.create_indexes()
        db.create_tables([TriggerSet, SharedTrigger])

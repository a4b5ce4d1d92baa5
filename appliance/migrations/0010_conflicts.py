"""Numbers of names several entries have, what a planning left out, what waits for its time, when throttles were set."""

from peewee import SQL, BigAutoField, DoubleField, Model, TextField


class Job(Model):
    id = BigAutoField()
    state = TextField()
    run_at = DoubleField()
    created_at = DoubleField()

    class Meta:
        legacy_table_names = False


Job.add_index(Job.index(Job.run_at, name="job_later", where=SQL("state = 'pending' AND run_at > created_at")))


class Throttle(Model):
    since = DoubleField(null=True)

    class Meta:
        legacy_table_names = False


Throttle.add_index(Throttle.index(Throttle.since, name="throttle_since"))


def up(migrator, db):
    migrator.migrate(
        migrator.add_column("entry", "numbers", TextField(null=True)),
        migrator.add_column("throttle", "since", DoubleField(null=True)),
        migrator.add_column("planned", "faults", TextField(null=True)),
    )
    with db.bind_ctx([Job, Throttle]):
        Job._schema.create_indexes()
        Throttle._schema.create_indexes()

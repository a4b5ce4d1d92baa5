"""The last runs of each periodic task. The release before goes on: it does not know the table."""

from peewee import AutoField, DoubleField, IntegerField, Model, TextField


class Table(Model):
    class Meta:
        legacy_table_names = False


class PeriodicRun(Table):
    id = AutoField()
    task = TextField()
    first_at = DoubleField()
    started_at = DoubleField()
    ended_at = DoubleField()
    host = TextField()
    times = IntegerField()
    did = TextField()
    error = TextField()

    class Meta:
        indexes = ((("task", "id"), False),)


def up(migrator, db):
    with db.bind_ctx([PeriodicRun]):
        db.create_tables([PeriodicRun])

"""Who may write to a target, what was asked of it and found there, and how a host's pushes to it fare."""

from peewee import BigIntegerField, BooleanField, DoubleField, IntegerField, Model, TextField


class Table(Model):
    class Meta:
        legacy_table_names = False


class Lease(Table):
    target = TextField(primary_key=True)
    holder = TextField()
    number = BigIntegerField()
    until = DoubleField()


class Standing(Table):
    target = TextField(primary_key=True)
    paused = BooleanField(default=False)
    repair_at = DoubleField(null=True)
    allow_removals = BooleanField(default=False)
    verified_at = DoubleField(null=True)
    differing = IntegerField(null=True)
    extra = IntegerField(null=True)


def up(migrator, db):
    migrator.migrate(
        migrator.add_column("cursor", "failures", IntegerField(default=0)),
        migrator.add_column("cursor", "retry_at", DoubleField(null=True)),
    )
    with db.bind_ctx([Lease, Standing]):
        db.create_tables([Lease, Standing])

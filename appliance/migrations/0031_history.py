"""Measurements by minute, the disks of hosts, and what they are made from: when cursors moved, and the job of each
publication. The release before goes on: it writes publications without a job, and knows nothing of the tables."""

from peewee import BigIntegerField, CompositeKey, DoubleField, IntegerField, Model, PostgresqlDatabase, TextField


class Table(Model):
    class Meta:
        legacy_table_names = False


class Confirmation(Table):
    target = TextField()
    origin = TextField()
    after = BigIntegerField()
    publication = BigIntegerField()
    at = DoubleField()

    class Meta:
        indexes = ((("target", "at"), False),)


class MeasuredMinute(Table):
    at = BigIntegerField()
    site = TextField()
    done = IntegerField()
    unchanged = IntegerField()
    published = IntegerField()
    failed = IntegerField()
    pending = IntegerField(null=True)
    to_published = TextField()
    to_everywhere = TextField()
    overall = TextField()

    class Meta:
        primary_key = CompositeKey("at", "site")


class MeasuredOrigin(Table):
    origin = TextField(primary_key=True)
    publication = BigIntegerField()


class DiskUsage(Table):
    host = TextField()
    holds = TextField()
    total = BigIntegerField(null=True)
    free = BigIntegerField(null=True)
    used = BigIntegerField(null=True)
    fault = TextField(null=True)
    at = DoubleField()

    class Meta:
        primary_key = CompositeKey("host", "holds")


MODELS = [Confirmation, MeasuredMinute, MeasuredOrigin, DiskUsage]


def up(migrator, db):
    with db.bind_ctx(MODELS):
        db.create_tables(MODELS)
    kind = "BIGINT" if isinstance(db, PostgresqlDatabase) else "INTEGER"
    db.execute_sql(f'ALTER TABLE "publication" ADD COLUMN "job" {kind}')

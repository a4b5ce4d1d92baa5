"""What pulls of sources did, and the settings of each host. The release before goes on: it does not know the tables."""

from peewee import AutoField, DoubleField, ForeignKeyField, IntegerField, Model, TextField


class Table(Model):
    class Meta:
        legacy_table_names = False


class Source(Table):
    id = AutoField()


class SourcePull(Table):
    id = AutoField()
    source = ForeignKeyField(Source, on_delete="CASCADE")
    first_at = DoubleField()
    started_at = DoubleField()
    ended_at = DoubleField()
    times = IntegerField()
    outcome = TextField()
    revision = TextField()
    error = TextField()
    report = TextField()


class SettingsReport(Table):
    process = TextField(primary_key=True)
    host = TextField()
    file = TextField()
    checked_at = DoubleField()
    report = TextField()


MODELS = [SourcePull, SettingsReport]


def up(migrator, db):
    with db.bind_ctx([Source, *MODELS]):
        db.create_tables(MODELS)

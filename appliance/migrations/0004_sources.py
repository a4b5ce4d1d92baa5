"""Where each source of a site stands."""

from peewee import AutoField, BigIntegerField, BooleanField, ForeignKeyField, Model, TextField


class Table(Model):
    class Meta:
        legacy_table_names = False


class Site(Table):
    pass


class Source(Table):
    id = AutoField()
    site = ForeignKeyField(Site, on_delete="CASCADE")
    name = TextField()
    revision = TextField()
    place = TextField()
    pulled_at = BigIntegerField(null=True)
    tried_at = BigIntegerField(null=True)
    outcome = TextField()
    error = TextField(null=True)
    unfinished = BooleanField()

    class Meta:
        indexes = ((("site", "name"), True),)


def up(migrator, db):
    with db.bind_ctx([Site, Source]):
        db.create_tables([Source])

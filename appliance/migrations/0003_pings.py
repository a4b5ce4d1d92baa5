"""TrackBack pings that came with an import."""

from peewee import BigIntegerField, ForeignKeyField, Model, TextField


class Table(Model):
    class Meta:
        legacy_table_names = False


class Entry(Table):
    pass


class Ping(Table):
    entry = ForeignKeyField(Entry, on_delete="CASCADE")
    title = TextField()
    url = TextField()
    blog_name = TextField()
    ip = TextField()
    text = TextField()
    at = BigIntegerField()


def up(migrator, db):
    with db.bind_ctx([Entry, Ping]):
        db.create_tables([Ping])

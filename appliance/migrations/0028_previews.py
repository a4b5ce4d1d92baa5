"""Links to previews, and the files of each preview. The release before goes on: it knows nothing of the new tables.

An entry that it deletes takes its preview along.
"""

from peewee import (
    AutoField,
    BigIntegerField,
    BlobField,
    CompositeKey,
    DoubleField,
    ForeignKeyField,
    Model,
    TextField,
)


class Table(Model):
    class Meta:
        legacy_table_names = False


class Site(Table):
    id = AutoField()


class Entry(Table):
    id = AutoField()


class Preview(Table):
    entry = ForeignKeyField(Entry, primary_key=True, on_delete="CASCADE")
    site = ForeignKeyField(Site, on_delete="CASCADE")
    requested = BigIntegerField()
    built = BigIntegerField()
    built_at = DoubleField(null=True)
    page = TextField()
    fault = TextField()
    left_out = TextField()


class PreviewLink(Table):
    id = AutoField()
    digest = TextField(unique=True)
    entry = ForeignKeyField(Entry, on_delete="CASCADE")
    site = ForeignKeyField(Site, on_delete="CASCADE")
    created_by = TextField()
    created_at = DoubleField()
    expires_at = DoubleField()
    revoked_at = DoubleField(null=True)
    revoked_by = TextField()
    seen_at = DoubleField(null=True)


class PreviewContent(Table):
    digest = TextField(primary_key=True)
    content = BlobField()
    kept_at = DoubleField()


class PreviewFile(Table):
    preview = ForeignKeyField(Preview, on_delete="CASCADE")
    path = TextField()
    digest = ForeignKeyField(PreviewContent, column_name="digest", on_delete="RESTRICT")

    class Meta:
        primary_key = CompositeKey("preview", "path")


MODELS = [Preview, PreviewLink, PreviewContent, PreviewFile]


def up(migrator, db):
    with db.bind_ctx(MODELS):
        db.create_tables(MODELS)

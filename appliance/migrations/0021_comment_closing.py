"""The age at which entries of a site take no more comments, and which entries have reached it.

The release before goes on: it does not know the table.
"""

from peewee import BigIntegerField, ForeignKeyField, IntegerField, Model


class Site(Model):
    id = IntegerField(primary_key=True)

    class Meta:
        table_name = "site"


class CommentClosing(Model):
    site = ForeignKeyField(Site, primary_key=True, on_delete="CASCADE")
    days = BigIntegerField()
    until = BigIntegerField()

    class Meta:
        table_name = "comment_closing"


MODELS = [CommentClosing]


def up(migrator, db):
    with db.bind_ctx(MODELS):
        db.create_tables(MODELS)

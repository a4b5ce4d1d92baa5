"""Which entries were sanitised, and the answers that repeated requests to the API get.

The release before goes on: the column may be empty, and it does not know the table. What it saves of a sanitised entry
keeps the mark; if it renders the text anew meanwhile, that is not sanitised, as nothing was then.
"""

from peewee import AutoField, BlobField, BooleanField, DoubleField, IntegerField, Model, TextField


class RequestKey(Model):
    id = AutoField()
    user = IntegerField(column_name="user_id")
    key = TextField()
    digest = TextField()
    claimed_at = DoubleField()
    status = IntegerField(null=True)
    headers = TextField(null=True)
    body = BlobField(null=True)

    class Meta:
        table_name = "request_key"
        legacy_table_names = False
        indexes = ((("user", "key"), True),)


RequestKey.add_index(RequestKey.index(RequestKey.claimed_at, name="request_key_claimed_at"))

MODELS = [RequestKey]


def up(migrator, db):
    migrator.migrate(migrator.add_column("entry", "sanitised", BooleanField(null=True)))
    with db.bind_ctx(MODELS):
        db.create_tables(MODELS)

"""Versions that workers took before they put files in place. The release before goes on: it does not know the table."""

from peewee import BigIntegerField, Model, TextField


class Reservation(Model):
    path = TextField(primary_key=True)
    version = BigIntegerField()


MODELS = [Reservation]


def up(migrator, db):
    with db.bind_ctx(MODELS):
        db.create_tables(MODELS)

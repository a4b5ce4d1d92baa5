"""How far behind targets were, when they confirmed what, how far a comparison is, and what looks at pages found.

The release before goes on: it knows nothing of the new tables.
"""

from peewee import BigIntegerField, BooleanField, CompositeKey, DoubleField, IntegerField, Model, TextField


class Table(Model):
    class Meta:
        legacy_table_names = False


class LagSample(Table):
    target = TextField()
    at = DoubleField()
    lag = DoubleField()
    waiting = IntegerField()
    paused = BooleanField()
    failing = BooleanField()

    class Meta:
        primary_key = CompositeKey("target", "at")
        indexes = ((("at",), False),)


class CursorSample(Table):
    target = TextField()
    origin = TextField()
    publication = BigIntegerField()
    at = DoubleField()

    class Meta:
        primary_key = CompositeKey("target", "origin", "publication")
        indexes = ((("at",), False),)


class TargetProgress(Table):
    target = TextField(primary_key=True)
    done = IntegerField()
    total = IntegerField()
    at = DoubleField()


class PageLook(Table):
    path = TextField()
    target = TextField()
    found = TextField()
    publication = BigIntegerField()
    error = TextField(null=True)
    host = TextField()
    at = DoubleField(index=True)

    class Meta:
        primary_key = CompositeKey("path", "target")


MODELS = [LagSample, CursorSample, TargetProgress, PageLook]


def up(migrator, db):
    with db.bind_ctx(MODELS):
        db.create_tables(MODELS)

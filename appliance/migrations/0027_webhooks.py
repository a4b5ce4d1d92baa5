"""What webhooks have been told, what they wait to be told, and which requests of git hosts were seen.

The release before goes on: it knows nothing of the new tables.
"""

from peewee import (
    AutoField,
    BigAutoField,
    BigIntegerField,
    CompositeKey,
    DoubleField,
    IntegerField,
    Model,
    TextField,
)


class Table(Model):
    class Meta:
        legacy_table_names = False


class Webhook(Table):
    name = TextField(primary_key=True)
    url = TextField(default="")
    disabled_at = DoubleField(null=True)
    note = TextField(default="")
    failures = IntegerField(default=0)
    rests_until = DoubleField(null=True)
    tried_at = DoubleField(null=True)
    event = TextField(default="")
    status = IntegerField(null=True)
    error = TextField(null=True)
    sent = BigIntegerField(default=0)
    failed = BigIntegerField(default=0)


class WebhookCursor(Table):
    webhook = TextField()
    origin = TextField()
    publication = BigIntegerField(default=0)

    class Meta:
        primary_key = CompositeKey("webhook", "origin")


class WebhookEvent(Table):
    id = BigAutoField()
    event = TextField()
    topic = TextField(default="")
    site = TextField(default="")
    data = TextField()
    at = DoubleField()

    class Meta:
        indexes = ((("event", "topic", "id"), False),)


class WebhookEpisode(Table):
    webhook = TextField()
    target = TextField()
    since = DoubleField()

    class Meta:
        primary_key = CompositeKey("webhook", "target")


class HookReceipt(Table):
    id = AutoField()
    source = TextField()
    mark = TextField()
    at = DoubleField(index=True)

    class Meta:
        indexes = ((("source", "mark"), True),)


MODELS = [Webhook, WebhookCursor, WebhookEvent, WebhookEpisode, HookReceipt]


def up(migrator, db):
    with db.bind_ctx(MODELS):
        db.create_tables(MODELS)

"""The tables of webhooks: their state, events that wait to be gathered, and requests of git hosts that were seen."""

from __future__ import annotations

from peewee import SQL, AutoField, BigAutoField, BigIntegerField, CompositeKey, DoubleField, IntegerField, TextField

from appliance.db import BaseModel


class Webhook(BaseModel):
    """The state of one webhook of the settings. Times are seconds since the epoch on the database's clock."""

    name = TextField(primary_key=True)
    #: The address at which it was disabled. A webhook that moved is tried again.
    url = TextField(default="")
    #: Since when nothing is sent, and why; null while events are sent.
    disabled_at = DoubleField(null=True)
    note = TextField(default="")
    #: Requests in a row that failed, and until when the next one waits.
    failures = IntegerField(default=0)
    rests_until = DoubleField(null=True)
    #: The last request: when, about which event, the status of the answer, and the error; null after a success.
    tried_at = DoubleField(null=True)
    event = TextField(default="")
    status = IntegerField(null=True)
    error = TextField(null=True)
    #: Requests that were taken and that were not, since the webhook was added.
    sent = BigIntegerField(default=0)
    failed = BigIntegerField(default=0)


class WebhookCursor(BaseModel):
    """Up to which publication of a host a webhook has been told."""

    webhook = TextField()
    origin = TextField()
    publication = BigIntegerField(default=0)
    #: It has also been told of the publications after `ahead_after` up to `ahead`.
    ahead_after = BigIntegerField(default=0, constraints=[SQL("DEFAULT 0")])
    ahead = BigIntegerField(default=0, constraints=[SQL("DEFAULT 0")])

    class Meta:
        """One row for each host of origin."""

        primary_key = CompositeKey("webhook", "origin")


class WebhookEvent(BaseModel):
    """Something that happened, until it is gathered into an event. Written in the transaction of what it tells."""

    id = BigAutoField()
    event = TextField()
    #: What events are gathered by besides their name, such as the kind of the job that failed.
    topic = TextField(default="")
    site = TextField(default="")
    #: A JSON object.
    data = TextField()
    at = DoubleField()

    class Meta:
        """Rows are taken by event and topic."""

        indexes = ((("event", "topic", "id"), False),)


class WebhookEpisode(BaseModel):
    """A target that is behind, and a webhook that was told so."""

    webhook = TextField()
    target = TextField()
    since = DoubleField()

    class Meta:
        """At most one episode of a target at a time."""

        primary_key = CompositeKey("webhook", "target")


class HookReceipt(BaseModel):
    """A request of a git host that was acted upon, so that it is not acted upon again."""

    id = AutoField()
    source = TextField()
    mark = TextField()
    at = DoubleField(index=True)

    class Meta:
        """Each request counts once for a source."""

        indexes = ((("source", "mark"), True),)

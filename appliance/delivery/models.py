"""The journal and how far each target has confirmed it."""

from __future__ import annotations

from peewee import BigAutoField, BigIntegerField, BooleanField, CompositeKey, DoubleField, IntegerField, TextField

from appliance.db import Table


class Publication(Table):
    """One change of one path, written in the transaction that finishes its job."""

    id = BigAutoField()
    path = TextField()
    #: 'put' or 'delete'.
    op = TextField()
    #: Whole seconds, strictly increasing per path; the file's mtime.
    version = BigIntegerField()
    #: BLAKE2b-256, hexadecimal, and bytes; null for a deletion.
    digest = TextField(null=True)
    size = BigIntegerField(null=True)
    #: The publishing host that holds the bytes.
    origin = TextField()
    at = DoubleField()

    class Meta:
        """The latest publication of a path is looked up by it."""

        indexes = ((("path", "id"), False), (("origin", "id"), False))


class Cursor(Table):
    """How far a target has confirmed the publications of one host of origin, and how the last push went."""

    target = TextField()
    origin = TextField()
    #: Where the target was when this was confirmed: a target that moved has confirmed nothing.
    address = TextField(default="")
    #: The id of the newest publication of `origin` that the target is known to show, with all before it.
    publication = BigIntegerField(default=0)
    confirmed_at = DoubleField(null=True)
    pushed_at = DoubleField(null=True)
    #: Files sent and removed by the last push, the bytes it sent and how long it took.
    files = IntegerField(default=0)
    bytes = BigIntegerField(default=0)
    seconds = DoubleField(default=0)
    #: The sentence of the last failure; null once a push succeeded.
    error = TextField(null=True)
    #: Of the host whose publications these are: its own pushes there that failed since the last that succeeded, and
    #: when it tries again, seconds since the epoch.
    failures = IntegerField(default=0)
    retry_at = DoubleField(null=True)

    class Meta:
        """One cursor a target and origin."""

        primary_key = CompositeKey("target", "origin")


class Lease(Table):
    """Who may write to a target now. Moments are seconds since the epoch on the database's clock."""

    target = TextField(primary_key=True)
    #: The courier that has it, or had it last.
    holder = TextField()
    #: Grows with every courier that takes it: what an earlier one still says is not heard.
    number = BigIntegerField()
    until = DoubleField()


class Standing(Table):
    """What people asked of a target, and what was found there. Moments are seconds since the epoch."""

    target = TextField(primary_key=True)
    #: Nothing is sent there until it is resumed.
    paused = BooleanField(default=False)
    #: A repair was asked for, or found to be needed, at this moment; null once it is done.
    repair_at = DoubleField(null=True)
    #: Whether that repair may remove more than the settings allow at once.
    allow_removals = BooleanField(default=False)
    #: When all of it was last compared.
    verified_at = DoubleField(null=True)
    #: What that comparison found: files that differ or are missing, and files that nobody published.
    differing = IntegerField(null=True)
    extra = IntegerField(null=True)

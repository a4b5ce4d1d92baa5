"""The journal and how far each target has confirmed it."""

from __future__ import annotations

from peewee import BigAutoField, BigIntegerField, CompositeKey, DoubleField, IntegerField, TextField

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

    class Meta:
        """One cursor a target and origin."""

        primary_key = CompositeKey("target", "origin")

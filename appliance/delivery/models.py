"""The tables of delivery: the journal, and what is known of each target."""

from __future__ import annotations

from peewee import SQL, BigAutoField, BigIntegerField, BooleanField, CompositeKey, DoubleField, IntegerField, TextField

from appliance.db import BaseModel


class Publication(BaseModel):
    """A row of the journal: one change of one path, written in the transaction that completes its job."""

    id = BigAutoField()
    path = TextField()
    #: 'put' or 'delete'.
    op = TextField()
    #: Whole seconds since the epoch, strictly increasing per path. It becomes the file's mtime.
    version = BigIntegerField()
    #: BLAKE2b-256 in hexadecimal, and the size in bytes. Null for a deletion.
    digest = TextField(null=True)
    size = BigIntegerField(null=True)
    #: The publishing host that holds the bytes.
    origin = TextField()
    #: When it was published, in seconds since the epoch.
    at = DoubleField()
    #: Whether this is the latest publication of its path. Only a database trigger sets it.
    latest = BooleanField(default=True)
    #: The id of the job that made it; null in rows of an older release.
    job = BigIntegerField(null=True)

    class Meta:
        """Indexes over all rows. The partial indexes are below."""

        indexes = ((("path", "id"), False), (("origin", "id"), False), (("origin", "at"), False))


# Partial indexes, so that queries need not skip superseded rows. The conditions of queries repeat these.
Publication.add_index(
    Publication.index(Publication.origin, SQL("(id + 0)"), name="publication_latest", where=SQL("latest"))
)
Publication.add_index(Publication.index(Publication.path, name="publication_latest_path", where=SQL("latest")))
Publication.add_index(
    Publication.index(Publication.origin, Publication.id, name="publication_superseded", where=SQL("NOT latest"))
)


class Reservation(BaseModel):
    """A version that a worker took for a path before it put a file there. It goes when the path is published."""

    path = TextField(primary_key=True)
    #: The highest one that any host may show.
    version = BigIntegerField()


class Cursor(BaseModel):
    """How far a target has confirmed the publications of one host, and how the last push went."""

    target = TextField()
    origin = TextField()
    #: The address at which this was confirmed. A target that moved to another address has confirmed nothing.
    address = TextField(default="")
    #: The newest publication of `origin` that the target is known to show, together with all before it.
    publication = BigIntegerField(default=0)
    #: Of a target that is far behind, the publications after `ahead_after` up to `ahead`, which it shows as well; both
    #: are 0 for one that is not. When that was last confirmed, in seconds since the epoch.
    ahead_after = BigIntegerField(default=0, constraints=[SQL("DEFAULT 0")])
    ahead = BigIntegerField(default=0, constraints=[SQL("DEFAULT 0")])
    ahead_at = DoubleField(null=True)
    confirmed_at = DoubleField(null=True)
    pushed_at = DoubleField(null=True)
    #: Files that the last push sent and removed, the bytes it sent, and the seconds it took.
    files = IntegerField(default=0)
    bytes = BigIntegerField(default=0)
    seconds = DoubleField(default=0)
    #: The message of the last failure; null once a push has succeeded.
    error = TextField(null=True)
    #: How many pushes of the host `origin` to this target failed in a row, and when it tries again, in seconds since
    #: the epoch.
    failures = IntegerField(default=0)
    retry_at = DoubleField(null=True)

    class Meta:
        """One cursor for each target and origin."""

        primary_key = CompositeKey("target", "origin")


class Confirmation(BaseModel):
    """A move of a cursor: what a target confirmed at once. Kept for an hour, to measure how long delivery takes."""

    target = TextField()
    origin = TextField()
    #: The publication that it had confirmed before, and the one up to which it confirmed now.
    after = BigIntegerField()
    publication = BigIntegerField()
    #: In seconds since the epoch.
    at = DoubleField()
    #: Whether that was ahead of a backlog, which the target had yet to be sent.
    ahead = BooleanField(default=False, constraints=[SQL("DEFAULT FALSE")])

    class Meta:
        """What is too old is found by its target."""

        indexes = ((("target", "at"), False),)


class Lease(BaseModel):
    """The courier that may write to a target now. Times are seconds since the epoch by the database's clock."""

    target = TextField(primary_key=True)
    #: The courier that holds the lease, or held it last.
    holder = TextField()
    #: Grows each time a courier takes the lease, so that an earlier holder is refused.
    number = BigIntegerField()
    until = DoubleField()


class TargetControl(BaseModel):
    """What people requested for a target, and what its last verification found. Times are seconds since the epoch."""

    target = TextField(primary_key=True)
    #: Nothing is sent to the target until it is resumed.
    paused = BooleanField(default=False)
    #: When a repair was requested, by a person or by a verification; null once it is done.
    repair_at = DoubleField(null=True)
    #: Whether that repair may remove more files than the settings allow at once.
    allow_removals = BooleanField(default=False)
    #: Whether that repair also removes files that the journal never put there. Only a person may request that.
    clear_strangers = BooleanField(default=False, constraints=[SQL("DEFAULT FALSE")])
    #: When the whole target was last verified.
    verified_at = DoubleField(null=True)
    #: What that verification found: files that differ or are missing, and files that nobody published.
    differing = IntegerField(null=True)
    extra = IntegerField(null=True)

    class Meta:
        """The table keeps its name, which the previous release uses too."""

        table_name = "standing"


class LagSample(BaseModel):
    """How far behind a target was at one moment. Samples of some days are kept."""

    target = TextField()
    #: When the sample was taken, in seconds since the epoch.
    at = DoubleField()
    #: Seconds since the oldest unconfirmed publication was made, and the files waiting, up to the limit of counting.
    lag = DoubleField()
    waiting = IntegerField()
    #: Whether somebody had paused it, and whether its last push had failed.
    paused = BooleanField()
    failing = BooleanField()

    class Meta:
        """One sample of a target at a moment."""

        primary_key = CompositeKey("target", "at")
        indexes = ((("at",), False),)


class CursorSample(BaseModel):
    """When a target had confirmed the publications of a host up to one. Samples of some days are kept."""

    target = TextField()
    origin = TextField()
    publication = BigIntegerField()
    #: When the cursor got there, in seconds since the epoch.
    at = DoubleField()

    class Meta:
        """One row for each position that was seen."""

        primary_key = CompositeKey("target", "origin", "publication")
        indexes = ((("at",), False),)


class TargetProgress(BaseModel):
    """How far the comparison of a whole target is that runs now, of a verification or at the end of a repair."""

    target = TextField(primary_key=True)
    #: Files compared, and files to compare.
    done = IntegerField()
    total = IntegerField()
    #: When this was written, in seconds since the epoch. A comparison that was killed leaves its row.
    at = DoubleField()


class PageLook(BaseModel):
    """What a worker found when it looked whether a target has a path."""

    path = TextField()
    #: The name of the target; `host:NAME` for the docroot of a publishing host.
    target = TextField()
    #: 'same', 'different', 'absent', 'kept' or 'unknown'; see `page_look`.
    found = TextField()
    #: The number of the publication that it was compared with.
    publication = BigIntegerField()
    #: Why it could not be compared.
    error = TextField(null=True)
    #: The publishing host that looked, and when, in seconds since the epoch.
    host = TextField()
    at = DoubleField(index=True)

    class Meta:
        """The newest look at each place."""

        primary_key = CompositeKey("path", "target")

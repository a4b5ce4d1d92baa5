"""The tables of the history: a row for each minute and site, how far it has read, and the disks of hosts."""

from __future__ import annotations

from peewee import BigIntegerField, CompositeKey, DoubleField, IntegerField, TextField

from appliance.db import BaseModel


class MeasuredMinute(BaseModel):
    """What happened in one minute: on the whole installation (the site is empty), and on each site where anything did.

    Histograms are texts as `Histogram.encode` writes them. Each is of the minute in which what it measures ended.
    """

    #: When the minute began, in seconds since the epoch: a multiple of 60.
    at = BigIntegerField()
    site = TextField()
    #: Jobs that were done.
    done = IntegerField(default=0)
    #: Those of them that built a file and found its bytes unchanged.
    unchanged = IntegerField(default=0)
    #: Files published and deleted.
    published = IntegerField(default=0)
    #: Jobs that failed for good, and still were failed when the minute was measured.
    failed = IntegerField(default=0)
    #: Jobs that were waiting; null if the minute was measured too late to know.
    pending = IntegerField(null=True)
    #: From the request for a file until it was published.
    to_published = TextField(default="")
    #: From there until every front end had it.
    to_everywhere = TextField(default="")
    #: From the change, which had to be planned first, until every front end had the file.
    overall = TextField(default="")

    class Meta:
        """One row for each minute and site."""

        primary_key = CompositeKey("at", "site")


class MeasuredOrigin(BaseModel):
    """The publication of a host up to which the way to the front ends has been measured."""

    origin = TextField(primary_key=True)
    publication = BigIntegerField()


class DiskUsage(BaseModel):
    """The disk below a docroot or the database, as its host saw it last."""

    host = TextField()
    #: 'docroot' or 'database'.
    holds = TextField()
    #: The size of the file system and what is free of it, in bytes; null for the disk of a database server.
    total = BigIntegerField(null=True)
    free = BigIntegerField(null=True)
    #: The size of the database in bytes; null for a docroot.
    used = BigIntegerField(null=True)
    #: Why nothing can be published to a shared docroot; null if nothing is wrong.
    fault = TextField(null=True)
    #: When it was looked at, in seconds since the epoch.
    at = DoubleField()

    class Meta:
        """One row for each disk."""

        primary_key = CompositeKey("host", "holds")

"""The artifact: one output file, what makes it and what was last published of it."""

from __future__ import annotations

from peewee import AutoField, BigIntegerField, BooleanField, DoubleField, ForeignKeyField, IntegerField, TextField

from appliance.content.models import Site
from appliance.db import Table


class Artifact(Table):
    """One output file of a site, and the tombstone it leaves: a path's version never goes back."""

    id = AutoField()
    site = ForeignKeyField(Site, backref="artifacts", on_delete="CASCADE")
    #: Below the docroot, the site's folder included: `blog/2026/11/hello/index.html`.
    path = TextField(unique=True)
    #: What makes it: an archive type of the theme ('entry', 'monthly', …), 'index', 'asset', 'thumbnail', 'static'
    #: or 'redirect'.
    type = TextField()
    #: The template below the theme's folder; for what has none, the source ('static': file, 'thumbnail': width).
    template = TextField(default="")
    #: Id of the entry, page, category, author, tag, alias or asset it shows; null for index templates and dates.
    subject = IntegerField(null=True)
    #: For archives by date: `2026`, `2026-11`, `2026-11-22`, or a week's first day.
    period = TextField(default="")
    #: Number of a page of a listing, from 1.
    page = IntegerField(default=1)
    #: Entries a page of the listing; 0 for all on one.
    per_page = IntegerField(default=0)
    #: It is the address of its subject: the preferred map, first page.
    is_permalink = BooleanField(default=False)
    priority = IntegerField()
    #: Seconds that must lie between two builds of it; 0 for none.
    every = DoubleField(default=0)
    #: Whether the site has it; false for what is to be deleted or is gone.
    wanted = BooleanField(default=True)
    #: Number of the plan that last wanted it.
    plan = IntegerField(default=0)
    #: What stands in the docroot: BLAKE2b-256 in hexadecimal and bytes; null when nothing does.
    digest = TextField(null=True)
    size = BigIntegerField(null=True)
    #: The file's mtime: whole seconds, strictly increasing per path, never reset. 0 before the first publication.
    version = BigIntegerField(default=0)


# By subject, so that it answers for the address of an entry or a term, and for a listing's other pages.
Artifact.add_index(
    Artifact.index(Artifact.type, Artifact.subject, Artifact.period, Artifact.page, name="artifact_subject")
)
Artifact.add_index(Artifact.index(Artifact.site, Artifact.plan, name="artifact_plan"))


class Planned(Table):
    """What the last planning of a site was made with."""

    site = ForeignKeyField(Site, primary_key=True, on_delete="CASCADE")
    theme_digest = TextField()

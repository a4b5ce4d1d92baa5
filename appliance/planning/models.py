"""The tables of planning: artifacts, what each one depends on, and the state of each site's last plan."""

from __future__ import annotations

from peewee import (
    SQL,
    AutoField,
    BigIntegerField,
    BooleanField,
    CompositeKey,
    DoubleField,
    ForeignKeyField,
    IntegerField,
    TextField,
)

from appliance.content.models import Site
from appliance.db import BaseModel


class Artifact(BaseModel):
    """One output file of a site.

    The row stays after the file is deleted, since the version of a path must never go back.
    """

    id = AutoField()
    site = ForeignKeyField(Site, backref="artifacts", on_delete="CASCADE")
    #: Path below the docroot, with the folder of the site: `blog/2026/11/hello/index.html`.
    path = TextField(unique=True)
    #: An archive type of the theme ('entry', 'monthly', …), or 'index', 'asset', 'thumbnail', 'static', 'sitemap' or
    #: 'redirect'.
    type = TextField()
    #: The template below the theme's folder. For a static file its name, for a thumbnail its width in pixels.
    template = TextField(default="")
    #: Id of the entry, page, category, author, tag, alias or asset it is about; null for index templates and dates.
    subject = IntegerField(null=True)
    #: For date archives: `2026`, `2026-11`, `2026-11-22`, or the first day of a week.
    period = TextField(default="")
    #: Page number within a paginated listing, from 1.
    page = IntegerField(default=1)
    #: Entries on each page of the listing; 0 means all on one page.
    per_page = IntegerField(default=0)
    #: Whether the pages of its listing are counted from the oldest entries and begin where `PageBoundary` says.
    from_oldest = BooleanField(default=False, constraints=[SQL("DEFAULT FALSE")])
    #: Whether this is the address of its subject: first page of the preferred archive map.
    is_permalink = BooleanField(default=False)
    priority = IntegerField()
    #: Least number of seconds between two builds; 0 means no limit.
    every = DoubleField(default=0)
    #: Whether the site should have it. False means that it is to be deleted or is gone.
    wanted = BooleanField(default=True)
    #: Number of the last plan that wanted it.
    plan = IntegerField(default=0)
    #: BLAKE2b-256 of the published file in hexadecimal, and its size in bytes; null when nothing is published.
    digest = TextField(null=True)
    size = BigIntegerField(null=True)
    #: Modification time of the published file in whole seconds. It only ever grows, for each path. 0 before the first
    #: publication.
    version = BigIntegerField(default=0)
    #: When it is built: 'queue', 'now' or 'hand'; see `planning.manifest.BuildType`.
    build = TextField(default="queue")
    #: Numbers of the last plan that invalidated it, and of the plan that its content was built from. It is stale while
    #: the first is greater. The columns keep the names that earlier releases gave them.
    marked = IntegerField(default=0)
    built = IntegerField(default=0)
    #: What its last build read: id of its dependency set, digest of the listing page it showed, and digest of all
    #: dependencies together. Null before the first build. The columns keep the names that earlier releases gave them.
    recipe = IntegerField(null=True)
    shown = TextField(null=True)
    reads = TextField(null=True)
    #: How many entries and pages its listing had, if its last build showed that: `1204/60`; else null.
    counted = TextField(null=True)


# Finds the address of an entry or a term, and the other pages of a listing.
Artifact.add_index(
    Artifact.index(Artifact.type, Artifact.subject, Artifact.period, Artifact.page, name="artifact_subject")
)
# Finds the address of an entry, a term or a file without reading every page of its listings.
Artifact.add_index(
    Artifact.index(Artifact.type, Artifact.subject, name="artifact_permalink", where=SQL("is_permalink AND wanted"))
)
Artifact.add_index(Artifact.index(Artifact.site, Artifact.marked, name="artifact_marked"))
Artifact.add_index(Artifact.index(Artifact.recipe, name="artifact_recipe", where=SQL("recipe IS NOT NULL")))
# Finds what shows how many entries a listing has.
Artifact.add_index(
    Artifact.index(
        Artifact.type, Artifact.subject, Artifact.period, name="artifact_counted", where=SQL("counted IS NOT NULL")
    )
)
# Finds what was invalidated and not built since.
Artifact.add_index(Artifact.index(Artifact.site, Artifact.id, name="artifact_stale", where=SQL("marked > built")))


class PageBoundary(BaseModel):
    """Where a page of a listing begins, in listings whose pages are counted from the oldest entries.

    A page has the entries from its first key to that of the next newer page. The newest one is number 1, the listing's
    own address. A listing that fits there has no rows. The rows are a part of what was published, as numbers of entries
    are: nothing else tells which entries an address has.
    """

    site = ForeignKeyField(Site, on_delete="CASCADE", index=False)
    type = TextField()
    #: Id of the term; 0 where the type has none.
    subject = IntegerField()
    period = TextField()
    per_page = IntegerField()
    number = IntegerField()
    #: Time of publication and id of the oldest entry that belongs on the page, whether or not it still exists.
    first_at = BigIntegerField()
    first_id = BigIntegerField()
    #: How many pages the listing has, in the row of number 1; 0 in the others.
    pages = IntegerField(default=0)

    class Meta:
        """A number is given once in a listing."""

        table_name = "listing_page"
        primary_key = CompositeKey("site", "type", "subject", "period", "per_page", "number")


PageBoundary.add_index(
    PageBoundary.index(
        *(PageBoundary.site, PageBoundary.type, PageBoundary.subject, PageBoundary.period, PageBoundary.per_page),
        *(PageBoundary.first_at, PageBoundary.first_id),
        name="listing_page_order",
    )
)


class SitePlanState(BaseModel):
    """The state that the last plan of a site was made from."""

    site = ForeignKeyField(Site, primary_key=True, on_delete="CASCADE")
    theme_digest = TextField()
    #: Digest of the site settings that every page depends on.
    site_digest = TextField(default="")
    #: Number of the last plan, and of the last plan that may have changed which entries and terms exist.
    number = IntegerField(default=0)
    structure = IntegerField(default=0)
    #: When the last plan was made, on the database's clock. Templates show this time or a later one.
    at = DoubleField(default=0)
    #: JSON list with one sentence for each artifact that the last plan left out; null when there are none.
    faults = TextField(null=True)
    #: JSON list of the paths that the theme may use one day; see `planning.reserved_paths`.
    reserved = TextField(null=True)

    class Meta:
        """Keeps the table name of earlier releases, which may still run."""

        table_name = "planned"


class OpenPlan(BaseModel):
    """A plan that is made in several transactions and has not ended, or whose process died; see `planning.steps`."""

    site = ForeignKeyField(Site, primary_key=True, on_delete="CASCADE")
    number = IntegerField()
    #: Host, process id and number of who makes it.
    holder = TextField()
    #: When its last step began, on the database's clock; 0 if its process gave it up.
    at = DoubleField()
    #: Whether an artifact lost its address to another one, which nothing else tells.
    has_displaced = BooleanField()


class DependencySet(BaseModel):
    """A set of dependency keys that many artifacts share. Each set is stored once.

    The keys stand for templates, settings and site-wide lists.
    """

    id = AutoField()
    site = ForeignKeyField(Site, backref="dependency_sets", on_delete="CASCADE")
    #: Digest of the keys.
    digest = TextField()

    class Meta:
        """Keeps the table name of earlier releases, which may still run. One row for each set of keys."""

        table_name = "recipe"
        indexes = ((("site", "digest"), True),)


class DependencySetKey(BaseModel):
    """One key of a dependency set: `template:base.html`, `setting:tagline`, `recent:5:3`."""

    recipe = ForeignKeyField(DependencySet, backref="keys", on_delete="CASCADE")
    key = TextField()

    class Meta:
        """Keeps the table and column names of earlier releases, which may still run."""

        table_name = "recipe_key"
        primary_key = CompositeKey("recipe", "key")


class KeyDigest(BaseModel):
    """Digest of each dependency key, as of the last plan or build.

    An artifact is rebuilt when the digest of a key it depends on changes.
    """

    site = ForeignKeyField(Site, backref="key_digests", on_delete="CASCADE")
    key = TextField()
    digest = TextField()

    class Meta:
        """Keeps the table name of earlier releases, which may still run. One digest for each key."""

        table_name = "answer"
        primary_key = CompositeKey("site", "key")


class Dependency(BaseModel):
    """Something that one artifact read from the content: aspects of an entry, or the address of a file or category."""

    artifact = ForeignKeyField(Artifact, backref="dependencies", on_delete="CASCADE", index=False)
    #: 'e' for an entry or page, 'f' for an uploaded file, 'c' for the address of a category.
    kind = TextField()
    subject = IntegerField()
    #: For an entry, the aspects read, as `content.aspects` numbers them; 0 for the other kinds.
    aspects = IntegerField(default=0)

    class Meta:
        """Keeps the table name of earlier releases, which may still run."""

        table_name = "reading"
        primary_key = CompositeKey("artifact", "kind", "subject")


Dependency.add_index(
    Dependency.index(Dependency.kind, Dependency.subject, Dependency.artifact, Dependency.aspects, name="reading_of")
)


class FormerAddress(BaseModel):
    """An address at which an entry or a term was published before it moved. Requests for it are redirected."""

    id = AutoField()
    site = ForeignKeyField(Site, backref="former_addresses", on_delete="CASCADE")
    #: Path below the folder of the site.
    path = TextField()
    #: Archive type and id of the entry or term that has moved; 'listing' and 0 for a page of a listing that is gone.
    type = TextField()
    subject = IntegerField()
    #: For a page of a listing, the path of the listing's own address below the folder of the site.
    target = TextField(null=True)

    class Meta:
        """Keeps the table name of earlier releases, which may still run. One subject for each address."""

        table_name = "move"
        indexes = ((("site", "path"), True), (("type", "subject"), False))


FormerAddress.add_index(
    FormerAddress.index(FormerAddress.site, FormerAddress.target, name="move_target", where=SQL("target IS NOT NULL"))
)


class ListingTotal(BaseModel):
    """How many published entries a listing has, as planning counted them; see `planning.placements`."""

    site_id = IntegerField()
    #: The archive type of the listing, or 'index' for all entries.
    type = TextField()
    #: Id of the author, category or tag; 0 where the listing is of none.
    subject = IntegerField()
    #: The period, as in an artifact.
    period = TextField()
    entries = IntegerField()

    class Meta:
        """One total for each listing that has entries."""

        primary_key = CompositeKey("site_id", "type", "subject", "period")


# Finds the tags that have most entries.
ListingTotal.add_index(
    ListingTotal.index(
        ListingTotal.site_id, ListingTotal.type, ListingTotal.period, ListingTotal.entries, name="listing_total_most"
    )
)


class Placement(BaseModel):
    """The listings in which planning counted a published entry. It outlives the entry until that is planned."""

    entry_id = IntegerField(primary_key=True)
    site_id = IntegerField(index=True)
    day = TextField()
    week = TextField()
    #: Ids joined by commas. Categories include their ancestors.
    authors = TextField()
    categories = TextField()
    tags = TextField()

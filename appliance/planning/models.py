"""The artifact: one output file, what makes it and what was last published of it."""

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
    #: When it is built: 'queue', 'now' or 'hand'; see `planning.theme`.
    build = TextField(default="queue")
    #: Number of the last planning that asked for it, and of the planning whose content was built last: it is stale
    #: while the former is greater.
    marked = IntegerField(default=0)
    built = IntegerField(default=0)
    #: What its last build read: the recipe (what it shares with others, see `Recipe`), a digest of the page of a
    #: listing it showed, and a digest of all it read, `Reading` rows included; null before the first build.
    recipe = IntegerField(null=True)
    shown = TextField(null=True)
    reads = TextField(null=True)


# By subject, so that it answers for the address of an entry or a term, and for a listing's other pages.
Artifact.add_index(
    Artifact.index(Artifact.type, Artifact.subject, Artifact.period, Artifact.page, name="artifact_subject")
)
# The address of an entry, a term or a file, whatever the number of pages that listings of it have.
Artifact.add_index(
    Artifact.index(Artifact.type, Artifact.subject, name="artifact_permalink", where=SQL("is_permalink AND wanted"))
)
Artifact.add_index(Artifact.index(Artifact.site, Artifact.marked, name="artifact_marked"))
Artifact.add_index(Artifact.index(Artifact.recipe, name="artifact_recipe", where=SQL("recipe IS NOT NULL")))
# What never came to be built since it was asked for.
Artifact.add_index(Artifact.index(Artifact.site, Artifact.id, name="artifact_stale", where=SQL("marked > built")))


class Planned(Table):
    """What the last planning of a site was made with."""

    site = ForeignKeyField(Site, primary_key=True, on_delete="CASCADE")
    theme_digest = TextField()
    #: Of the settings that every page of the site depends on.
    site_digest = TextField(default="")
    #: Number of the last planning, and of the last one after which lists of entries and terms may be others.
    number = IntegerField(default=0)
    structure = IntegerField(default=0)
    #: When the last one was, on the database's clock: the times that templates show are of then or later.
    at = DoubleField(default=0)


class Recipe(Table):
    """What many artifacts read alike: templates, settings, lists any page may show. Each set of keys is kept once."""

    id = AutoField()
    site = ForeignKeyField(Site, backref="recipes", on_delete="CASCADE")
    #: Of its keys.
    digest = TextField()

    class Meta:
        """One recipe a set of keys."""

        indexes = ((("site", "digest"), True),)


class RecipeKey(Table):
    """One thing a recipe reads: `template:base.html`, `setting:tagline`, `recent:5:3`; see `planning.keys`."""

    recipe = ForeignKeyField(Recipe, backref="keys", on_delete="CASCADE")
    key = TextField()

    class Meta:
        """A key is in a recipe once."""

        primary_key = CompositeKey("recipe", "key")


class Answer(Table):
    """What a key of a recipe last answered, by digest: another answer is why artifacts are built again."""

    site = ForeignKeyField(Site, backref="answers", on_delete="CASCADE")
    key = TextField()
    digest = TextField()

    class Meta:
        """One answer a key."""

        primary_key = CompositeKey("site", "key")


class Reading(Table):
    """One thing an artifact read of the content for itself: aspects of an entry, a link to a file or a category."""

    artifact = ForeignKeyField(Artifact, backref="readings", on_delete="CASCADE", index=False)
    #: 'e' for an entry or page, 'f' for an uploaded file, 'c' for a category's address.
    kind = TextField()
    subject = IntegerField()
    #: Of an entry, as `content.aspects` numbers them; 0 for others.
    aspects = IntegerField(default=0)

    class Meta:
        """An artifact reads a thing once; who reads it is looked up by it."""

        primary_key = CompositeKey("artifact", "kind", "subject")


Reading.add_index(Reading.index(Reading.kind, Reading.subject, Reading.artifact, Reading.aspects, name="reading_of"))


class Move(Table):
    """An address under which an entry or a term was published before it moved; answered with a redirect."""

    id = AutoField()
    site = ForeignKeyField(Site, backref="moves", on_delete="CASCADE")
    #: Below the docroot, as the artifact's was.
    path = TextField()
    #: The archive type and the id of what is now elsewhere.
    type = TextField()
    subject = IntegerField()

    class Meta:
        """One subject an address."""

        indexes = ((("site", "path"), True), (("type", "subject"), False))

"""What a site consists of, as rows.

Moments are whole seconds since the epoch, UTC. `day` and `week` are derived from `published_at` in the site's
time zone whenever an entry is saved (`content.entries`), so that archives can be made with SQL over sets.
Addresses (`address`, `Alias.path`, `Asset.path`) are below the site's own address, without a leading slash.
"""

from __future__ import annotations

from typing import Final, Literal

from peewee import SQL, AutoField, BigIntegerField, BooleanField, CompositeKey, ForeignKeyField, IntegerField, TextField

from appliance.db import Table

EntryKind = Literal["entry", "page"]
EntryStatus = Literal["draft", "scheduled", "published"]
CommentStatus = Literal["pending", "approved", "spam"]
ENTRY_STATUSES: Final = ("draft", "scheduled", "published")
COMMENT_STATUSES: Final = ("pending", "approved", "spam")


class Site(Table):
    """One site of the installation; its settings come from the settings file (`content.sites.sync`)."""

    id = AutoField()
    name = TextField(unique=True)
    title = TextField()
    url = TextField()
    folder = TextField(default="")
    description = TextField(default="")
    theme = TextField(default="default")
    language = TextField(default="en")
    timezone = TextField(default="UTC")
    week_starts = TextField(default="monday")
    empty_archives = BooleanField(default=False)
    comment_endpoint = TextField(default="")
    #: JSON object: values for the theme's own settings.
    settings = TextField(default="{}")


class Author(Table):
    """Somebody who writes entries of a site."""

    id = AutoField()
    site_id: int
    site = ForeignKeyField(Site, backref="authors", on_delete="CASCADE")
    name = TextField()
    slug = TextField()
    email = TextField(default="")
    url = TextField(default="")
    #: HTML.
    about = TextField(default="")

    class Meta:
        """One author a slug."""

        indexes = ((("site", "slug"), True),)


class Category(Table):
    """A category; they nest. A section of an imported folder is one too."""

    id = AutoField()
    site_id: int
    parent_id: int | None
    site = ForeignKeyField(Site, backref="categories", on_delete="CASCADE")
    parent = ForeignKeyField("self", null=True, backref="children", on_delete="SET NULL")
    name = TextField()
    slug = TextField()
    #: Slugs from the topmost category down: `news/local`.
    path = TextField()
    #: Its own address in place of the theme's pattern: a folder such as `inside-rust`.
    address = TextField(null=True)
    #: HTML shown above its entries.
    description = TextField(default="")
    #: Publish its page even when it has no entries.
    always = BooleanField(default=False)
    #: The section file that describes it, if it was imported; edited there.
    source = TextField(null=True)
    source_path = TextField(null=True)

    class Meta:
        """One category a path."""

        indexes = ((("site", "path"), True),)


class Tag(Table):
    """A tag."""

    id = AutoField()
    site_id: int
    site = ForeignKeyField(Site, backref="tags", on_delete="CASCADE")
    name = TextField()
    slug = TextField()

    class Meta:
        """One tag a slug."""

        indexes = ((("site", "slug"), True),)


class Entry(Table):
    """An entry or a page. Its Markdown is rendered when it is saved; `html` is kept beside it.

    `html` and `excerpt` may hold late-bound addresses, `appliance:entry/ID`, `appliance:category/ID` and
    `appliance:asset/ID`, which building replaces by the addresses of the day; `late_bound` says whether there
    are any.
    """

    id = AutoField()
    site_id: int
    site = ForeignKeyField(Site, backref="entries", on_delete="CASCADE")
    kind = TextField(default="entry")
    status = TextField(default="draft")
    title = TextField()
    slug = TextField()
    #: Its own address in place of the theme's pattern: `about/team` (a folder) or `old/page.html` (a file).
    address = TextField(null=True)
    #: For pages: the folder they are in, slugs joined by slashes.
    folder = TextField(default="")
    published_at = BigIntegerField()
    modified_at = BigIntegerField()
    unpublish_at = BigIntegerField(null=True)
    #: Local date of publication, `2026-11-22`; entries are grouped by its prefixes.
    day = TextField()
    #: Local date of the first day of its week.
    week = TextField()
    #: 'markdown' or 'html': what `text` is.
    format = TextField(default="markdown")
    text = TextField(default="")
    html = TextField(default="")
    #: HTML; the author's own summary or the beginning of the text.
    excerpt = TextField(default="")
    #: Plain text for search engines and feeds.
    summary = TextField(default="")
    late_bound = BooleanField(default=False)
    allow_comments = BooleanField(default=True)
    #: JSON object: keys of the front matter nobody here knows.
    extra = TextField(default="{}")
    #: Where it was imported from: the source's name and the file in it; edited there.
    source = TextField(null=True)
    source_path = TextField(null=True)
    source_digest = TextField(null=True)

    class Meta:
        """Orders in which listings read entries; names of the importers' lookups."""

        indexes = ((("site", "source", "source_path"), True),)


_PUBLISHED = SQL("status = 'published'")
Entry.add_index(Entry.index(Entry.site, Entry.kind, Entry.published_at, Entry.id, name="entry_order", where=_PUBLISHED))
Entry.add_index(
    Entry.index(Entry.site, Entry.kind, Entry.day, Entry.published_at, Entry.id, name="entry_day", where=_PUBLISHED)
)
Entry.add_index(
    Entry.index(Entry.site, Entry.kind, Entry.week, Entry.published_at, Entry.id, name="entry_week", where=_PUBLISHED)
)
# What is due next, for the schedule.
Entry.add_index(Entry.index(Entry.published_at, name="entry_scheduled", where=SQL("status = 'scheduled'")))
Entry.add_index(
    Entry.index(
        Entry.unpublish_at, name="entry_expiring", where=SQL("status = 'published' AND unpublish_at IS NOT NULL")
    )
)
Entry.add_index(Entry.index(Entry.site, Entry.slug, name="entry_slug"))
Entry.add_index(Entry.index(Entry.site, Entry.address, name="entry_address", where=SQL("address IS NOT NULL")))


class EntryAuthor(Table):
    """An author of an entry; `position` 0 is the first named."""

    entry = ForeignKeyField(Entry, backref="entry_authors", on_delete="CASCADE")
    author = ForeignKeyField(Author, backref="author_entries", on_delete="CASCADE")
    position = IntegerField(default=0)
    #: See `content.order`.
    live_at = BigIntegerField(null=True)

    class Meta:
        """An author is named once."""

        primary_key = CompositeKey("entry", "author")


EntryAuthor.add_index(
    EntryAuthor.index(EntryAuthor.author, EntryAuthor.live_at, EntryAuthor.entry, name="entry_author_order")
)


class EntryCategory(Table):
    """A category of an entry; one is primary and gives its category path."""

    entry = ForeignKeyField(Entry, backref="entry_categories", on_delete="CASCADE")
    category = ForeignKeyField(Category, backref="category_entries", on_delete="CASCADE")
    is_primary = BooleanField(default=False)
    #: See `content.order`.
    live_at = BigIntegerField(null=True)

    class Meta:
        """A category is named once."""

        primary_key = CompositeKey("entry", "category")


EntryCategory.add_index(
    EntryCategory.index(EntryCategory.category, EntryCategory.live_at, EntryCategory.entry, name="entry_category_order")
)


class EntryTag(Table):
    """A tag of an entry, in the order given."""

    entry = ForeignKeyField(Entry, backref="entry_tags", on_delete="CASCADE")
    tag = ForeignKeyField(Tag, backref="tag_entries", on_delete="CASCADE")
    position = IntegerField(default=0)
    #: See `content.order`.
    live_at = BigIntegerField(null=True)

    class Meta:
        """A tag is named once."""

        primary_key = CompositeKey("entry", "tag")


EntryTag.add_index(EntryTag.index(EntryTag.tag, EntryTag.live_at, EntryTag.entry, name="entry_tag_order"))


class Alias(Table):
    """A former address of an entry, answered with a redirect."""

    id = AutoField()
    site_id: int
    entry_id: int
    site = ForeignKeyField(Site, backref="aliases", on_delete="CASCADE")
    entry = ForeignKeyField(Entry, backref="aliases", on_delete="CASCADE")
    #: As given, without the leading slash: `2015/05/15/Rust-1.0.html` or `releases/1.88.0`.
    path = TextField()

    class Meta:
        """One entry an address."""

        indexes = ((("site", "path"), True),)


class Comment(Table):
    """A reader's comment; `html` is sanitised when it is saved."""

    id = AutoField()
    entry_id: int
    parent_id: int | None
    entry = ForeignKeyField(Entry, backref="comments", on_delete="CASCADE")
    parent = ForeignKeyField("self", null=True, backref="replies", on_delete="SET NULL")
    status = TextField(default="pending")
    author_name = TextField()
    author_email = TextField(default="")
    author_url = TextField(default="")
    text = TextField()
    html = TextField()
    created_at = BigIntegerField()


Comment.add_index(
    Comment.index(Comment.entry, Comment.created_at, name="comment_approved", where=SQL("status = 'approved'"))
)


class Ping(Table):
    """A TrackBack ping that came with an import: kept as data, shown by nothing."""

    id = AutoField()
    entry_id: int
    entry = ForeignKeyField(Entry, backref="pings", on_delete="CASCADE")
    title = TextField(default="")
    url = TextField(default="")
    blog_name = TextField(default="")
    ip = TextField(default="")
    #: What it said of the entry, as it was given.
    text = TextField(default="")
    at = BigIntegerField()


class Asset(Table):
    """An uploaded file. Its bytes are kept by digest in the assets folder; `path` is its address."""

    id = AutoField()
    site_id: int
    entry_id: int | None
    site = ForeignKeyField(Site, backref="assets", on_delete="CASCADE")
    #: The entry whose bundle it belongs to, if any.
    entry = ForeignKeyField(Entry, null=True, backref="assets", on_delete="SET NULL")
    path = TextField()
    #: BLAKE2b-256 of its bytes, hexadecimal; also the name of the kept file.
    digest = TextField()
    size = BigIntegerField()
    media_type = TextField(default="application/octet-stream")
    #: Pixels; null for what is not a picture.
    width = IntegerField(null=True)
    height = IntegerField(null=True)
    source = TextField(null=True)
    source_path = TextField(null=True)

    class Meta:
        """One asset an address; names of the importers' lookups."""

        indexes = ((("site", "path"), True), (("site", "source", "source_path"), True))


class Source(Table):
    """Where a source that feeds a site stands; what it is, the settings say."""

    id = AutoField()
    site_id: int
    site = ForeignKeyField(Site, backref="sources", on_delete="CASCADE")
    name = TextField()
    #: The commit that was imported last; empty for a folder and before the first.
    revision = TextField(default="")
    #: Where it was imported from.
    place = TextField(default="")
    #: When it was last found whole, and when that was last tried.
    pulled_at = BigIntegerField(null=True)
    tried_at = BigIntegerField(null=True)
    #: What the last try came to: 'changed', 'unchanged', 'failed'.
    outcome = TextField(default="")
    error = TextField(null=True)
    #: An import began and did not end.
    unfinished = BooleanField(default=False)

    class Meta:
        """One row a source."""

        indexes = ((("site", "name"), True),)


class Change(Table):
    """One change to content, written in the transaction that makes it; planning reads the unplanned ones."""

    id = AutoField()
    site_id: int
    site = ForeignKeyField(Site, backref="changes", on_delete="CASCADE")
    at = BigIntegerField()
    #: Who made it: an account, `import`, `schedule`.
    actor = TextField(default="")
    #: What happened, as a person would say it: `comment approved`, `entry edited`.
    what = TextField()
    #: What it happened to: 'entry', 'comment', 'asset', 'category', 'author', 'tag', 'site', 'theme'.
    subject = TextField()
    subject_id = IntegerField(null=True)
    #: The entry concerned, when there is one.
    entry_id = IntegerField(null=True)
    #: What of the entry is touched, as `content.aspects` numbers it; everything for other subjects.
    aspects = IntegerField(default=-1)
    #: JSON object of what nothing else tells afterwards, empty when there is nothing to tell; see `content.changes`.
    was = TextField(default="")
    planned = BooleanField(default=False)
    #: Whether people who shall hear of it are, by a job on the queue; nobody waits to hear of most.
    told = BooleanField(default=True)


Change.add_index(Change.index(Change.site, Change.id, name="change_untold", where=SQL("NOT told")))
Change.add_index(Change.index(Change.site, Change.id, name="change_unplanned", where=SQL("NOT planned")))

#: Parents before children, as they are created.
MODELS: Final = (
    Site, Author, Category, Tag, Entry, EntryAuthor, EntryCategory, EntryTag, Alias, Comment, Ping, Asset, Source,
    Change,
)  # fmt: skip

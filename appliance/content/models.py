"""The database tables of content.

Times are whole seconds since the epoch, UTC. `day` and `week` are derived from `published_at` in the site's time zone
whenever an entry is saved (`content.entries`), so that archives can be planned with set-based SQL. Addresses
(`address`, `Alias.path`, `Asset.path`) are relative to the site's URL, without a leading slash.
"""

from __future__ import annotations

from typing import Final, Literal

from peewee import SQL, AutoField, BigIntegerField, BooleanField, CompositeKey, ForeignKeyField, IntegerField, TextField

from appliance.db import BaseModel

EntryKind = Literal["entry", "page"]
EntryStatus = Literal["draft", "scheduled", "published"]
CommentStatus = Literal["pending", "approved", "spam"]
ENTRY_STATUSES: Final = ("draft", "scheduled", "published")
COMMENT_STATUSES: Final = ("pending", "approved", "spam")


class Site(BaseModel):
    """A site of the installation. `content.sites.sync` updates the row from the settings file."""

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
    #: The URLs that the comment form posts to and that the search box asks; empty where there are none.
    comment_endpoint = TextField(default="")
    search_endpoint = TextField(null=True, default="")
    #: JSON object: how the web process takes comments; empty where the comment form posts elsewhere or nowhere.
    comment_rules = TextField(null=True, default="")
    #: JSON object with values for the settings that the theme defines.
    settings = TextField(default="{}")


class Author(BaseModel):
    """An author of entries of a site."""

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
        """A slug is unique within the site."""

        indexes = ((("site", "slug"), True),)


class Category(BaseModel):
    """A category, which may have a parent category. A section of an imported folder is a category too."""

    id = AutoField()
    site_id: int
    parent_id: int | None
    site = ForeignKeyField(Site, backref="categories", on_delete="CASCADE")
    parent = ForeignKeyField("self", null=True, backref="children", on_delete="SET NULL")
    name = TextField()
    slug = TextField()
    #: Slugs from the topmost category down: `news/local`.
    path = TextField()
    #: An address to use instead of the theme's pattern: a folder such as `inside-rust`.
    address = TextField(null=True)
    #: HTML shown above its entries.
    description = TextField(default="")
    #: Whether the page of the category is published even if it has no entries.
    always = BooleanField(default=False)
    #: The source and the section file that an imported category comes from. It must be edited there.
    source = TextField(null=True)
    source_path = TextField(null=True)

    class Meta:
        """A path is unique within the site."""

        indexes = ((("site", "path"), True),)


class Tag(BaseModel):
    """A tag."""

    id = AutoField()
    site_id: int
    site = ForeignKeyField(Site, backref="tags", on_delete="CASCADE")
    name = TextField()
    slug = TextField()

    class Meta:
        """A slug is unique within the site."""

        indexes = ((("site", "slug"), True),)


class Entry(BaseModel):
    """An entry or a page. Its text is rendered when it is saved, and the HTML is stored with it.

    `html` and `excerpt` may contain late-bound addresses: `appliance:entry/ID`, `appliance:category/ID` and
    `appliance:asset/ID`. A build replaces them with the current addresses. `late_bound` is true if there are any.
    """

    id = AutoField()
    site_id: int
    site = ForeignKeyField(Site, backref="entries", on_delete="CASCADE")
    kind = TextField(default="entry")
    status = TextField(default="draft")
    title = TextField()
    slug = TextField()
    #: An address to use instead of the theme's pattern: `about/team` (a folder) or `old/page.html` (a file).
    address = TextField(null=True)
    #: The folder of a page: slugs joined by slashes.
    folder = TextField(default="")
    published_at = BigIntegerField()
    modified_at = BigIntegerField()
    unpublish_at = BigIntegerField(null=True)
    #: Local date of publication, such as `2026-11-22`. Archives group entries by a prefix of this date.
    day = TextField()
    #: Local date of the first day of the week of publication.
    week = TextField()
    #: The format of `text`: 'markdown' or 'html'.
    format = TextField(default="markdown")
    text = TextField(default="")
    html = TextField(default="")
    #: HTML: the excerpt that the author wrote, or the beginning of the text.
    excerpt = TextField(default="")
    #: Plain text for search engines and feeds.
    summary = TextField(default="")
    late_bound = BooleanField(default=False)
    allow_comments = BooleanField(default=True)
    #: JSON object: front matter keys that have no column.
    extra = TextField(default="{}")
    #: Whether its HTML was sanitised, since its author may not publish HTML as written; null stands for no.
    sanitised = BooleanField(null=True)
    #: Whether its address, slug or folder was given by somebody who may not replace pages of the site, so that it gives
    #: way to what the theme makes; null stands for no.
    gives_way = BooleanField(null=True)
    #: JSON object or null. For each path below the site that another entry already has, it holds the number that is
    #: appended to the name of this entry. Planning stores the number, so that the address of this entry stays the same
    #: if the other entry is removed.
    numbers = TextField(null=True)
    #: The source and the file that an imported entry comes from. It must be edited there.
    source = TextField(null=True)
    source_path = TextField(null=True)
    source_digest = TextField(null=True)

    class Meta:
        """A file of a source becomes at most one entry. The indexes below match the orders of listings."""

        indexes = ((("site", "source", "source_path"), True),)


_PUBLISHED = SQL("status = 'published'")
Entry.add_index(Entry.index(Entry.site, Entry.kind, Entry.published_at, Entry.id, name="entry_order", where=_PUBLISHED))
Entry.add_index(
    Entry.index(Entry.site, Entry.kind, Entry.day, Entry.published_at, Entry.id, name="entry_day", where=_PUBLISHED)
)
Entry.add_index(
    Entry.index(Entry.site, Entry.kind, Entry.week, Entry.published_at, Entry.id, name="entry_week", where=_PUBLISHED)
)
# One index for each order in which the entries of a site, status and kind are listed. Only the beginning of a title is
# indexed, because PostgreSQL limits the size of an index entry.
_GROUP = (Entry.site, Entry.status, Entry.kind)
Entry.add_index(Entry.index(*_GROUP, Entry.published_at, Entry.id, name="entry_list_date"))
Entry.add_index(Entry.index(*_GROUP, Entry.modified_at, Entry.id, name="entry_list_modified"))
Entry.add_index(Entry.index(*_GROUP, SQL("substr(title, 1, 120)"), Entry.id, name="entry_list_title"))
# `content.schedule` finds the entries that are due next with these two indexes.
Entry.add_index(Entry.index(Entry.published_at, name="entry_scheduled", where=SQL("status = 'scheduled'")))
Entry.add_index(
    Entry.index(
        Entry.unpublish_at, name="entry_expiring", where=SQL("status = 'published' AND unpublish_at IS NOT NULL")
    )
)
Entry.add_index(Entry.index(Entry.site, Entry.slug, name="entry_slug"))
Entry.add_index(Entry.index(Entry.site, Entry.address, name="entry_address", where=SQL("address IS NOT NULL")))


class EntryAuthor(BaseModel):
    """An author of an entry. The first author has `position` 0."""

    entry = ForeignKeyField(Entry, backref="entry_authors", on_delete="CASCADE")
    author = ForeignKeyField(Author, backref="author_entries", on_delete="CASCADE")
    position = IntegerField(default=0)
    #: See `content.listing_index`.
    live_at = BigIntegerField(null=True)

    class Meta:
        """An entry has an author at most once."""

        primary_key = CompositeKey("entry", "author")


EntryAuthor.add_index(
    EntryAuthor.index(EntryAuthor.author, EntryAuthor.live_at, EntryAuthor.entry, name="entry_author_order")
)


class EntryCategory(BaseModel):
    """A category of an entry. One category is primary: its path is used in the entry's address."""

    entry = ForeignKeyField(Entry, backref="entry_categories", on_delete="CASCADE")
    category = ForeignKeyField(Category, backref="category_entries", on_delete="CASCADE")
    is_primary = BooleanField(default=False)
    #: See `content.listing_index`.
    live_at = BigIntegerField(null=True)

    class Meta:
        """An entry has a category at most once."""

        primary_key = CompositeKey("entry", "category")


EntryCategory.add_index(
    EntryCategory.index(EntryCategory.category, EntryCategory.live_at, EntryCategory.entry, name="entry_category_order")
)


class EntryTag(BaseModel):
    """A tag of an entry. `position` keeps the order in which the author wrote the tags."""

    entry = ForeignKeyField(Entry, backref="entry_tags", on_delete="CASCADE")
    tag = ForeignKeyField(Tag, backref="tag_entries", on_delete="CASCADE")
    position = IntegerField(default=0)
    #: See `content.listing_index`.
    live_at = BigIntegerField(null=True)

    class Meta:
        """An entry has a tag at most once."""

        primary_key = CompositeKey("entry", "tag")


EntryTag.add_index(EntryTag.index(EntryTag.tag, EntryTag.live_at, EntryTag.entry, name="entry_tag_order"))


class Alias(BaseModel):
    """A former address of an entry, published as a redirect."""

    id = AutoField()
    site_id: int
    entry_id: int
    site = ForeignKeyField(Site, backref="aliases", on_delete="CASCADE")
    entry = ForeignKeyField(Entry, backref="aliases", on_delete="CASCADE")
    #: The former address without its leading slash: `2015/05/15/Rust-1.0.html` or `releases/1.88.0`.
    path = TextField()

    class Meta:
        """A path is unique within the site, so a former address redirects to one entry."""

        indexes = ((("site", "path"), True),)


class Comment(BaseModel):
    """A reader's comment. `html` is sanitised before it is saved."""

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
# Indexes for the lists of comments with a status and of comments on an entry.
Comment.add_index(Comment.index(Comment.status, Comment.created_at, Comment.id, name="comment_list"))
Comment.add_index(Comment.index(Comment.entry, Comment.created_at, Comment.id, name="comment_list_entry"))
Comment.add_index(
    Comment.index(
        SQL("lower(author_email)"), Comment.status, Comment.created_at, Comment.id,
        name="comment_sender", where=SQL("author_email <> ''"),
    )
)  # fmt: skip


class Ping(BaseModel):
    """An imported TrackBack ping. It is kept for exports; no page shows it."""

    id = AutoField()
    entry_id: int
    entry = ForeignKeyField(Entry, backref="pings", on_delete="CASCADE")
    title = TextField(default="")
    url = TextField(default="")
    blog_name = TextField(default="")
    ip = TextField(default="")
    #: The excerpt that the other site sent, unchanged.
    text = TextField(default="")
    at = BigIntegerField()


class Asset(BaseModel):
    """An uploaded file. Its bytes are stored by digest in the assets folder; `path` is its address."""

    id = AutoField()
    site_id: int
    entry_id: int | None
    site = ForeignKeyField(Site, backref="assets", on_delete="CASCADE")
    #: The entry that the file belongs to, if any.
    entry = ForeignKeyField(Entry, null=True, backref="assets", on_delete="SET NULL")
    path = TextField()
    #: BLAKE2b-256 of the bytes, hexadecimal; also the name of the stored file.
    digest = TextField()
    size = BigIntegerField()
    media_type = TextField(default="application/octet-stream")
    #: Width and height in pixels. Null for a file that is not a picture.
    width = IntegerField(null=True)
    height = IntegerField(null=True)
    #: Whether its path was given by somebody who may not replace pages of the site; as of entries.
    gives_way = BooleanField(null=True)
    source = TextField(null=True)
    source_path = TextField(null=True)

    class Meta:
        """A path is unique within the site, and a file of a source becomes at most one asset."""

        indexes = ((("site", "path"), True), (("site", "source", "source_path"), True))


class EntryAsset(BaseModel):
    """A reference from the text or excerpt of an entry to an uploaded file; see `content.asset_references`."""

    entry = ForeignKeyField(Entry, backref="entry_assets", on_delete="CASCADE")
    asset = ForeignKeyField(Asset, backref="asset_entries", on_delete="CASCADE")

    class Meta:
        """A reference from an entry to a file is stored once, even if the text repeats it."""

        primary_key = CompositeKey("entry", "asset")


class Source(BaseModel):
    """The state of a source that a site imports from. The settings define the source itself."""

    id = AutoField()
    site_id: int
    site = ForeignKeyField(Site, backref="sources", on_delete="CASCADE")
    name = TextField()
    #: The commit that was imported last. Empty for a folder and before the first import.
    revision = TextField(default="")
    #: The repository or folder of the last import.
    place = TextField(default="")
    #: The time of the last successful pull, and of the last attempt.
    pulled_at = BigIntegerField(null=True)
    tried_at = BigIntegerField(null=True)
    #: The outcome of the last attempt: 'changed', 'unchanged' or 'failed'.
    outcome = TextField(default="")
    error = TextField(null=True)
    #: Whether an import has started but not finished.
    unfinished = BooleanField(default=False)

    class Meta:
        """The name of a source is unique within the site."""

        indexes = ((("site", "name"), True),)


class Change(BaseModel):
    """A change to content, recorded in the same transaction as the change. Planning reads the unplanned changes.

    In the database the columns keep the names `what`, `was` and `told`, so that the previous release can still use the
    table.
    """

    id = AutoField()
    site_id: int
    site = ForeignKeyField(Site, backref="changes", on_delete="CASCADE")
    at = BigIntegerField()
    #: Who made the change: the name of an account, or `import` or `schedule`.
    actor = TextField(default="")
    #: The event in words, such as `comment approved` or `entry edited`.
    event = TextField(column_name="what")
    #: The kind of thing that changed: 'entry', 'comment', 'asset', 'category', 'author', 'tag', 'site', 'theme'.
    subject = TextField()
    subject_id = IntegerField(null=True)
    #: The entry that the change affects, if any.
    entry_id = IntegerField(null=True)
    #: Bits of the aspects of the entry that changed (`content.aspects.Aspect`). For other subjects all bits are set.
    aspects = IntegerField(default=-1)
    #: JSON object with earlier values that planning needs, or empty. See `content.changes.record`.
    previous = TextField(default="", column_name="was")
    planned = BooleanField(default=False)
    #: Number of the plan in steps that has taken it.
    plan = IntegerField(null=True)
    #: False until notifications about the change are enqueued. Only changes to comments start as false.
    notified = BooleanField(default=True, column_name="told")


Change.add_index(Change.index(Change.site, Change.id, name="change_untold", where=SQL("NOT told")))
Change.add_index(Change.index(Change.site, Change.id, name="change_unplanned", where=SQL("NOT planned")))

#: All tables in the order in which they are created, parents before children.
MODELS: Final = (
    Site,
    Author,
    Category,
    Tag,
    Entry,
    EntryAuthor,
    EntryCategory,
    EntryTag,
    Alias,
    Comment,
    Ping,
    Asset,
    EntryAsset,
    Source,
    Change,
)

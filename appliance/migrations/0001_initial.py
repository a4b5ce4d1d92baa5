"""The first tables.

A copy of the models as they were then, independent of the application's: what a migration does never changes. A test
compares what all migrations make with the models of the day.
"""

from peewee import (
    SQL,
    BigAutoField,
    BigIntegerField,
    BooleanField,
    CompositeKey,
    DoubleField,
    ForeignKeyField,
    IntegerField,
    Model,
    PostgresqlDatabase,
    TextField,
)


class Table(Model):
    class Meta:
        legacy_table_names = False


class Site(Table):
    name = TextField(unique=True)
    title = TextField()
    url = TextField()
    folder = TextField()
    description = TextField()
    theme = TextField()
    language = TextField()
    timezone = TextField()
    week_starts = TextField()
    empty_archives = BooleanField()
    comment_endpoint = TextField()
    settings = TextField()


class Author(Table):
    site = ForeignKeyField(Site, on_delete="CASCADE")
    name = TextField()
    slug = TextField()
    email = TextField()
    url = TextField()
    about = TextField()

    class Meta:
        indexes = ((("site", "slug"), True),)


class Category(Table):
    site = ForeignKeyField(Site, on_delete="CASCADE")
    parent = ForeignKeyField("self", null=True, on_delete="SET NULL")
    name = TextField()
    slug = TextField()
    path = TextField()
    address = TextField(null=True)
    description = TextField()
    always = BooleanField()
    source = TextField(null=True)
    source_path = TextField(null=True)

    class Meta:
        indexes = ((("site", "path"), True),)


class Tag(Table):
    site = ForeignKeyField(Site, on_delete="CASCADE")
    name = TextField()
    slug = TextField()

    class Meta:
        indexes = ((("site", "slug"), True),)


class Entry(Table):
    site = ForeignKeyField(Site, on_delete="CASCADE")
    kind = TextField()
    status = TextField()
    title = TextField()
    slug = TextField()
    address = TextField(null=True)
    folder = TextField()
    published_at = BigIntegerField()
    modified_at = BigIntegerField()
    unpublish_at = BigIntegerField(null=True)
    day = TextField()
    week = TextField()
    format = TextField()
    text = TextField()
    html = TextField()
    excerpt = TextField()
    summary = TextField()
    late_bound = BooleanField()
    allow_comments = BooleanField()
    extra = TextField()
    source = TextField(null=True)
    source_path = TextField(null=True)
    source_digest = TextField(null=True)

    class Meta:
        indexes = ((("site", "source", "source_path"), True),)


Entry.add_index(
    Entry.index(
        Entry.site, Entry.kind, Entry.published_at, Entry.id, name="entry_order", where=SQL("status = 'published'")
    )
)
Entry.add_index(
    Entry.index(
        Entry.site,
        Entry.kind,
        Entry.day,
        Entry.published_at,
        Entry.id,
        name="entry_day",
        where=SQL("status = 'published'"),
    )
)
Entry.add_index(
    Entry.index(
        Entry.site,
        Entry.kind,
        Entry.week,
        Entry.published_at,
        Entry.id,
        name="entry_week",
        where=SQL("status = 'published'"),
    )
)
Entry.add_index(Entry.index(Entry.published_at, name="entry_scheduled", where=SQL("status = 'scheduled'")))
Entry.add_index(
    Entry.index(
        Entry.unpublish_at, name="entry_expiring", where=SQL("status = 'published' AND unpublish_at IS NOT NULL")
    )
)
Entry.add_index(Entry.index(Entry.site, Entry.slug, name="entry_slug"))
Entry.add_index(Entry.index(Entry.site, Entry.address, name="entry_address", where=SQL("address IS NOT NULL")))


class EntryAuthor(Table):
    entry = ForeignKeyField(Entry, on_delete="CASCADE")
    author = ForeignKeyField(Author, on_delete="CASCADE")
    position = IntegerField()
    live_at = BigIntegerField(null=True)

    class Meta:
        primary_key = CompositeKey("entry", "author")


EntryAuthor.add_index(
    EntryAuthor.index(EntryAuthor.author, EntryAuthor.live_at, EntryAuthor.entry, name="entry_author_order")
)


class EntryCategory(Table):
    entry = ForeignKeyField(Entry, on_delete="CASCADE")
    category = ForeignKeyField(Category, on_delete="CASCADE")
    is_primary = BooleanField()
    live_at = BigIntegerField(null=True)

    class Meta:
        primary_key = CompositeKey("entry", "category")


EntryCategory.add_index(
    EntryCategory.index(EntryCategory.category, EntryCategory.live_at, EntryCategory.entry, name="entry_category_order")
)


class EntryTag(Table):
    entry = ForeignKeyField(Entry, on_delete="CASCADE")
    tag = ForeignKeyField(Tag, on_delete="CASCADE")
    position = IntegerField()
    live_at = BigIntegerField(null=True)

    class Meta:
        primary_key = CompositeKey("entry", "tag")


EntryTag.add_index(EntryTag.index(EntryTag.tag, EntryTag.live_at, EntryTag.entry, name="entry_tag_order"))


class Alias(Table):
    site = ForeignKeyField(Site, on_delete="CASCADE")
    entry = ForeignKeyField(Entry, on_delete="CASCADE")
    path = TextField()

    class Meta:
        indexes = ((("site", "path"), True),)


class Comment(Table):
    entry = ForeignKeyField(Entry, on_delete="CASCADE")
    parent = ForeignKeyField("self", null=True, on_delete="SET NULL")
    status = TextField()
    author_name = TextField()
    author_email = TextField()
    author_url = TextField()
    text = TextField()
    html = TextField()
    created_at = BigIntegerField()


Comment.add_index(
    Comment.index(Comment.entry, Comment.created_at, name="comment_approved", where=SQL("status = 'approved'"))
)


class Asset(Table):
    site = ForeignKeyField(Site, on_delete="CASCADE")
    entry = ForeignKeyField(Entry, null=True, on_delete="SET NULL")
    path = TextField()
    digest = TextField()
    size = BigIntegerField()
    media_type = TextField()
    width = IntegerField(null=True)
    height = IntegerField(null=True)
    source = TextField(null=True)
    source_path = TextField(null=True)

    class Meta:
        indexes = ((("site", "path"), True), (("site", "source", "source_path"), True))


class Change(Table):
    site = ForeignKeyField(Site, on_delete="CASCADE")
    at = BigIntegerField()
    actor = TextField()
    what = TextField()
    subject = TextField()
    subject_id = IntegerField(null=True)
    entry_id = IntegerField(null=True)
    planned = BooleanField()
    told = BooleanField()


Change.add_index(Change.index(Change.site, Change.id, name="change_untold", where=SQL("NOT told")))
Change.add_index(Change.index(Change.site, Change.id, name="change_unplanned", where=SQL("NOT planned")))


class Artifact(Table):
    site = ForeignKeyField(Site, on_delete="CASCADE")
    path = TextField(unique=True)
    type = TextField()
    template = TextField()
    subject = IntegerField(null=True)
    period = TextField()
    page = IntegerField()
    per_page = IntegerField()
    is_permalink = BooleanField()
    priority = IntegerField()
    every = DoubleField()
    wanted = BooleanField()
    plan = IntegerField()
    digest = TextField(null=True)
    size = BigIntegerField(null=True)
    version = BigIntegerField()


Artifact.add_index(
    Artifact.index(Artifact.type, Artifact.subject, Artifact.period, Artifact.page, name="artifact_subject")
)
Artifact.add_index(Artifact.index(Artifact.site, Artifact.plan, name="artifact_plan"))


class Planned(Table):
    site = ForeignKeyField(Site, primary_key=True, on_delete="CASCADE")
    theme_digest = TextField()


class Job(Table):
    id = BigAutoField()
    kind = TextField()
    key = TextField()
    scope = TextField()
    priority = IntegerField()
    rank = DoubleField()
    state = TextField()
    outcome = TextField(null=True)
    every = DoubleField()
    run_at = DoubleField()
    created_at = DoubleField()
    claimed_at = DoubleField(null=True)
    finished_at = DoubleField(null=True)
    worker = TextField(null=True)
    attempt = IntegerField()
    failures = IntegerField()
    lease_until = DoubleField(null=True)
    triggers = IntegerField()
    reason = TextField()
    answer = TextField()
    payload = TextField(null=True)
    error_class = TextField(null=True)
    error_message = TextField(null=True)
    error_trace = TextField(null=True)


Job.add_index(Job.index(Job.kind, Job.key, name="job_one_pending", unique=True, where=SQL("state = 'pending'")))
Job.add_index(Job.index(Job.kind, Job.key, name="job_one_running", unique=True, where=SQL("state = 'running'")))
Job.add_index(Job.index(Job.kind, Job.key, name="job_failed", where=SQL("state = 'failed'")))
Job.add_index(Job.index(Job.rank, Job.id, name="job_order", where=SQL("state = 'pending'")))
Job.add_index(Job.index(Job.run_at, name="job_held_back", where=SQL("state = 'pending' AND every > 0")))
Job.add_index(Job.index(Job.state, Job.finished_at, name="job_ended", where=SQL("state NOT IN ('pending', 'running')")))


class JobTrigger(Table):
    job = ForeignKeyField(Job, on_delete="CASCADE")
    reason = TextField()
    actor = TextField()
    change_id = BigIntegerField(null=True)
    first_at = DoubleField()
    last_at = DoubleField()
    times = IntegerField()

    class Meta:
        primary_key = CompositeKey("job", "reason", "actor")


class Throttle(Table):
    kind = TextField()
    key = TextField()
    until = DoubleField()

    class Meta:
        primary_key = CompositeKey("kind", "key")


class Process(Table):
    name = TextField(primary_key=True)
    host = TextField()
    pid = IntegerField()
    role = TextField()
    keeper = TextField()
    doing = TextField()
    memory = BigIntegerField()
    jobs = BigIntegerField()
    started_at = DoubleField()
    beat_at = DoubleField()
    request = TextField(null=True)


class Periodic(Table):
    name = TextField(primary_key=True)
    due_at = DoubleField()
    done_at = DoubleField(null=True)
    host = TextField()
    lease_until = DoubleField(null=True)
    error = TextField(null=True)


class Publication(Table):
    id = BigAutoField()
    path = TextField()
    op = TextField()
    version = BigIntegerField()
    digest = TextField(null=True)
    size = BigIntegerField(null=True)
    origin = TextField()
    at = DoubleField()

    class Meta:
        indexes = ((("path", "id"), False), (("origin", "id"), False))


class Cursor(Table):
    target = TextField()
    origin = TextField()
    address = TextField()
    publication = BigIntegerField()
    confirmed_at = DoubleField(null=True)
    pushed_at = DoubleField(null=True)
    files = IntegerField()
    bytes = BigIntegerField()
    seconds = DoubleField()
    error = TextField(null=True)

    class Meta:
        primary_key = CompositeKey("target", "origin")


MODELS = [
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
    Asset,
    Change,
    Artifact,
    Planned,
    Job,
    JobTrigger,
    Throttle,
    Process,
    Periodic,
    Publication,
    Cursor,
]

# The clock all hosts agree on; the offset lets a test move it.
_CLOCK = """
CREATE OR REPLACE FUNCTION appliance_now() RETURNS double precision LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
    SELECT extract(epoch FROM clock_timestamp())::double precision
         + COALESCE(NULLIF(current_setting('appliance.clock_offset', true), ''), '0')::double precision
$$
"""


def up(migrator, db):
    with db.bind_ctx(MODELS):
        db.create_tables(MODELS)
    if isinstance(db, PostgresqlDatabase):
        db.execute_sql(_CLOCK)
        # Planning compares paths byte by byte, whatever the language of the database.
        for table in ("artifact", "publication"):
            db.execute_sql(f'ALTER TABLE {table} ALTER COLUMN path TYPE text COLLATE "C"')

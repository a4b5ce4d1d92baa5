"""Where readers' comments came from, bans, notices of replies, signing keys, and where a site is searched.

The release before goes on: it knows nothing of the new tables, and the new column may be empty.
"""

from peewee import SQL, AutoField, BigIntegerField, ForeignKeyField, Model, TextField


class Table(Model):
    class Meta:
        legacy_table_names = False


class Site(Table):
    id = AutoField()


class Comment(Table):
    id = AutoField()


class CommentOrigin(Table):
    comment = ForeignKeyField(Comment, primary_key=True, on_delete="CASCADE")
    submission = TextField(null=True, unique=True)
    address = TextField()
    network = TextField()
    user_agent = TextField()
    referrer = TextField()
    reason = TextField()
    created_at = BigIntegerField()


CommentOrigin.add_index(
    CommentOrigin.index(CommentOrigin.created_at, name="comment_origin_kept", where=SQL("address <> ''"))
)


class CommentBan(Table):
    id = AutoField()
    site = ForeignKeyField(Site, on_delete="CASCADE")
    kind = TextField()
    value = TextField()
    reason = TextField()
    created_by = TextField()
    created_at = BigIntegerField()

    class Meta:
        indexes = ((("site", "kind", "value"), True),)


class ReplyNotice(Table):
    id = AutoField()
    comment = ForeignKeyField(Comment, unique=True, on_delete="CASCADE")
    email = TextField()
    created_at = BigIntegerField()
    confirmed_at = BigIntegerField(null=True)
    ended_at = BigIntegerField(null=True)


ReplyNotice.add_index(ReplyNotice.index(ReplyNotice.email, name="reply_notice_email"))


class Secret(Table):
    name = TextField(primary_key=True)
    value = TextField()
    created_at = BigIntegerField()


MODELS = [CommentOrigin, CommentBan, ReplyNotice, Secret]


def up(migrator, db):
    with db.bind_ctx(MODELS):
        db.create_tables(MODELS)
    migrator.migrate(migrator.add_column("site", "search_endpoint", TextField(null=True)))
    # “First comment by this e-mail address” and the erasure of an address look comments up by it.
    db.execute_sql("""CREATE INDEX "comment_email" ON "comment" (lower(author_email)) WHERE author_email <> ''""")

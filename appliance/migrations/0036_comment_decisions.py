"""What moderators decide about comments, so that it can be undone, and the comments of a sender by status and time.

The release before goes on: it knows nothing of the new table, and finds senders by the new index as by the former.
"""

from peewee import SQL, AutoField, BigIntegerField, ForeignKeyField, IntegerField, Model, TextField


class Table(Model):
    class Meta:
        legacy_table_names = False


class Site(Table):
    id = AutoField()


class CommentDecision(Table):
    id = AutoField()
    act = TextField(index=True)
    site = ForeignKeyField(Site, on_delete="CASCADE")
    comment_id = IntegerField(index=True)
    before = TextField()
    after = TextField()
    made_by = TextField()
    made_at = BigIntegerField(index=True)
    content = TextField()
    author_email = TextField()
    network = TextField()


CommentDecision.add_index(
    CommentDecision.index(
        SQL("lower(author_email)"),
        CommentDecision.made_at,
        name="comment_decision_email",
        where=SQL("author_email <> ''"),
    )
)
CommentDecision.add_index(
    CommentDecision.index(CommentDecision.made_at, name="comment_decision_content", where=SQL("content <> ''"))
)
CommentDecision.add_index(
    CommentDecision.index(
        CommentDecision.network, CommentDecision.made_at, name="comment_decision_network", where=SQL("network <> ''")
    )
)


def up(migrator, db):
    with db.bind_ctx([CommentDecision]):
        db.create_tables([CommentDecision])
    db.execute_sql(
        'CREATE INDEX "comment_sender" ON "comment" (lower(author_email), "status", "created_at", "id")'
        " WHERE author_email <> ''"
    )
    db.execute_sql('DROP INDEX "comment_email"')

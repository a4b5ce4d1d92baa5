"""Digests of comments' texts, and indexes by network and text.

The release before goes on: the column may be empty, and indexes only add to what is there.
"""

from peewee import TextField


def up(migrator, db):
    migrator.migrate(migrator.add_column("comment_origin", "text_digest", TextField(null=True)))
    for name, column, condition in (
        ("comment_origin_network", "network", "network <> ''"),
        ("comment_origin_text", "text_digest", "text_digest IS NOT NULL"),
    ):
        db.execute_sql(f'CREATE INDEX "{name}" ON "comment_origin" ("{column}", "created_at") WHERE {condition}')

"""When a reader was asked to confirm notices of replies, and how many readers asked for them lately.

The release before goes on: the new column may be empty.
"""

from peewee import BigIntegerField


def up(migrator, db):
    migrator.migrate(migrator.add_column("reply_notice", "asked_at", BigIntegerField(null=True)))
    db.execute_sql('CREATE INDEX "reply_notice_created" ON "reply_notice" ("created_at")')

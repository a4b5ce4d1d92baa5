"""The second cursor of readers of the journal, ahead of a backlog.

The release before goes on: it sends everything in order, and what was sent ahead is still there. If it resets a cursor
and leaves these columns, the next spot check compares what they say.
"""

from peewee import SQL, BigIntegerField, BooleanField, DoubleField


def up(migrator, db):
    number = {"default": 0, "constraints": [SQL("DEFAULT 0")]}
    migrator.migrate(
        migrator.add_column("cursor", "ahead_after", BigIntegerField(**number)),
        migrator.add_column("cursor", "ahead", BigIntegerField(**number)),
        migrator.add_column("cursor", "ahead_at", DoubleField(null=True)),
        migrator.add_column("webhook_cursor", "ahead_after", BigIntegerField(**number)),
        migrator.add_column("webhook_cursor", "ahead", BigIntegerField(**number)),
        migrator.add_column("confirmation", "ahead", BooleanField(default=False, constraints=[SQL("DEFAULT FALSE")])),
    )

"""What the spam check took a comment for. The release before goes on: the column may be empty."""

from peewee import TextField


def up(migrator, db):
    migrator.migrate(migrator.add_column("comment_origin", "judged", TextField(null=True)))

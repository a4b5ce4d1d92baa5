"""How the web process takes comments of a site, for its pages. The release before does not read the column."""

from peewee import TextField


def up(migrator, db):
    migrator.migrate(migrator.add_column("site", "comment_rules", TextField(null=True)))

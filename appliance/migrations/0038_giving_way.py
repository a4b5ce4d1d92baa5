"""Whose paths give way to what the theme makes, and the paths that a theme may use one day.

An entry that is sanitised was written by somebody who may not replace pages of the site, and so was its address, as far
as the tables tell. The release before goes on: what it adds gives way to nothing, as everything did then.
"""

from peewee import BooleanField, TextField


def up(migrator, db):
    migrator.migrate(
        migrator.add_column("entry", "gives_way", BooleanField(null=True)),
        migrator.add_column("asset", "gives_way", BooleanField(null=True)),
        migrator.add_column("planned", "reserved", TextField(null=True)),
    )
    db.execute_sql("UPDATE entry SET gives_way = sanitised WHERE sanitised")

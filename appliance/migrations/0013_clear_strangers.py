"""Whether a repair of a target removes what the journal never put there."""

from peewee import SQL, BooleanField


def up(migrator, db):
    field = BooleanField(default=False, constraints=[SQL("DEFAULT FALSE")])
    migrator.migrate(migrator.add_column("standing", "clear_strangers", field))

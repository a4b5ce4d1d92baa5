"""Plans that are made in several transactions: which one is open, and which changes it has taken.

The release before goes on: it makes each plan in one transaction and looks at neither.
"""

from peewee import BooleanField, DoubleField, ForeignKeyField, IntegerField, Model, TextField


class Table(Model):
    class Meta:
        legacy_table_names = False


class Site(Table):
    pass


class OpenPlan(Table):
    site = ForeignKeyField(Site, primary_key=True, on_delete="CASCADE")
    number = IntegerField()
    holder = TextField()
    at = DoubleField()
    has_displaced = BooleanField()


def up(migrator, db):
    migrator.migrate(migrator.add_column("change", "plan", IntegerField(null=True)))
    with db.bind_ctx([Site, OpenPlan]):
        db.create_tables([OpenPlan])

"""Where the pages of listings begin, which artifacts are such pages, and the addresses that lead to a path.

The release before goes on: it counts the pages of listings from the newest entry, whatever the new table says, and
leads nowhere from the new sort of former address.
"""

from peewee import SQL, BigIntegerField, BooleanField, CompositeKey, ForeignKeyField, IntegerField, Model, TextField


class Table(Model):
    class Meta:
        legacy_table_names = False


class Site(Table):
    id = IntegerField(primary_key=True)


class ListingPage(Table):
    site = ForeignKeyField(Site, on_delete="CASCADE", index=False)
    type = TextField()
    subject = IntegerField()
    period = TextField()
    per_page = IntegerField()
    number = IntegerField()
    first_at = BigIntegerField()
    first_id = BigIntegerField()
    pages = IntegerField()

    class Meta:
        primary_key = CompositeKey("site", "type", "subject", "period", "per_page", "number")


ListingPage.add_index(
    ListingPage.index(
        *(ListingPage.site, ListingPage.type, ListingPage.subject, ListingPage.period, ListingPage.per_page),
        *(ListingPage.first_at, ListingPage.first_id),
        name="listing_page_order",
    )
)


def up(migrator, db):
    with db.bind_ctx([ListingPage]):
        db.create_tables([ListingPage])
    migrator.migrate(
        migrator.add_column("artifact", "from_oldest", BooleanField(default=False, constraints=[SQL("DEFAULT FALSE")])),
        migrator.add_column("artifact", "counted", TextField(null=True)),
        migrator.add_column("move", "target", TextField(null=True)),
    )
    db.execute_sql(
        'CREATE INDEX "artifact_counted" ON "artifact" ("type", "subject", "period") WHERE counted IS NOT NULL'
    )
    db.execute_sql('CREATE INDEX "move_target" ON "move" ("site_id", "target") WHERE target IS NOT NULL')

"""How many entries each listing has, and where each entry was counted. The next plan of each site counts them.

The release before goes on: it counts by reading all entries. Each plan stores the release that made it, so that the
first plan of this one after a plan of that one looks at the whole site, which counts everything anew.
"""

from peewee import CompositeKey, IntegerField, Model, TextField


class Table(Model):
    class Meta:
        legacy_table_names = False


class ListingTotal(Table):
    site_id = IntegerField()
    type = TextField()
    subject = IntegerField()
    period = TextField()
    entries = IntegerField()

    class Meta:
        primary_key = CompositeKey("site_id", "type", "subject", "period")


ListingTotal.add_index(
    ListingTotal.index(
        ListingTotal.site_id, ListingTotal.type, ListingTotal.period, ListingTotal.entries, name="listing_total_most"
    )
)


class Placement(Table):
    entry_id = IntegerField(primary_key=True)
    site_id = IntegerField(index=True)
    day = TextField()
    week = TextField()
    authors = TextField()
    categories = TextField()
    tags = TextField()


MODELS = [ListingTotal, Placement]


def up(migrator, db):
    with db.bind_ctx(MODELS):
        db.create_tables(MODELS)
    # What the next plan of a site compares its theme with, so that it looks at the whole site.
    told = "' with faults'"
    db.execute_sql(
        f"UPDATE planned SET theme_digest = theme_digest || {told}"
        f" WHERE substr(theme_digest, length(theme_digest) - {len(told) - 3}) <> {told}"
    )

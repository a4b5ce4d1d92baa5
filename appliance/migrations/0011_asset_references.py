"""Which uploaded files the texts of entries show; a site is planned as a whole once, since drafts keep theirs back."""

import re

from peewee import CompositeKey, ForeignKeyField, Model, TextField

_REFERENCE = re.compile(r"appliance:asset/(\d{1,18})")
_CHUNK = 500


class Table(Model):
    class Meta:
        legacy_table_names = False


class Entry(Table):
    html = TextField()
    excerpt = TextField()


class Asset(Table):
    pass


class EntryAsset(Table):
    entry = ForeignKeyField(Entry, on_delete="CASCADE")
    asset = ForeignKeyField(Asset, on_delete="CASCADE")

    class Meta:
        primary_key = CompositeKey("entry", "asset")


def up(migrator, db):
    with db.bind_ctx([Entry, Asset, EntryAsset]):
        db.create_tables([EntryAsset])
        shows_any = Entry.html.contains("appliance:asset/") | Entry.excerpt.contains("appliance:asset/")
        known = {key for (key,) in Asset.select(Asset.id).tuples()}
        last = 0
        while rows := list(
            Entry.select(Entry.id, Entry.html, Entry.excerpt)
            .where(Entry.id > last, shows_any)
            .order_by(Entry.id)
            .limit(_CHUNK)
            .tuples()
        ):
            last = rows[-1][0]
            shown = [
                {"entry": entry, "asset": asset}
                for entry, html, excerpt in rows
                for asset in sorted({int(found) for found in _REFERENCE.findall(html + excerpt)} & known)
            ]
            for start in range(0, len(shown), _CHUNK):
                EntryAsset.insert_many(shown[start : start + _CHUNK]).execute()
    db.execute_sql("UPDATE planned SET site_digest = ''")

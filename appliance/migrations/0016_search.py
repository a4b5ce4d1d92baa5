"""The words of entries, which entries have to be read again, and triggers that follow every change of an entry.

The release before goes on: it knows nothing of the new tables, and the triggers fill them.
"""

from peewee import AutoField, BigIntegerField, ForeignKeyField, IntegerField, Model, SqliteDatabase, TextField


class Table(Model):
    class Meta:
        legacy_table_names = False


class Site(Table):
    id = AutoField()


class Entry(Table):
    id = AutoField()


class SearchDocument(Table):
    entry = ForeignKeyField(Entry, primary_key=True, on_delete="CASCADE")
    number = BigIntegerField(unique=True)
    site = ForeignKeyField(Site, on_delete="CASCADE", index=False)
    words = TextField()


class SearchStale(Table):
    entry = ForeignKeyField(Entry, primary_key=True, on_delete="CASCADE")
    mark = BigIntegerField(index=True)


class SearchState(Table):
    site = ForeignKeyField(Site, primary_key=True, on_delete="CASCADE")
    version = IntegerField()
    stemmer = TextField()
    position = IntegerField(null=True)


MODELS = [SearchDocument, SearchStale, SearchState]

_FOLLOWED = "site_id, status, title, html, published_at"
_DIFFERS = " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in _FOLLOWED.split(", "))
# The greater the later, and never the same again: milliseconds, followed by chance.
_SQLITE_MARK = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) * 1048576 + (random() & 1048575)"
_POSTGRESQL_MARK = """
CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) * 1048576 + CAST(floor(random() * 1048576) AS bigint)
"""
_STALE = """
INSERT INTO search_stale (entry_id, mark) VALUES (NEW.id, {mark})
ON CONFLICT (entry_id) DO UPDATE SET mark = excluded.mark
"""
_WITHDRAWN = "DELETE FROM search_document WHERE entry_id = NEW.id"

# The tokenizer finds the words again that ours made: they have letters and digits only. Another word names the site.
_SQLITE = (
    """CREATE VIRTUAL TABLE search_index USING fts5 (
        words, content = '', detail = 'none', columnsize = 0, tokenize = "ascii tokenchars '_'")""",
    """CREATE TRIGGER search_document_insert AFTER INSERT ON search_document BEGIN
        INSERT INTO search_index (rowid, words) VALUES (NEW.number, NEW.words || '_' || NEW.site_id);
    END""",
    """CREATE TRIGGER search_document_delete AFTER DELETE ON search_document BEGIN
        INSERT INTO search_index (search_index, rowid, words)
        VALUES ('delete', OLD.number, OLD.words || '_' || OLD.site_id);
    END""",
    """CREATE TRIGGER search_document_update AFTER UPDATE ON search_document BEGIN
        INSERT INTO search_index (search_index, rowid, words)
        VALUES ('delete', OLD.number, OLD.words || '_' || OLD.site_id);
        INSERT INTO search_index (rowid, words) VALUES (NEW.number, NEW.words || '_' || NEW.site_id);
    END""",
    f"""CREATE TRIGGER search_entry_insert AFTER INSERT ON entry WHEN NEW.status = 'published' BEGIN
        {_STALE.format(mark=_SQLITE_MARK)};
    END""",
    f"""CREATE TRIGGER search_entry_update AFTER UPDATE OF {_FOLLOWED} ON entry
    WHEN NEW.status = 'published' AND ({_DIFFERS}) BEGIN
        {_STALE.format(mark=_SQLITE_MARK)};
    END""",
    f"""CREATE TRIGGER search_entry_withdraw AFTER UPDATE OF status ON entry
    WHEN OLD.status = 'published' AND NEW.status <> 'published' BEGIN
        {_WITHDRAWN};
    END""",
)

# Rows without their words are narrow, so that thousands of them are read from few pages.
_POSTGRESQL = (
    "ALTER TABLE search_document SET (toast_tuple_target = 128)",
    """CREATE INDEX search_document_words ON search_document
       USING gin (array_to_tsvector(string_to_array(btrim(words), ' '))) WITH (fastupdate = off)""",
    f"""CREATE FUNCTION search_mark_stale() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        {_STALE.format(mark=_POSTGRESQL_MARK)};
        RETURN NULL;
    END $$""",
    f"""CREATE FUNCTION search_withdraw() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        {_WITHDRAWN};
        RETURN NULL;
    END $$""",
    """CREATE TRIGGER search_entry_insert AFTER INSERT ON entry FOR EACH ROW
       WHEN (NEW.status = 'published') EXECUTE FUNCTION search_mark_stale()""",
    f"""CREATE TRIGGER search_entry_update AFTER UPDATE OF {_FOLLOWED} ON entry FOR EACH ROW
       WHEN (NEW.status = 'published' AND ({_DIFFERS})) EXECUTE FUNCTION search_mark_stale()""",
    """CREATE TRIGGER search_entry_withdraw AFTER UPDATE OF status ON entry FOR EACH ROW
       WHEN (OLD.status = 'published' AND NEW.status <> 'published') EXECUTE FUNCTION search_withdraw()""",
)


def up(migrator, db):
    with db.bind_ctx(MODELS):
        db.create_tables(MODELS)
    for statement in _SQLITE if isinstance(db, SqliteDatabase) else _POSTGRESQL:
        db.execute_sql(statement)

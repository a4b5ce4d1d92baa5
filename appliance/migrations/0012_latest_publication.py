"""Marks the latest publication of each path, so that those it has superseded are passed over by an index.

The database keeps the mark, in the statement that writes a publication: the release before, which knows nothing of it,
goes on writing the same table while hosts are upgraded one after another.
"""

from peewee import PostgresqlDatabase

_MARK = """
UPDATE publication SET latest = FALSE WHERE EXISTS
(SELECT 1 FROM publication later WHERE later.path = publication.path AND later.id > publication.id)
"""
_INDEXES = (
    # By a sum, which no other index serves: a server would walk back through the primary key and leave out row by row.
    'CREATE INDEX "publication_latest" ON "publication" ("origin", (id + 0)) WHERE latest',
    'CREATE INDEX "publication_latest_path" ON "publication" ("path") WHERE latest',
    'CREATE INDEX "publication_superseded" ON "publication" ("origin", "id") WHERE NOT latest',
)
_SUPERSEDE = "UPDATE publication SET latest = FALSE WHERE path = NEW.path AND latest"
_SQLITE = f"CREATE TRIGGER publication_supersede BEFORE INSERT ON publication BEGIN {_SUPERSEDE}; END"
# A connection plans it once: made while the table was small, a plan would read all of it for ever.
_FUNCTION = f"""
CREATE FUNCTION publication_supersede() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN {_SUPERSEDE}; RETURN NEW; END $$
"""
_POSTGRESQL = """
CREATE TRIGGER publication_supersede BEFORE INSERT ON publication
FOR EACH ROW EXECUTE FUNCTION publication_supersede()
"""


def up(migrator, db):
    server = isinstance(db, PostgresqlDatabase)
    kind = "BOOLEAN NOT NULL DEFAULT TRUE" if server else "INTEGER NOT NULL DEFAULT 1"
    statements = [f"ALTER TABLE publication ADD COLUMN latest {kind}", _MARK, *_INDEXES]
    for statement in [*statements, *([_FUNCTION, _POSTGRESQL] if server else [_SQLITE])]:
        db.execute_sql(statement)

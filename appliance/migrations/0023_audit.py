"""The audit: what people and their programs did. The database itself refuses to change or delete its rows.

The release before goes on: it does not know the table.
"""

from peewee import BigIntegerField, DoubleField, Model, PostgresqlDatabase, TextField


class Audit(Model):
    id = BigIntegerField(primary_key=True)
    at = DoubleField()
    actor = TextField()
    via = TextField()
    address = TextField()
    request = TextField()
    token = TextField()
    site = TextField()
    action = TextField()
    subject = TextField()
    subject_id = TextField()
    label = TextField()
    before = TextField(null=True)
    after = TextField(null=True)
    previous = TextField()
    digest = TextField()


_INDEXES = {
    "audit_time": ("at", "id"),
    "audit_site": ("site", "at", "id"),
    "audit_actor": ("actor", "at", "id"),
    "audit_action": ("action", "at", "id"),
    "audit_subject": ("subject", "subject_id", "at", "id"),
}

# Whoever owns the table can still drop these: they keep faults of programs from it, as the chain shows what people did.
_SQLITE = """
CREATE TRIGGER audit_kept_from_{verb} BEFORE {verb} ON audit
BEGIN SELECT RAISE(ABORT, 'rows of the audit are never changed or deleted'); END
"""
# INSERT OR REPLACE deletes the row that is in its way, and no trigger for deletions hears of it.
_SQLITE_REPLACE = """
CREATE TRIGGER audit_kept_from_REPLACE BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'rows of the audit are never changed or deleted'); END
"""
_POSTGRESQL = """
CREATE FUNCTION audit_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'rows of the audit are never changed or deleted'; END $$;
CREATE TRIGGER audit_kept BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_keep()
"""


def up(migrator, db):
    with db.bind_ctx([Audit]):
        db.create_tables([Audit])
    for name, columns in _INDEXES.items():
        quoted = ", ".join(f'"{column}"' for column in columns)
        db.execute_sql(f'CREATE INDEX "{name}" ON "audit" ({quoted})')
    if isinstance(db, PostgresqlDatabase):
        db.execute_sql(_POSTGRESQL)
    else:
        for verb in ("UPDATE", "DELETE"):
            db.execute_sql(_SQLITE.format(verb=verb))
        db.execute_sql(_SQLITE_REPLACE)

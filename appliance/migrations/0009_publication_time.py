"""An index by time, for what was published lately: a courier whose target is far behind asks for that at every look."""


def up(migrator, db):
    db.execute_sql('CREATE INDEX "publication_origin_at" ON "publication" ("origin", "at")')

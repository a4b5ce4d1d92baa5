"""What pages read, so that a change asks for those that show it; and what of an entry a change touches."""

from peewee import AutoField, CompositeKey, ForeignKeyField, IntegerField, Model, PostgresqlDatabase, TextField

_COLUMNS = {
    "change": ["aspects INTEGER NOT NULL DEFAULT -1", "was TEXT NOT NULL DEFAULT ''"],
    "artifact": [
        "build TEXT NOT NULL DEFAULT 'queue'",
        "marked INTEGER NOT NULL DEFAULT 0",
        "built INTEGER NOT NULL DEFAULT 0",
        "recipe INTEGER",
        "shown TEXT",
        "reads TEXT",
    ],
    "planned": [
        "site_digest TEXT NOT NULL DEFAULT ''",
        "number INTEGER NOT NULL DEFAULT 0",
        "structure INTEGER NOT NULL DEFAULT 0",
        "at {real} NOT NULL DEFAULT 0",
    ],
}


class Table(Model):
    class Meta:
        legacy_table_names = False


class Site(Table):
    pass


class Artifact(Table):
    pass


class Recipe(Table):
    id = AutoField()
    site = ForeignKeyField(Site, on_delete="CASCADE")
    digest = TextField()

    class Meta:
        indexes = ((("site", "digest"), True),)


class RecipeKey(Table):
    recipe = ForeignKeyField(Recipe, on_delete="CASCADE")
    key = TextField()

    class Meta:
        primary_key = CompositeKey("recipe", "key")


class Answer(Table):
    site = ForeignKeyField(Site, on_delete="CASCADE")
    key = TextField()
    digest = TextField()

    class Meta:
        primary_key = CompositeKey("site", "key")


class Reading(Table):
    artifact = ForeignKeyField(Artifact, on_delete="CASCADE", index=False)
    kind = TextField()
    subject = IntegerField()
    aspects = IntegerField(default=0)

    class Meta:
        primary_key = CompositeKey("artifact", "kind", "subject")


Reading.add_index(Reading.index(Reading.kind, Reading.subject, Reading.artifact, Reading.aspects, name="reading_of"))


class Move(Table):
    id = AutoField()
    site = ForeignKeyField(Site, on_delete="CASCADE")
    path = TextField()
    type = TextField()
    subject = IntegerField()

    class Meta:
        indexes = ((("site", "path"), True), (("type", "subject"), False))


MODELS = [Recipe, RecipeKey, Answer, Reading, Move]


def up(migrator, db):
    real = "DOUBLE PRECISION" if isinstance(db, PostgresqlDatabase) else "REAL"
    for table, columns in _COLUMNS.items():
        for column in columns:
            db.execute_sql(f"ALTER TABLE {table} ADD COLUMN {column.format(real=real)}")
    db.execute_sql("DROP INDEX artifact_plan")
    permalink = "is_permalink AND wanted"
    db.execute_sql(f'CREATE INDEX "artifact_permalink" ON "artifact" ("type", "subject") WHERE {permalink}')
    db.execute_sql('CREATE INDEX "artifact_marked" ON "artifact" ("site_id", "marked")')
    db.execute_sql('CREATE INDEX "artifact_recipe" ON "artifact" ("recipe") WHERE recipe IS NOT NULL')
    db.execute_sql('CREATE INDEX "artifact_stale" ON "artifact" ("site_id", "id") WHERE marked > built')
    # What was read by what is published already was never recorded: all is built once more.
    db.execute_sql(
        "UPDATE planned SET theme_digest = '',"
        " number = COALESCE((SELECT MAX(plan) FROM artifact WHERE artifact.site_id = planned.site_id), 0)"
    )
    with db.bind_ctx(MODELS):
        db.create_tables(MODELS)

"""The first tables."""

from peewee import PostgresqlDatabase

from appliance.content.models import MODELS
from appliance.delivery.models import Cursor, Publication
from appliance.planning.models import Artifact, Planned
from appliance.queue.models import Job, JobTrigger, Periodic, Process, Throttle

# The clock all hosts agree on; the offset lets a test move it.
_CLOCK = """
CREATE OR REPLACE FUNCTION appliance_now() RETURNS double precision LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
    SELECT extract(epoch FROM clock_timestamp())::double precision
         + COALESCE(NULLIF(current_setting('appliance.clock_offset', true), ''), '0')::double precision
$$
"""


def up(migrator, db):
    db.create_tables([*MODELS, Artifact, Planned, Job, JobTrigger, Throttle, Process, Periodic, Publication, Cursor])
    if isinstance(db, PostgresqlDatabase):
        db.execute_sql(_CLOCK)
        # Planning compares paths byte by byte, whatever the language of the database.
        for table in ("artifact", "publication"):
            db.execute_sql(f'ALTER TABLE {table} ALTER COLUMN path TYPE text COLLATE "C"')

"""The first tables."""

from appliance.content.models import MODELS
from appliance.delivery.models import Cursor, Publication
from appliance.planning.models import Artifact, Planned
from appliance.queue.models import Job


def up(migrator, db):
    db.create_tables([*MODELS, Artifact, Planned, Job, Publication, Cursor])

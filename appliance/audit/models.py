"""The table of the audit.

It refers to no other table: what a row is about may be deleted, and its rows stay.
"""

from __future__ import annotations

from peewee import BigIntegerField, DoubleField, TextField

from appliance.db import BaseModel


class Audit(BaseModel):
    """Something that somebody did. Numbers begin with 1 and have no gaps."""

    id = BigIntegerField(primary_key=True)
    #: Seconds since the epoch on the database's clock.
    at = DoubleField()
    #: The name of who acted, and the way in; see `appliance.actor`.
    actor = TextField()
    via = TextField()
    address = TextField()
    request = TextField()
    token = TextField()
    #: The name of the site; empty for what concerns the installation.
    site = TextField()
    #: A noun and a verb: `entry.edit`.
    action = TextField()
    #: What kind of thing it was done to, which one, and what people call it.
    subject = TextField()
    subject_id = TextField()
    label = TextField()
    #: What changed, as canonical JSON; null if there was nothing before or is nothing after.
    before = TextField(null=True)
    after = TextField(null=True)
    #: The digest of the row before; empty in the first.
    previous = TextField()
    #: SHA-256 over all other columns, see `chain`.
    digest = TextField()


# Lists are in the order of time, whatever they are filtered by.
Audit.add_index(Audit.index(Audit.at, Audit.id, name="audit_time"))
Audit.add_index(Audit.index(Audit.site, Audit.at, Audit.id, name="audit_site"))
Audit.add_index(Audit.index(Audit.actor, Audit.at, Audit.id, name="audit_actor"))
Audit.add_index(Audit.index(Audit.action, Audit.at, Audit.id, name="audit_action"))
Audit.add_index(Audit.index(Audit.subject, Audit.subject_id, Audit.at, Audit.id, name="audit_subject"))

"""The tables of previews: what is built of each entry that a link shows, and the links.

Files are rows, not files: whichever publishing host a visit reaches has them, nothing that looks after a docroot or a
target can ever take one for a published file, and they go with the entry in the transaction that deletes it.
"""

from __future__ import annotations

from typing import Final

from peewee import AutoField, BigIntegerField, BlobField, CompositeKey, DoubleField, ForeignKeyField, TextField

from appliance.content.models import Entry, Site
from appliance.db import BaseModel


class Preview(BaseModel):
    """The preview of an entry, which all links to it show."""

    entry_id: int
    entry = ForeignKeyField(Entry, primary_key=True, backref="previews", on_delete="CASCADE")
    site_id: int
    site = ForeignKeyField(Site, backref="previews", on_delete="CASCADE")
    #: The number of the last request to build it, and the one that its files answer. The first one is the time in
    #: milliseconds, so that a build for links that were revoked never answers a request of later ones.
    requested = BigIntegerField()
    built = BigIntegerField(default=0)
    built_at = DoubleField(null=True)
    #: The path of the page of the entry.
    page = TextField(default="")
    #: Why the last build failed, and which files were too large to be kept; empty if that is not so.
    fault = TextField(default="")
    left_out = TextField(default="")


class Link(BaseModel):
    """A link to a preview. Times are seconds since the epoch on the database's clock."""

    id = AutoField()
    #: The SHA-256 of the secret, which is kept nowhere.
    digest = TextField(unique=True)
    entry_id: int
    entry = ForeignKeyField(Entry, backref="preview_links", on_delete="CASCADE")
    site_id: int
    site = ForeignKeyField(Site, backref="preview_links", on_delete="CASCADE")
    created_by = TextField(default="")
    created_at = DoubleField()
    expires_at = DoubleField()
    revoked_at = DoubleField(null=True)
    revoked_by = TextField(default="")
    #: When it was last opened, to the minute.
    seen_at = DoubleField(null=True)

    class Meta:
        """The name of the table says what the links lead to."""

        table_name = "preview_link"


class PreviewContent(BaseModel):
    """The bytes of files of previews, once for all files that have them."""

    digest = TextField(primary_key=True)
    content = BlobField()
    #: When a build last needed them.
    kept_at = DoubleField()


class PreviewFile(BaseModel):
    """A file of a preview, by its path below the root of the host."""

    preview = ForeignKeyField(Preview, backref="files", on_delete="CASCADE")
    path = TextField()
    digest = ForeignKeyField(PreviewContent, column_name="digest", on_delete="RESTRICT")

    class Meta:
        """A path is unique within its preview."""

        primary_key = CompositeKey("preview", "path")


#: All tables in the order in which they are created, parents before children.
MODELS: Final = (Preview, Link, PreviewContent, PreviewFile)

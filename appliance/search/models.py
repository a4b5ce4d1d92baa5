"""The database tables of the search.

Triggers on the table of entries keep `SearchStale` and remove what is withdrawn or deleted, so that no way of changing
an entry is missed. They and the index of words are made by the migration, since the two databases differ in them: on
SQLite triggers on `SearchDocument` feed the FTS5 table `search_index`, on PostgreSQL it has a GIN index.
"""

from __future__ import annotations

from typing import Final

from peewee import BigIntegerField, ForeignKeyField, IntegerField, TextField

from appliance.content.models import Entry, Site
from appliance.db import BaseModel


class SearchDocument(BaseModel):
    """The words of a published entry or page."""

    entry = ForeignKeyField(Entry, primary_key=True, on_delete="CASCADE")
    #: Orders the documents by the publication of their entries: see `index.document_number`.
    number = BigIntegerField(unique=True)
    site = ForeignKeyField(Site, on_delete="CASCADE", index=False)
    #: The words in the order of the text, each with a space on both sides: of the title, a bar, and of the text.
    words = TextField()


class SearchStale(BaseModel):
    """An entry whose words have to be read again."""

    entry = ForeignKeyField(Entry, primary_key=True, on_delete="CASCADE")
    #: Another number whenever the entry changes: the time, and chance. The newest have the greatest numbers; negative
    #: are those that did not change.
    mark = BigIntegerField(index=True)


class SearchState(BaseModel):
    """How far the entries of a site were put on the list of `SearchStale`, for the words of one way to divide text."""

    site = ForeignKeyField(Site, primary_key=True, on_delete="CASCADE")
    #: `tokens.VERSION` and the name of the stemmer.
    version = IntegerField()
    stemmer = TextField()
    #: The id of the last entry; null once all of them were.
    position = IntegerField(null=True)


#: The tables in the order in which they are created.
MODELS: Final = (SearchDocument, SearchStale, SearchState)

"""Entries and pages of an installation elsewhere: what `editorial` does with them, by its API."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from appliance.api_client.answers import decode, decode_page, decode_rows
from appliance.api_client.connection import Connection
from appliance.api_client.sites import site_path
from appliance.content.models import ENTRY_STATUSES
from appliance.editorial import EditResult, EntryDetails, EntryFilter, EntryRow
from appliance.editorial.queries.choices import refuse_unknown
from appliance.editorial.queries.entries import ENTRY_KINDS, ENTRY_ORDERS
from appliance.paging import Page


class RemoteEntries:
    """The verbs for entries and pages. Workers build what is edited."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add_entry(self, site: str, **fields: Any) -> EditResult[EntryDetails]:
        """Add an entry."""
        _refuse_unknown(fields)
        reply = self._connection.post(f"{self._site(site)}/entries", fields)
        return EditResult(decode(EntryDetails, reply.value), changed=True)

    def edit_entry(
        self, site: str, entry: str, *, expected_version: str | None, **fields: Any
    ) -> EditResult[EntryDetails]:
        """Change the given fields of an entry."""
        _refuse_unknown(fields)
        path = f"{self._site(site)}/entries/{self._look_up(site, entry).id}"
        reply = self._connection.ask("PATCH", path, body=fields, version=expected_version)
        return EditResult(decode(EntryDetails, reply.value), reply.changed)

    def get_entry(self, site: str, entry: int | str) -> EntryDetails:
        """Return an entry with all that belongs to it."""
        return self._look_up(site, str(entry))

    def get_editable_entry(self, site: str, entry: str) -> EntryDetails:
        """Return an entry. One that has to be edited in its source is refused when it is saved."""
        return self._look_up(site, entry)

    def list_entries(
        self, site: str, wanted: EntryFilter, *, order: str, size: int, after: str | None
    ) -> Page[EntryRow]:
        """Read a page of entries."""
        refuse_unknown("order of entries", order, tuple(ENTRY_ORDERS))
        refuse_unknown("status of an entry", wanted.status, ENTRY_STATUSES)
        refuse_unknown("kind of an entry", wanted.kind, ENTRY_KINDS)
        path = f"{self._site(site)}/entries"
        return decode_page(EntryRow, self._connection.get(path, **asdict(wanted), order=order, size=size, after=after))

    def delete_entries(self, site: str, *entries: str) -> EditResult[list[EntryRow]]:
        """Delete entries: all of them or none."""
        reply = self._connection.post(f"{self._site(site)}/entries/delete", {"entries": list(entries)})
        rows = decode_rows(EntryRow, reply.value)
        return EditResult(rows, bool(rows))

    def _look_up(self, site: str, reference: str) -> EntryDetails:
        found = self._connection.get(f"{self._site(site)}/entries/lookup", reference=reference)
        return decode(EntryDetails, found)

    def _site(self, name: str) -> str:
        return site_path(self._connection, name)


def _refuse_unknown(fields: dict[str, Any]) -> None:
    """Refuse words that the API would refuse by their place in what is sent."""
    for name, allowed in (("status", ENTRY_STATUSES), ("kind", ENTRY_KINDS), ("format", ("markdown", "html"))):
        refuse_unknown(f"{name} of an entry", fields.get(name, ""), allowed)

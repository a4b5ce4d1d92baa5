"""Uploaded files of an installation elsewhere: what `editorial` does with them, by its API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from appliance.api_client.answers import decode, decode_page, decode_rows
from appliance.api_client.connection import Connection
from appliance.api_client.entries import RemoteEntries
from appliance.api_client.sites import site_path
from appliance.editorial import AssetFilter, AssetRow, EditResult
from appliance.errors import ContentError
from appliance.paging import Page


class RemoteAssets:
    """The verbs for uploaded files. What is uploaded is judged by its content there."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def upload_asset(self, site: str, file: str, path: str, *, entry: str | None) -> EditResult[AssetRow]:
        """Upload a file of this machine, in place of one that is there."""
        local = Path(file).expanduser()
        if not local.is_file():
            raise ContentError(f"{local}: {'is not a file' if local.exists() else 'does not exist'}; name a file.")
        query = {"path": path or local.name, "entry": self._entry_id(site, entry), "replace": "true"}
        reply = self._connection.ask("POST", f"{self._site(site)}/assets", query=query, file=local)
        return EditResult(decode(AssetRow, reply.value), reply.changed)

    def list_assets(self, site: str, wanted: AssetFilter, *, size: int, after: str | None) -> Page[AssetRow]:
        """Read a page of files."""
        entry = None if wanted.entry is None else str(wanted.entry)
        query = {**asdict(wanted), "entry": self._entry_id(site, entry), "size": size, "after": after}
        return decode_page(AssetRow, self._connection.ask("GET", f"{self._site(site)}/assets", query=query).value)

    def move_asset(self, site: str, asset: str, path: str) -> EditResult[AssetRow]:
        """Move a file to another path."""
        folder = f"{self._site(site)}/assets"
        found = decode(AssetRow, self._connection.get(f"{folder}/lookup", reference=asset))
        reply = self._connection.ask("PATCH", f"{folder}/{found.id}", body={"path": path})
        return EditResult(decode(AssetRow, reply.value), reply.changed)

    def remove_assets(self, site: str, *assets: str) -> EditResult[Sequence[AssetRow]]:
        """Remove files: all of them or none."""
        reply = self._connection.post(f"{self._site(site)}/assets/delete", {"assets": list(assets)})
        return EditResult(decode_rows(AssetRow, reply.value), reply.changed)

    def _entry_id(self, site: str, reference: str | None) -> int | None:
        return None if reference is None else RemoteEntries(self._connection).get_entry(site, reference).id

    def _site(self, name: str) -> str:
        return site_path(self._connection, name)

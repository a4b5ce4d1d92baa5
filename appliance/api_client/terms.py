"""Authors, categories and tags of an installation elsewhere: what `editorial` does with them, by its API."""

from __future__ import annotations

from typing import Any

from appliance.api_client.answers import decode, decode_page
from appliance.api_client.connection import Connection
from appliance.api_client.sites import site_path
from appliance.content.term_edits import SAME_PARENT
from appliance.content.term_names import model_of
from appliance.editorial import EditResult, TermRow
from appliance.paging import Page


class RemoteTerms:
    """The verbs for terms."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list_terms(self, site: str, kind: str, *, size: int, after: str | None) -> Page[TermRow]:
        """Read a page of the terms of a kind."""
        return decode_page(TermRow, self._connection.get(self._folder(site, kind), size=size, after=after))

    def rename_term(
        self, site: str, kind: str, name: str, new_name: str | None, *, slug: str | None, parent: str | None
    ) -> EditResult[TermRow]:
        """Change the name, the slug or the parent of a term."""
        given = {"name": new_name, "slug": slug}
        body: dict[str, Any] = {field: value for field, value in given.items() if value is not None}
        if parent != SAME_PARENT:
            body["parent"] = parent
        reply = self._connection.ask("PATCH", self._path(site, kind, name), body=body)
        return EditResult(decode(TermRow, reply.value), reply.changed)

    def merge_terms(self, site: str, kind: str, name: str, into: str) -> EditResult[int]:
        """Move all entries of a term to another, and delete it; the subject is how many."""
        reply = self._connection.post(f"{self._path(site, kind, name)}/merge", {"into": into})
        return EditResult(int(reply.value["entries"]), changed=True)

    def delete_term(self, site: str, kind: str, name: str) -> EditResult[int]:
        """Delete a term; the subject is how many entries had it."""
        reply = self._connection.ask("DELETE", self._path(site, kind, name))
        return EditResult(int(reply.value["entries"]), changed=True)

    def _path(self, site: str, kind: str, name: str) -> str:
        folder = self._folder(site, kind)
        return f"{folder}/{self._connection.get(f'{folder}/lookup', reference=name)['id']}"

    def _folder(self, site: str, kind: str) -> str:
        path = site_path(self._connection, site)
        model_of(kind)  # refuses one that there is not
        return f"{path}/terms/{kind}"

"""Sources of the sites of an installation elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from appliance.api_client.answers import decode, decode_rows
from appliance.api_client.connection import Connection
from appliance.api_client.sites import site_path
from appliance.errors import ApiRefused
from appliance.importing.pull_history import PullRow
from appliance.importing.sources import SourceState


class RemoteSources:
    """The verbs for sources: those of the sites on which the user has a role."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list_sources(self, site: str) -> tuple[list[SourceState], Mapping[str, str]]:
        """Return the sources of a site, or of all without a name, and the time zones of sites by name."""
        if site:
            site_path(self._connection, site)  # refuses one that there is not
        zones = {row["name"]: str(row["timezone"]) for row in self._connection.get("/sites")["rows"]}
        found = [
            decode(SourceState, {**row, "site": name})
            for name in zones
            if site in ("", name)
            for row in self._connection.get(f"/sites/{name}/sources")["rows"]
        ]
        return found, zones

    def find_sources(self, names: Sequence[str], site: str) -> Sequence[tuple[str, str]]:
        """Return site and name of the named sources, or of all without a name, of a site or of all.

        Raises:
            ApiRefused: there is no such site or source.
        """
        states, _ = self.list_sources(site)
        known = [state.name for state in states]
        if missing := next((name for name in names if name not in known), None):
            sentence = f"there is no source “{missing}”; the sources are: {', '.join(known) or 'none'}"
            raise ApiRefused(sentence, kind="not-found", exit_code=3)
        return [(state.site, state.name) for state in states if not names or state.name in names]

    def read_pulls(self, site: str, name: str) -> list[PullRow]:
        """Return the last pulls of a source, the newest first."""
        found = self._connection.get(f"/sites/{site}/sources/{quote(name, safe='')}/pulls")
        return decode_rows(PullRow, found)

    def request_pull(self, site: str, name: str) -> None:
        """Have a worker pull a source."""
        self._connection.post(f"/sites/{site}/sources/{quote(name, safe='')}/pull")

    def is_requested(self, site: str, name: str) -> bool:
        """Return whether a pull of a source waits or runs."""
        rows = self._connection.get(f"/sites/{site}/sources")["rows"]
        return any(row["is_requested"] for row in rows if row["name"] == name)

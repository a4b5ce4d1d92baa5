"""Sources of the sites of an installation elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from appliance.api_client.answers import decode
from appliance.api_client.connection import Connection
from appliance.api_client.sites import site_path
from appliance.importing.sources import SourceState


class RemoteSources:
    """The verb for sources: those of the sites on which the user has a role."""

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

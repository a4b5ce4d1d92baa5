"""Pages of an installation elsewhere: where the versions of each are, by its API."""

from __future__ import annotations

from appliance.api_client.answers import decode
from appliance.api_client.connection import Connection
from appliance.editorial.page_places import PagePlaces


class RemotePages:
    """The verbs for pages."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find_places(self, path: str) -> tuple[PagePlaces, float]:
        """Return where a page is, and the time of the database."""
        found = self._connection.ask("GET", "/pages", query={"path": path}).value
        return decode(PagePlaces, found), float(found["now"])

"""The verbs for pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from appliance import db
from appliance.config import Config
from appliance.editorial import page_places
from appliance.editorial.page_places import PagePlaces
from appliance.tasks import api_mode
from appliance.tasks.command_line import open_installation


class PageVerbs(Protocol):
    """The verbs."""

    def find_places(self, path: str) -> tuple[PagePlaces, float]:
        """Return where a page is, and the time of the database."""


@contextmanager
def open_pages() -> Iterator[PageVerbs]:
    """Open the verbs for pages, here or where --api says."""
    if address := api_mode.address():
        from appliance.api_client.connection import connect
        from appliance.api_client.pages import RemotePages

        with connect(address) as connection:
            yield RemotePages(connection)
    else:
        with open_installation() as (config, _):
            yield _LocalPages(config)


class _LocalPages:
    """The verbs on this host."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def find_places(self, path: str) -> tuple[PagePlaces, float]:
        return page_places.find_places(self._config, path), db.now()

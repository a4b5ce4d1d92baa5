"""The verbs for having workers publish sites."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from appliance import db, publishing
from appliance.config import Config
from appliance.editorial.site_publication import SitePublication, read_site_publication
from appliance.tasks import api_mode
from appliance.tasks.command_line import open_installation


class PublicationVerbs(Protocol):
    """The verbs."""

    def site_names(self) -> Sequence[str]:
        """Return the names of all sites."""

    def request(self, site: str, *, rebuild: bool) -> float:
        """Have a worker publish a site; returns the time of the database before that."""

    def read(self, site: str, since: float) -> SitePublication:
        """Tell how far a site is, and what failed since then."""


@contextmanager
def open_publication() -> Iterator[PublicationVerbs]:
    """Open the verbs for publication, here or where --api says."""
    if address := api_mode.address():
        from appliance.api_client.connection import connect
        from appliance.api_client.sites import RemotePublication

        with connect(address) as connection:
            yield RemotePublication(connection)
    else:
        with open_installation() as (config, _):
            yield _LocalPublication(config)


class _LocalPublication:
    """The verbs on this host."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def site_names(self) -> Sequence[str]:
        return [site.name for site in self._config.sites]

    def request(self, site: str, *, rebuild: bool) -> float:
        since = db.now()
        publishing.request_publication(self._config, site, rebuild=rebuild)
        return since

    def read(self, site: str, since: float) -> SitePublication:
        return read_site_publication(self._config, site, since)

"""The verb for sources of sites."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from appliance.config import Config
from appliance.importing import sources
from appliance.importing.sources import SourceState
from appliance.tasks import api_mode
from appliance.tasks.command_line import open_installation


class SourceVerbs(Protocol):
    """The verb."""

    def list_sources(self, site: str) -> tuple[list[SourceState], Mapping[str, str]]:
        """Return the sources of a site, or of all without a name, and the time zones of sites by name."""


@contextmanager
def open_sources() -> Iterator[SourceVerbs]:
    """Open the verb for sources, here or where --api says."""
    if address := api_mode.address():
        from appliance.api_client.connection import connect
        from appliance.api_client.sources import RemoteSources

        with connect(address) as connection:
            yield RemoteSources(connection)
    else:
        with open_installation() as (config, _):
            yield _LocalSources(config)


class _LocalSources:
    """The verb on this host."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def list_sources(self, site: str) -> tuple[list[SourceState], Mapping[str, str]]:
        sources.find_sources(self._config, site=site)
        states = [state for state in sources.source_states(self._config) if site in ("", state.site)]
        return states, {one.name: one.timezone for one in self._config.sites}

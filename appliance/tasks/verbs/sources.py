"""The verbs for sources of sites."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from appliance import pull_job
from appliance.config import Config
from appliance.importing import pull_history, sources
from appliance.importing.pull_history import PullRow
from appliance.importing.sources import SiteSource, SourceState
from appliance.tasks import api_mode
from appliance.tasks.command_line import open_installation


class SourceVerbs(Protocol):
    """The verbs."""

    def list_sources(self, site: str) -> tuple[list[SourceState], Mapping[str, str]]:
        """Return the sources of a site, or of all without a name, and the time zones of sites by name."""

    def find_sources(self, names: Sequence[str], site: str) -> Sequence[tuple[str, str]]:
        """Return site and name of the named sources, or of all without a name, of a site or of all."""

    def read_pulls(self, site: str, name: str) -> list[PullRow]:
        """Return the last pulls of a source, the newest first."""

    def request_pull(self, site: str, name: str) -> None:
        """Have a worker pull a source."""

    def is_requested(self, site: str, name: str) -> bool:
        """Return whether a pull of a source waits or runs."""


@contextmanager
def open_sources() -> Iterator[SourceVerbs]:
    """Open the verbs for sources, here or where --api says."""
    if address := api_mode.address():
        from appliance.api_client.connection import connect
        from appliance.api_client.sources import RemoteSources

        with connect(address) as connection:
            yield RemoteSources(connection)
    else:
        with open_installation() as (config, _):
            yield _LocalSources(config)


class _LocalSources:
    """The verbs on this host."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def list_sources(self, site: str) -> tuple[list[SourceState], Mapping[str, str]]:
        sources.find_sources(self._config, site=site)
        states = [state for state in sources.source_states(self._config) if site in ("", state.site)]
        return states, {one.name: one.timezone for one in self._config.sites}

    def find_sources(self, names: Sequence[str], site: str) -> Sequence[tuple[str, str]]:
        return [(one.site, one.name) for one in sources.find_sources(self._config, names, site)]

    def request_pull(self, site: str, name: str) -> None:
        pull_job.request_pull(self._config, self._source(site, name))

    def read_pulls(self, site: str, name: str) -> list[PullRow]:
        return pull_history.read(site, name)

    def is_requested(self, site: str, name: str) -> bool:
        return pull_job.is_requested(self._source(site, name))

    def _source(self, site: str, name: str) -> SiteSource:
        (found,) = sources.find_sources(self._config, [name], site)
        return found

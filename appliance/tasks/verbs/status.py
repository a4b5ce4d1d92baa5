"""The verbs for the status of an installation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from appliance import status
from appliance.config import Config
from appliance.delivery import shared_docroot
from appliance.status import Status
from appliance.tasks import api_mode
from appliance.tasks.command_line import open_installation


class StatusVerbs(Protocol):
    """The verbs."""

    def read(self) -> Status:
        """Return how the installation is."""

    def find_fault(self) -> str | None:
        """Return why nothing can be published to a shared docroot; None if nothing is wrong or nobody here can tell."""

    def render_metrics(self) -> bytes:
        """Return the metrics as Prometheus reads them."""

    def write_metrics(self, file: Path) -> None:
        """Write the metrics to a file, whole or not at all."""


@contextmanager
def open_status() -> Iterator[StatusVerbs]:
    """Open the verbs for the status, here or where --api says."""
    if address := api_mode.address():
        from appliance.api_client.connection import connect
        from appliance.api_client.machinery import RemoteStatus

        with connect(address) as connection:
            yield RemoteStatus(connection)
    else:
        with open_installation() as (config, _):
            yield _LocalStatus(config)


class _LocalStatus:
    """The verbs on this host."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def read(self) -> Status:
        return status.read_status(self._config)

    def find_fault(self) -> str | None:
        return shared_docroot.find_fault(self._config)

    def render_metrics(self) -> bytes:
        from appliance.running import metrics

        return metrics.render(self._config)

    def write_metrics(self, file: Path) -> None:
        from appliance.running import metrics

        metrics.write_textfile(self._config, file)

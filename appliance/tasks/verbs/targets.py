"""The verbs for targets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from appliance import db
from appliance.config import Config
from appliance.delivery import repair, target_state
from appliance.delivery.target_state import TargetState
from appliance.delivery.targets import courier_targets, find_target
from appliance.tasks import api_mode
from appliance.tasks.command_line import open_installation


class TargetVerbs(Protocol):
    """The verbs."""

    def read_all(self) -> tuple[list[TargetState], float]:
        """Return the states of the targets, and the time of the database."""

    def pause(self, name: str) -> None:
        """Send nothing to a target until it is resumed."""

    def resume(self, name: str) -> None:
        """Resume a paused target."""

    def resync(self, name: str, *, allow_removals: bool) -> None:
        """Have everything sent to a target again."""


@contextmanager
def open_targets() -> Iterator[TargetVerbs]:
    """Open the verbs for targets, here or where --api says."""
    if address := api_mode.address():
        from appliance.api_client.connection import connect
        from appliance.api_client.machinery import RemoteTargets

        with connect(address) as connection:
            yield RemoteTargets(connection)
    else:
        with open_installation() as (config, _):
            yield _LocalTargets(config)


class _LocalTargets:
    """The verbs on this host."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def read_all(self) -> tuple[list[TargetState], float]:
        return target_state.read_all(courier_targets(self._config)), db.now()

    def pause(self, name: str) -> None:
        target_state.pause(find_target(self._config, name).name)

    def resume(self, name: str) -> None:
        target_state.resume(find_target(self._config, name).name)

    def resync(self, name: str, *, allow_removals: bool) -> None:
        repair.request_repair(self._config, name, clear_strangers=True, allow_removals=allow_removals)

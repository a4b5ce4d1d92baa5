"""Targets for the setup check that differ from the settings: new addresses, other keys, other accounts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from appliance.config import Config, DeliverySettings, TargetSettings, error_messages
from appliance.config.contradictions import find_contradictions
from appliance.delivery.targets import Target
from appliance.errors import ConfigError


def unconfigured_target(
    config: Config, address: str, access: str, port: int, ssh_options: Sequence[str], other_path: bool
) -> Target:
    """Return a target that is not in the settings yet. Its values are checked as if it were.

    Raises:
        ConfigError: the address or an option makes no sense, or the path differs from the docroot's.
    """
    host = re.sub(r"^.*@|:.*", "", address).lower()
    raw = {
        "name": re.sub(r"[^a-z0-9]+", "-", host).strip("-")[:63] or "folder",
        "address": address,
        "access": access,
        "port": port,
        "ssh_options": list(ssh_options),
        "other_path": other_path,
    }
    try:
        settings = TargetSettings.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(error_messages.describe_errors(error, TargetSettings, raw)) from error
    if found := list(find_contradictions(config.docroot, [], [settings], {})):
        raise ConfigError([fault.partition(".address: ")[2] or fault for fault in found])
    return Target(settings, config.docroot, config.delivery)


def with_keys(target: Target, key: Path | None, known_hosts: Path | None) -> Target:
    """Return the target with another key or file of host keys, to try them before they are in the settings."""
    given = {"ssh_key": key, "known_hosts": known_hosts}
    changed = {name: path.absolute() for name, path in given.items() if path}
    delivery: DeliverySettings = target.delivery.model_copy(update=changed)
    return replace(target, delivery=delivery)


@dataclass(frozen=True, slots=True)
class InspectionAccount:
    """An account with a shell on the front ends, which sees what the couriers' key does not show."""

    user: str
    key: Path | None = None

    def target(self, target: Target) -> Target:
        """Return the same front end, reached by this account."""
        host = (target.settings.host or "").rpartition("@")[2]
        settings = target.settings.model_copy(update={"address": f"{self.user}@{host}:{target.folder}"})
        key = {"ssh_key": self.key}
        return replace(target, settings=settings, delivery=target.delivery.model_copy(update=key))

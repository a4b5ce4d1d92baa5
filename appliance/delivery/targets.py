"""Targets: the front ends and publishing hosts whose docroots receive what is published."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from appliance.config import Config, DeliverySettings, TargetSettings
from appliance.errors import DeliveryError

#: The module that a front end's forced rsync daemon offers.
MODULE = "docroot"


@dataclass(frozen=True)
class Target:
    """One place that receives publications: the docroot of another host, or a folder of this host."""

    settings: TargetSettings
    #: The docroot of this host, from which files are sent.
    docroot: Path
    delivery: DeliverySettings
    #: The name of the publishing host, if the target is one; None for a front end.
    peer: str | None = None

    @property
    def name(self) -> str:
        """The name in commands and reports."""
        return peer_name(self.peer) if self.peer else self.settings.name

    @property
    def address(self) -> str:
        """The address in the settings, with the port unless that is the default of ssh."""
        port = f" port {self.settings.port}" if self.settings.port != 22 else ""
        return self.settings.address + port

    @property
    def host(self) -> str | None:
        """`user@host` or an ssh alias, as ssh takes it; None for a folder on this host."""
        host = self.settings.host
        return host.replace("[", "").replace("]", "") if host else None

    @property
    def folder(self) -> Path:
        """The folder on the target."""
        return self.settings.path(self.docroot)

    @property
    def destination(self) -> str:
        """The destination as rsync takes it."""
        if not self.settings.host:
            return f"{self.folder}/"
        match self.settings.access:
            case "module":
                return f"{self.settings.host}::{MODULE}/"
            case "rrsync":
                # The forced rrsync is in its folder already and refuses absolute paths.
                return f"{self.settings.host}:."
            case _:
                return f"{self.settings.host}:{self.folder}/"

    @property
    def is_confined(self) -> bool:
        """Whether the front end decides which folder the key may write to."""
        return self.settings.host is not None and self.settings.access != "shell"

    def __str__(self) -> str:
        return f"target {self.name} ({self.address})"


def peer_name(host: str) -> str:
    """Return the name of a publishing host as a target. No front end's name has a colon."""
    return f"host:{host}"


def front_ends(config: Config) -> list[Target]:
    """Return the front ends of the settings, in their order."""
    return [Target(settings, config.docroot, config.delivery) for settings in config.targets]


def peers(config: Config) -> list[Target]:
    """Return the other publishing hosts that have an address. They receive what this host publishes."""
    return [
        Target(host, config.docroot, config.delivery, peer=host.name)
        for host in config.publishing_hosts
        if host.address and host.name != config.host_name
    ]


def own_docroot(config: Config) -> Target | None:
    """Return the docroot of this host as a target of the other publishing hosts, if they can reach it."""
    found = (h for h in config.publishing_hosts if h.address and h.name == config.host_name)
    return next((Target(host, config.docroot, config.delivery, peer=host.name) for host in found), None)


def has_courier(config: Config) -> bool:
    """Whether a courier runs on this host: it has targets, or is one target of other publishing hosts."""
    return not config.shared and bool(config.targets or len(config.publishing_hosts) > 1)


def courier_targets(config: Config) -> list[Target]:
    """Return the targets that the couriers of this host send to: front ends and other publishing hosts."""
    return [*front_ends(config), *peers(config)]


def all_targets(config: Config) -> list[Target]:
    """Return all targets of the installation: those of this host's couriers, and its own docroot."""
    own = own_docroot(config)
    return [*courier_targets(config), *([own] if own else [])]


def find_target(config: Config, name: str) -> Target:
    """Return the target called `name`. Another publishing host is called `host:NAME`.

    Raises:
        DeliveryError: there is no such target.
    """
    chosen = courier_targets(config)
    for target in chosen:
        if target.name == name:
            return target
    names = ", ".join(target.name for target in chosen) or "none"
    raise DeliveryError(f"there is no target “{name}”; there are: {names}")
